"""Why a question is in or out: told for every row of a pool, and added up to the ledger."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from curation.demo.pool import DemoPool
from curation.errors import NotFoundError
from curation.hashing import question_hash
from curation.presets import PRESETS, Recipe
from s1web.pool.contamination import check_contamination, overrule
from s1web.pool.models import Question
from s1web.selections.explain import explain, find_question, find_run
from s1web.selections.services import Curated, curate
from tests.s1web.pools import find, load_problems, load_rows
from tests.twin import slow_recipe as twin

SMALL = replace(PRESETS["paper"], size=60)
NEAR = replace(SMALL, near_duplicates=True, name="near")


def explain_all(curated: Curated) -> dict[str, dict[str, Any]]:
    return {question.question_hash: explain(question, curated.run) for question in Question.objects.all()}


def ledger_of(explained: dict[str, dict[str, Any]], stages: list[str]) -> list[dict[str, Any]]:
    """The ledger, added up from what is told of each question alone."""
    num_rows = sum(told["stages"][0]["evidence"]["rows"] for told in explained.values())
    repeated = num_rows - len(explained)
    ledger = [
        {
            "stage": "pool",
            "in": num_rows,
            "out": len(explained),
            "dropped": {"pool.duplicate": repeated} if repeated else {},
        }
    ]
    for stage in stages[1:]:
        there = [told for told in explained.values() if any(item["stage"] == stage for item in told["stages"])]
        rules = [told["rule"] for told in there if told["stage"] == stage]
        ledger.append(
            {"stage": stage, "in": len(there), "out": len(there) - len(rules), "dropped": dict(Counter(rules))}
        )
    return ledger


@pytest.mark.parametrize("name", [*PRESETS, "near"])
def test_explanations_of_all_questions_add_up_to_the_ledger(demo_pool: DemoPool, name: str) -> None:
    curated = curate(NEAR if name == "near" else replace(PRESETS[name], size=60))
    explained = explain_all(curated)
    stages = [line["stage"] for line in curated.run.ledger]
    assert ledger_of(explained, stages) == curated.run.ledger
    positions = {told["position"]: hash_ for hash_, told in explained.items() if told["outcome"] == "selected"}
    assert [positions[place] for place in range(len(positions))] == list(curated.result.hashes)
    if name in PRESETS:
        problems = [item["problem"] for item in demo_pool.benchmark]
        expected = twin.select(demo_pool.rows, problems, name, 60, 0)["fate"]
        assert {hash_: told["rule"] for hash_, told in explained.items()} == expected
    for told in explained.values():
        seen = [stage["stage"] for stage in told["stages"]]
        *before, last = told["stages"]
        assert seen == stages[: len(seen)]
        assert {stage["result"] for stage in before} <= {"passed"}
        if told["rule"]:
            assert (told["outcome"], told["position"]) == ("dropped", None)
            assert told["stage"] == seen[-1] == told["rule"].partition(".")[0]
            assert (last["result"], last["rule"]) == ("dropped", told["rule"])
        else:
            assert (told["outcome"], told["stage"], seen) == ("selected", None, stages)
            assert (last["result"], last["rule"]) == ("selected", None)


def test_evidence_of_contamination_is_the_longest_shared_span(demo_pool: DemoPool) -> None:
    problems = {item["id"]: item["problem"] for item in demo_pool.benchmark}
    curated = curate(SMALL)
    told_of = [told for told in explain_all(curated).values() if told["stage"] == "decontamination"]
    assert len(told_of) == len(
        demo_pool.planted["decontamination.ngram"] + demo_pool.planted["decontamination.short"]
    )
    for told in told_of:
        text = told["question"]
        spans = {key: twin.longest_shared_span(text, problem) for key, problem in problems.items()}
        longest = max(span[0] for span in spans.values())
        evidence = told["stages"][-1]["evidence"]
        found = (evidence["num_words"], evidence["question_offset"], evidence["problem_offset"])
        assert found == spans[evidence["problem"]]
        assert (evidence["num_words"], evidence["benchmark"]) == (longest, "demo")
        start = evidence["question_offset"]
        assert evidence["shared"] == " ".join(twin.split_words(text)[start : start + longest])
        assert evidence["shared"] in " ".join(twin.split_words(problems[evidence["problem"]]))
        # every pair is listed, not only the longest
        assert evidence["problem"] == told["contamination"][0]["problem"]
        size = min(twin.NGRAM_WORDS, len(twin.split_words(text)))
        assert {item["problem"] for item in told["contamination"]} == {
            key for key, span in spans.items() if span[0] >= size
        }


def test_evidence_of_the_other_rules_is_what_they_saw(demo_pool: DemoPool) -> None:
    rows = {row["question_hash"]: row for row in twin.merge_pool(demo_pool.rows)}
    names = {
        "small_grade": "isqwen7bcorrect",
        "large_grade": "isqwen32bcorrect",
        "trace_grade": "isgeminicorrect",
        "domain": "domain",
        "trace_length": "gemini_length",
    }
    seen = Counter()
    for hash_, told in explain_all(curate(SMALL)).items():
        row, last = rows[hash_], told["stages"][-1]
        seen[told["stage"]] += 1
        if told["stage"] == "annotation":
            missing = [name for name, column in names.items() if twin.is_absent(row[column])]
            assert last["evidence"] == {"missing": missing}
        elif told["stage"] == "difficulty":
            solvers = {"small": row["isqwen7bcorrect"], "large": row["isqwen32bcorrect"]}
            assert last["evidence"] == {"solved_by": [name for name, value in solvers.items() if value]}
        elif told["stage"] == "formatting":
            start, end = last["evidence"]["characters"]
            assert last["evidence"]["text"] == row["question"][start:end]
            # the spot alone is enough for the rule to hit
            assert twin.formatting_rule(last["evidence"]["text"], "") == told["rule"]
        elif told["stage"] is None:
            how = "taken whole" if twin.is_taken_whole(row) else "drawn"
            assert last["evidence"] == {"position": told["position"], "how": how}
        expected = {name: row[column] for name, column in names.items() if name != "trace_length"}
        assert told["annotations"] == expected | {
            "trace_tokens": {} if row["gemini_length"] is None else {"gemini_length": row["gemini_length"]}
        }
    assert min(seen[stage] for stage in ("annotation", "difficulty", "formatting", "selection", None)) > 0


def test_a_near_duplicate_names_what_it_repeats(demo_pool: DemoPool) -> None:
    explained = explain_all(curate(NEAR))
    near = {hash_: told for hash_, told in explained.items() if told["rule"] == "deduplication.near"}
    pairs = zip(demo_pool.planted["deduplication.near"], demo_pool.planted["kept.near_original"], strict=True)
    for one, other in pairs:
        # the longer trace of the two stays
        dropped, kept = (one, other) if one in near else (other, one)
        evidence = near[dropped]["stages"][-1]["evidence"]
        assert evidence["repeats"] == kept
        assert 0.85 <= evidence["similarity"] <= 1
        lengths = [explained[hash_]["annotations"]["trace_tokens"]["gemini_length"] for hash_ in (kept, dropped)]
        assert lengths[0] >= lengths[1]


def test_rows_say_which_file_and_line_brought_what(db: None, tmp_path: Path) -> None:
    first = {"question": "How many quays?", "source_type": "one", "isqwen7bcorrect": False}
    second = {"question": "How many quays?", "source_type": "two", "isqwen7bcorrect": True, "domain": "05"}
    load_rows(tmp_path, [{"question": "Another?"}, first], "first")
    load_rows(tmp_path, [second], "second")
    told = explain(find("How many quays?"), curate(Recipe(method="random", requires=())).run)
    assert told["rows"] == [
        {
            "file": str(tmp_path / "first.jsonl"),
            "line": 2,
            "source": "one",
            "brought": ["question", "small_grade"],
        },
        {"file": str(tmp_path / "second.jsonl"), "line": 1, "source": "two", "brought": ["domain"]},
    ]
    assert (told["source"], told["domain"]) == ("one", "05 Combinatorics")
    assert told["stages"][0]["evidence"] == {"rows": 2}


def test_a_question_loaded_after_the_run_is_absent_from_it(demo_pool: DemoPool, tmp_path: Path) -> None:
    run = curate(SMALL).run
    load_rows(tmp_path, [{"question": "A late question?"}], "late")
    told = explain(find("A late question?"), run)
    assert (told["outcome"], told["stages"], told["rule"], told["position"]) == ("absent", [], None, None)


def test_an_explanation_of_an_old_run_stays_what_it_was(demo_pool: DemoPool, tmp_path: Path) -> None:
    run = curate(SMALL).run
    victim = run.selection.members.get(position=0).question
    before = explain(victim, run)
    load_problems(tmp_path, [victim.text], "leak")
    newer = curate(SMALL).run
    assert explain(victim, newer)["rule"] == "decontamination.ngram"
    after = explain(victim, run)
    assert (after["outcome"], after["position"], after["stages"]) == ("selected", 0, before["stages"])
    # what is known by now is listed apart from what the run saw
    assert [item["benchmark"] for item in after["contamination"]] == ["leak"]


def test_an_overruled_contamination_keeps_its_evidence_and_reason(demo_pool: DemoPool) -> None:
    hash_ = demo_pool.planted["decontamination.ngram"][0]
    check_contamination()
    overrule(hash_, reason="boilerplate", decided_by="reviewer")
    told = explain(Question.objects.get(question_hash=hash_), curate(SMALL).run)
    assert told["stage"] != "decontamination"
    assert {(item["decision"], item["reason"]) for item in told["contamination"]} == {("overruled", "boilerplate")}
    assert told["contamination"][0]["shared"]


def test_an_explanation_asks_the_same_number_of_queries_whatever_the_pool(
    demo_pool: DemoPool, tmp_path: Path
) -> None:
    def count(hash_: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            explain(Question.objects.get(question_hash=hash_), run)
        return len(queries)

    run = curate(SMALL).run
    hash_ = demo_pool.planted["decontamination.ngram"][0]
    before = count(hash_)
    more = [row | {"question": f"{row['question']} ({place})"} for place, row in enumerate(demo_pool.rows)]
    load_rows(tmp_path, more, "more")
    # the same question from twenty more rows, too
    row = next(row for row in demo_pool.rows if question_hash(row["question"]) == hash_)
    load_rows(tmp_path, [row | {"metadata": str(place)} for place in range(20)], "again")
    assert count(hash_) == before


# --- finding question and run ----------------------------------------------------------------------------


def test_a_question_is_found_by_its_hash_or_the_only_beginning_of_it(db: None, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "One?"}, {"question": "Two?"}])
    hash_ = question_hash("One?")
    assert hash_[:1] != question_hash("Two?")[:1]
    for given in (hash_, hash_[:7], hash_[:1], hash_.upper(), f"  {hash_}\n"):
        assert find_question(given).question_hash == hash_


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "the pool has no question ''; give the 16 hex digits of its hash"),
        ("   ", "the pool has no question '   '; give the 16 hex digits of its hash"),
        ("0123456789abcdef0", "the pool has no question '0123456789abcdef0'"),
        ("zz", "the pool has no question 'zz'"),
        ("%", "the pool has no question '%'"),
        ("_", "the pool has no question '_'"),
    ],
)
def test_a_hash_that_is_not_there_is_named(db: None, tmp_path: Path, given: str, said: str) -> None:
    load_rows(tmp_path, [{"question": "One?"}])
    with pytest.raises(NotFoundError, match=said):
        find_question(given)


def test_a_beginning_that_two_questions_share_asks_for_more_digits(db: None, tmp_path: Path) -> None:
    texts = [f"Question {number}?" for number in range(17)]
    first = Counter(question_hash(text)[0] for text in texts).most_common(1)[0][0]
    load_rows(tmp_path, [{"question": text} for text in texts])
    with pytest.raises(NotFoundError, match=f"more than one question starts with '{first}'; give more"):
        find_question(first)


def test_the_run_is_the_newest_unless_a_number_is_given(demo_pool: DemoPool) -> None:
    with pytest.raises(NotFoundError, match=r"no run \(there is none yet\); make one with curate"):
        find_run(None)
    runs = [curate(replace(SMALL, seed=seed)).run for seed in range(2)]
    assert find_run(None) == runs[1]
    assert find_run(runs[0].pk) == runs[0]
    with pytest.raises(NotFoundError, match=rf"no run 0 \(the newest is run {runs[1].pk}\)"):
        find_run(0)
