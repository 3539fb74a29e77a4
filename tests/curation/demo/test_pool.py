import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from curation.demo.attempts import boxed_answer
from curation.demo.guards import ngrams, similarity
from curation.demo.pool import DemoPool, make_demo, write_demo
from curation.demo.rows import Row
from curation.hashing import question_hash
from curation.text import words as words_of
from tests.twin.slow_recipe import formatting_rule

COLUMNS = [
    "question", "solution", "cot_type", "source_type", "metadata", "thinking_trajectories", "attempt",
    "isqwen7bcorrect", "isqwen32bcorrect", "isgeminicorrect", "domain", "gemini_length",
    "qwen7b_attempt", "qwen32b_attempt",
]  # fmt: skip
ANNOTATIONS = ("isqwen7bcorrect", "isqwen32bcorrect", "isgeminicorrect", "domain", "gemini_length")


def truth(row: Row) -> str:
    return str(json.loads(row["metadata"])["answer"])


def first_rows(demo: DemoPool) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for row in demo.rows:
        rows.setdefault(question_hash(row["question"]), row)
    return rows


def share(values: list[bool]) -> float:
    return sum(values) / len(values)


def test_the_pool_is_large_enough_and_spans_domains(demo: DemoPool) -> None:
    assert len(demo.rows) == 2400
    assert len(first_rows(demo)) >= 2000
    domains = Counter(row["domain"] for row in demo.rows if row["domain"])
    assert len(domains) >= 10
    assert all(re.fullmatch(r"\d\d", domain) and count >= 20 for domain, count in domains.items())


def test_rows_have_the_columns_of_s1_and_say_who_made_them(demo: DemoPool) -> None:
    for row in demo.rows:
        assert list(row) == COLUMNS
        assert row["cot_type"] in ("math", "science", "crossword")
        metadata = json.loads(row["metadata"])
        assert metadata["made_by"] == "s1web demo generator"
        assert set(metadata) == {"made_by", "kind", "steps", "answer"}


def test_solutions_end_in_the_true_answer(demo: DemoPool) -> None:
    assert all(boxed_answer(row["solution"]) == truth(row) for row in demo.rows)


def test_grades_follow_from_the_texts(demo: DemoPool) -> None:
    pairs = (
        ("isqwen7bcorrect", "qwen7b_attempt"),
        ("isqwen32bcorrect", "qwen32b_attempt"),
        ("isgeminicorrect", "attempt"),
    )
    for row in demo.rows:
        for grade, text in pairs:
            if row[grade] is not None:
                assert row[grade] is (boxed_answer(row[text]) == truth(row))


def test_a_trace_concludes_what_its_attempt_says(demo: DemoPool) -> None:
    for row in demo.rows:
        for thinking in row["thinking_trajectories"]:
            assert thinking.endswith(f"answer is {boxed_answer(row['attempt'])}.")


def test_shares_of_right_attempts_are_those_of_the_recipe(demo: DemoPool) -> None:
    graded = [row for row in demo.rows if None not in [row[column] for column in ANNOTATIONS]]
    small = share([row["isqwen7bcorrect"] for row in graded])
    large = share([row["isqwen32bcorrect"] for row in graded])
    hard = [row for row in graded if not row["isqwen7bcorrect"] and not row["isqwen32bcorrect"]]
    assert small + 0.1 < large
    assert 1 - len(hard) / len(graded) == pytest.approx(0.53, abs=0.035)
    assert share([row["isgeminicorrect"] for row in hard]) == pytest.approx(0.54, abs=0.05)


@pytest.mark.parametrize("grade", ["isqwen7bcorrect", "isqwen32bcorrect"])
def test_longer_solutions_are_solved_less_often(demo: DemoPool, grade: str) -> None:
    kinds = ("loop", "recurrence", "reverse_polish", "trace_of_power", "switches", "motion_phases")
    made = [(json.loads(row["metadata"]), row[grade]) for row in demo.rows if row[grade] is not None]
    graded = sorted((metadata["steps"], is_right) for metadata, is_right in made if metadata["kind"] in kinds)
    half = len(graded) // 2
    few, many = [is_right for _, is_right in graded[:half]], [is_right for _, is_right in graded[half:]]
    assert share(few) > share(many) + 0.1


