"""The bundled demo pool: rows, benchmark, and a list of what was planted where."""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from curation.demo import defects
from curation.demo.benchmark import make_benchmark
from curation.demo.guards import Novelty
from curation.demo.kinds import KINDS
from curation.demo.problem import Problem
from curation.demo.rows import Row, make_row, without
from curation.demo.sources import AIME, MATH, choose_source
from curation.hashing import question_hash

MIN_QUESTIONS = 300
LEVELS = (1, 2, 3, 4, 5, 6)
NUM_PER_FORMATTING_RULE = 8
NUM_KEPT = 3
NUM_BORROWED = 12
NUM_RESPELLED = 6
NUM_LINES = 6
NUM_NEAR = 12
NUM_MISSING = 3  # per annotation
NUM_PLAIN_DUPLICATES = 4
NUM_LONG_MATH = 8
LONG_MATH_WORDS = 4200  # 5,880 tokens at 1.4 a word, above the 5,600 from which MATH is taken whole (s1 §2.2)
MIN_STEPS_FOR_LONG = 25


@dataclass(frozen=True)
class DemoPool:
    """The generated pool.

    Args:
        rows: in pool order, under s1's column names and two more, `qwen7b_attempt` and `qwen32b_attempt`.
        benchmark: id, problem, answer.
        planted: code of a defect -> hashes of the questions that carry it. Codes `kept.*` name rows that look
            defective and are not: `kept.asy_aime`, `kept.bold_with_blank`, and `kept.near_original`, whose
            i-th question is the one that the i-th of `deduplication.near` was changed from.
    """

    rows: list[Row]
    benchmark: list[dict[str, str]]
    planted: dict[str, list[str]]


@dataclass(frozen=True)
class DemoFiles:
    """Where `write_demo` put its three files."""

    pool: Path
    benchmark: Path
    planted: Path


@dataclass(frozen=True)
class _Draft:
    problem: Problem
    level: int
    source: str
    cot_type: str
    code: str = ""


def _draw_drafts(rng: random.Random, count: int, novelty: Novelty) -> list[_Draft]:
    """Draw problems, kind after kind; a kind that runs out of new statements leaves the round."""
    kinds = list(KINDS)
    drafts: list[_Draft] = []
    turn = 0
    while len(drafts) < count:
        if not kinds:
            raise ValueError(
                f"num_questions is too large: the templates gave {len(drafts)} distinct questions; use fewer"
            )
        kind = kinds[turn % len(kinds)]
        level = rng.choice(LEVELS)
        for _ in range(60):
            problem = kind.make(rng, level)
            if novelty.admits(problem.kind, problem.question):
                source = choose_source(rng, problem, kind.cot_type, kind.subject)
                drafts.append(_Draft(problem, level, source, kind.cot_type))
                turn += 1
                break
        else:
            kinds.remove(kind)
    return drafts


def _plant_formatting(rng: random.Random, drafts: list[_Draft]) -> list[_Draft]:
    """Put formatting defects into the first drafts that suit; the others come back as they were."""
    wanted = [f"formatting.{rule}" for rule in ("asy", "image_reference", "part_number", "bold_digits")]
    codes = [code for code in wanted for _ in range(NUM_PER_FORMATTING_RULE)] + ["kept.bold_with_blank"] * NUM_KEPT
    kept_aime, planted = 0, []
    for draft in drafts:
        code = ""
        if draft.source == AIME:
            if kept_aime < NUM_KEPT:
                kept_aime, code = kept_aime + 1, "kept.asy_aime"
        elif codes:
            code = codes.pop()
        if code:
            rule = "asy" if code == "kept.asy_aime" else code.split(".")[1]
            problem = defects.with_formatting(rng, draft.problem, rule)
            draft = _Draft(problem, draft.level, draft.source, draft.cot_type, code)
        planted.append(draft)
    return planted


def _contaminated(
    rng: random.Random, scenarios: list[Problem], shorts: list[Problem], lines: list[Problem]
) -> list[_Draft]:
    chosen = [("decontamination.ngram", defects.borrowing(rng, p)) for p in rng.sample(scenarios, NUM_BORROWED)]
    chosen += [("decontamination.short", defects.respelled(rng, p)) for p in rng.sample(shorts, NUM_RESPELLED)]
    chosen += [("decontamination.short", defects.respelled(rng, p)) for p in rng.sample(lines, NUM_LINES)]
    return [_Draft(problem, 2, choose_source(rng, problem, "math", ""), "math", code) for code, problem in chosen]


def _choose_long(drafts: list[_Draft]) -> set[str]:
    """Questions of the MATH source whose traces shall be longer than 5,600 tokens, and right."""
    able = [
        draft.problem.question
        for draft in drafts
        if not draft.code
        and draft.source.startswith(MATH)
        and draft.level >= 4
        and len(draft.problem.steps) + len(draft.problem.check_steps) >= MIN_STEPS_FOR_LONG
    ]
    return set(able[:NUM_LONG_MATH])