def test_lengths_are_words_times_1_4_and_have_a_heavy_tail(demo: DemoPool) -> None:
    lengths = []
    for row in demo.rows:
        if row["gemini_length"] is not None:
            words = len(row["thinking_trajectories"][0].split())
            assert abs(row["gemini_length"] - 1.4 * words) <= 0.5
            lengths.append(words)
    lengths.sort()
    assert lengths[len(lengths) // 10] < 400
    assert lengths[len(lengths) * 9 // 10] > 1.8 * lengths[len(lengths) // 2]
    assert sum(length > 3000 for length in lengths) >= 10


def test_traces_turn_back_at_times(demo: DemoPool) -> None:
    texts = [row["thinking_trajectories"][0] for row in demo.rows if row["thinking_trajectories"]]
    assert 0.5 < share(["Wait" in text or "wait" in text for text in texts]) < 1
    assert all("\n\n" in text for text in texts)


def test_each_whole_taken_pick_of_the_paper_fires(demo: DemoPool) -> None:
    picks: Counter[str] = Counter()
    for row in demo.rows:
        hard = row["isqwen7bcorrect"] is False and row["isqwen32bcorrect"] is False
        if hard and row["isgeminicorrect"]:
            source = row["source_type"]
            picks["AIME"] += "AIME" in source
            picks["GPQA"] += "gpqa" in source
            picks["MATH"] += source.startswith("qfq/openaimath/") and (row["gemini_length"] or 0) > 5600
    assert all(picks[name] >= 2 for name in ("AIME", "GPQA", "MATH"))
    assert sum(picks.values()) < 200


def test_formatting_defects_are_where_they_are_planted_and_nowhere_else(demo: DemoPool) -> None:
    found: dict[str, set[str]] = {}
    for hash_, row in first_rows(demo).items():
        question = row["question"]
        rule = formatting_rule(question, "")
        # slow twin of the part-number pattern
        assert (rule == "formatting.part_number") == any(f"p{n}." in question for n in range(1, 1000))
        if rule:
            found.setdefault("kept.asy_aime" if "AIME" in row["source_type"] else rule, set()).add(hash_)
    names = [*(code for code in demo.planted if code.startswith("formatting.")), "kept.asy_aime"]
    assert len(names) == 5
    assert found == {name: set(demo.planted[name]) for name in names}
    assert all(len(demo.planted[name]) >= 2 for name in names)


def test_a_bold_run_with_a_blank_looks_like_a_defect_and_is_none(demo: DemoPool) -> None:
    rows = first_rows(demo)
    for hash_ in demo.planted["kept.bold_with_blank"]:
        assert rows[hash_]["question"].startswith("**Problem ")
        assert formatting_rule(rows[hash_]["question"], "") is None


def test_contamination_is_where_it_is_planted_and_nowhere_else(demo: DemoPool) -> None:
    problems = [item["problem"] for item in demo.benchmark]
    grams = set().union(*map(ngrams, problems))
    texts = [f" {' '.join(words_of(problem))} " for problem in problems]
    long, short = set(), set()
    for hash_, row in first_rows(demo).items():
        words = words_of(row["question"])
        if ngrams(row["question"]) & grams:
            long.add(hash_)
        elif len(words) < 8:
            inside = f" {' '.join(words)} "
            assert any(inside == text or (len(words) >= 4 and inside in text) for text in texts)
            short.add(hash_)
    assert long == set(demo.planted["decontamination.ngram"])
    assert short == set(demo.planted["decontamination.short"])


def test_short_contamination_comes_as_a_whole_problem_and_inside_a_longer_one(demo: DemoPool) -> None:
    problems = {" ".join(words_of(item["problem"])) for item in demo.benchmark}
    rows = first_rows(demo)
    whole = [" ".join(words_of(rows[h]["question"])) in problems for h in demo.planted["decontamination.short"]]
    assert sum(whole) >= 3
    assert len(whole) - sum(whole) >= 3


def test_annotations_are_missing_where_it_is_planted_and_nowhere_else(demo: DemoPool) -> None:
    merged: dict[str, Row] = {}
    for row in demo.rows:
        kept = merged.setdefault(question_hash(row["question"]), dict(row))
        for column in COLUMNS:
            if kept[column] is None or kept[column] == []:
                kept[column] = row[column]
    lacking = {hash_ for hash_, row in merged.items() if any(row[column] is None for column in ANNOTATIONS)}
    planted = demo.planted["annotation.missing"]
    assert lacking == set(planted)
    for column in ANNOTATIONS:
        assert any(merged[hash_][column] is None for hash_ in planted)
    assert any(merged[hash_]["thinking_trajectories"] == [] for hash_ in planted)


def test_duplicates_are_as_planted_and_some_bring_what_the_first_row_lacks(demo: DemoPool) -> None:
    counts = Counter(question_hash(row["question"]) for row in demo.rows)
    assert {hash_ for hash_, count in counts.items() if count > 1} == set(demo.planted["pool.duplicate"])
    brought: Counter[str] = Counter()
    for hash_ in demo.planted["pool.duplicate"]:
        first, later = (row for row in demo.rows if question_hash(row["question"]) == hash_)
        brought.update([column for column in ANNOTATIONS if first[column] is None] or ["nothing"])
        assert all(later[column] is not None for column in ANNOTATIONS)
    assert brought["nothing"] >= 2
    assert all(brought[column] for column in ("isqwen7bcorrect", "isqwen32bcorrect", "domain", "gemini_length"))


def test_near_duplicates_follow_their_originals_and_differ_little(demo: DemoPool) -> None:
    rows = first_rows(demo)
    places = {hash_: place for place, hash_ in enumerate(rows)}
    originals, copies = demo.planted["kept.near_original"], demo.planted["deduplication.near"]
    assert len(originals) == len(copies) >= 5
    for original, copy in zip(originals, copies, strict=True):
        assert places[original] < places[copy]
        one, other = ({" ".join(gram) for gram in ngrams(rows[h]["question"], 5)} for h in (original, copy))
        assert similarity(one, other) >= 0.85
        assert truth(rows[original]) == truth(rows[copy])


def test_no_other_pair_of_questions_is_nearly_the_same(demo: DemoPool) -> None:
    copies = set(demo.planted["deduplication.near"])
    by_kind: dict[str, list[set[str]]] = {}
    for hash_, row in first_rows(demo).items():
        kind = json.loads(row["metadata"])["kind"]
        if hash_ in copies or kind == "short":
            continue
        grams = {" ".join(gram) for gram in ngrams(row["question"], 3)}
        assert all(similarity(grams, other) < 0.8 for other in by_kind.setdefault(kind, []))
        by_kind[kind].append(grams)


def test_a_question_carries_one_defect_at_most(demo: DemoPool) -> None:
    carriers = Counter(hash_ for hashes in demo.planted.values() for hash_ in hashes)
    assert set(carriers.values()) == {1}
    assert set(carriers) <= set(first_rows(demo))


def test_the_benchmark_has_distinct_problems_with_integer_answers(demo: DemoPool) -> None:
    assert len(demo.benchmark) == 60
    assert len({item["problem"] for item in demo.benchmark}) == len({item["id"] for item in demo.benchmark}) == 60
    assert all(re.fullmatch(r"-?\d+", item["answer"]) for item in demo.benchmark)


def test_a_seed_gives_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    one, two = write_demo(tmp_path / "one", 5, 400), write_demo(tmp_path / "two", 5, 400)
    other = write_demo(tmp_path / "other", 6, 400)
    for path, again, different in zip(
        (one.pool, one.benchmark, one.planted), (two.pool, two.benchmark, two.planted),
        (other.pool, other.benchmark, other.planted), strict=True,
    ):  # fmt: skip
        assert path.read_bytes() == again.read_bytes()
        assert path.read_bytes() != different.read_bytes()


def test_files_hold_the_pool_as_json_lines_in_utf_8(tmp_path: Path) -> None:
    files, demo = write_demo(tmp_path, 2, 400), make_demo(2, 400)
    content = files.pool.read_bytes()
    assert b"\r" not in content
    assert "·".encode() in content  # written as it is, not as an escape
    assert [json.loads(line) for line in content.decode().split("\n")[:-1]] == demo.rows
    assert [json.loads(line) for line in files.benchmark.read_text("utf-8").splitlines()] == demo.benchmark
    assert json.loads(files.planted.read_text("utf-8")) == demo.planted


def test_the_default_pool_is_made_the_same_again(demo: DemoPool) -> None:
    assert make_demo() == demo


def test_defects_fit_in_a_small_pool_too() -> None:
    demo = make_demo(1, 300)
    assert len(demo.rows) == 300
    assert set(make_demo(3, 600).planted) >= set(demo.planted)


def test_a_pool_too_small_for_its_defects_is_refused() -> None:
    with pytest.raises(ValueError, match="num_questions=50 leaves no room for the planted defects; use 300 or more"):
        make_demo(0, 50)


def test_the_generator_is_pure_and_leaves_the_global_generator_alone() -> None:
    code = (
        "import random, sys; random.seed(1); before = random.getstate()\n"
        "from curation.demo.pool import make_demo; make_demo(0, 300)\n"
        "assert random.getstate() == before\n"
        "print([name for name in ('django', 'torch', 'vllm', 'socket') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