def _with_copies(
    rng: random.Random, rows: list[Row], drafts: dict[str, _Draft], planted: dict[str, list[str]]
) -> list[Row]:
    """Add exact and near duplicates, each after its original, and take annotations away."""
    carriers = {hash_ for hashes in planted.values() for hash_ in hashes}
    clean = [i for i, row in enumerate(rows) if question_hash(row["question"]) not in carriers]
    rng.shuffle(clean)
    rows = list(rows)
    copies: list[tuple[int, Row]] = []  # (index of the original, later row)

    def carry(code: str, row: Row) -> None:
        planted.setdefault(code, []).append(question_hash(row["question"]))

    for annotation in defects.ANNOTATIONS:
        for _ in range(NUM_MISSING):
            i = clean.pop()
            rows[i] = without(rows[i], annotation)
            carry("annotation.missing", rows[i])
    # a length alone is no annotation that a later row can bring, it comes with its trace
    brought = [
        annotation for annotation in defects.ANNOTATIONS if annotation not in ("isgeminicorrect", "gemini_length")
    ]
    for annotation in [*brought, *[""] * NUM_PLAIN_DUPLICATES]:
        i = clean.pop()
        copies.append((i, rows[i]))
        if annotation:
            rows[i] = without(rows[i], annotation)
        carry("pool.duplicate", rows[i])
    near = 0
    while near < NUM_NEAR:
        i = clean.pop()
        changed = defects.near_duplicate(rng, rows[i]["question"])
        if changed is None:
            continue
        draft = drafts[rows[i]["question"]]
        copy = make_row(rng, draft.problem, draft.level, source=draft.source, cot_type=draft.cot_type)
        copy["question"] = changed
        copies.append((i, copy))
        carry("kept.near_original", rows[i])
        carry("deduplication.near", copy)
        near += 1
    order = [(float(i), row) for i, row in enumerate(rows)]
    order += [(i + rng.random() * (len(rows) - i), row) for i, row in copies]
    order.sort(key=lambda item: item[0])
    return [row for _, row in order]


def make_demo(seed: int = 0, num_questions: int = 2400) -> DemoPool:
    """Make the pool, its benchmark, and the list of planted defects; a seed gives the same texts everywhere.

    Args:
        num_questions: rows in all, copies included.

    Raises:
        ValueError: fewer rows than the planted defects and clean rows need, or more than the templates give.
    """
    if num_questions < MIN_QUESTIONS:
        raise ValueError(
            f"num_questions={num_questions} leaves no room for the planted defects; use {MIN_QUESTIONS} or more"
        )
    rng = random.Random(seed)  # noqa: S311
    scenarios, shorts, embeddings, lines = make_benchmark(rng)
    benchmark = [*scenarios, *shorts, *embeddings]
    borrowed = _contaminated(rng, scenarios, shorts, lines)
    num_copies = NUM_NEAR + NUM_PLAIN_DUPLICATES + len(defects.ANNOTATIONS) - 2
    novelty = Novelty(problem.question for problem in benchmark)
    drafts = _draw_drafts(rng, num_questions - len(borrowed) - num_copies, novelty)
    drafts = _plant_formatting(rng, drafts) + borrowed
    rng.shuffle(drafts)
    long = _choose_long(drafts)
    rows, planted = [], dict[str, list[str]]()
    for draft in drafts:
        words = LONG_MATH_WORDS if draft.problem.question in long else 0
        row = make_row(
            rng,
            draft.problem,
            draft.level,
            source=draft.source,
            cot_type=draft.cot_type,
            min_trace_words=words,
        )
        rows.append(row)
        if draft.code:
            planted.setdefault(draft.code, []).append(question_hash(row["question"]))
    rows = _with_copies(rng, rows, {draft.problem.question: draft for draft in drafts}, planted)
    problems = [
        {"id": f"demo-{i:03d}", "problem": problem.question, "answer": problem.answer}
        for i, problem in enumerate(benchmark, 1)
    ]
    return DemoPool(rows, problems, dict(sorted(planted.items())))


def _write_lines(path: Path, records: Iterable[dict[str, object]]) -> Path:
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_bytes(text.encode())  # bytes, so that line ends are \n on every system
    return path


def write_demo(folder: Path, seed: int = 0, num_questions: int = 2400) -> DemoFiles:
    """Write pool.jsonl, benchmark.jsonl and planted.json into `folder`, which is made if it is missing."""
    demo = make_demo(seed, num_questions)
    folder.mkdir(parents=True, exist_ok=True)
    planted = folder / "planted.json"
    planted.write_bytes((json.dumps(demo.planted, ensure_ascii=False, indent=2) + "\n").encode())
    return DemoFiles(
        pool=_write_lines(folder / "pool.jsonl", demo.rows),
        benchmark=_write_lines(folder / "benchmark.jsonl", ({**problem} for problem in demo.benchmark)),
        planted=planted,
    )
