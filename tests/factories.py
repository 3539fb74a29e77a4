"""Records, columns and invented pools for the tests of the recipe; rows of jobs and workers."""

import random
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from curation.decontamination import RULES, EvaluationIndex, contamination_rule
from curation.hashing import question_hash
from curation.quality import formatting_flags
from curation.records import ColumnsBuilder, PoolColumns, Question

from .twin import slow_recipe as twin

if TYPE_CHECKING:
    from s1web.jobs.models import Job, WorkerPresence

NUMINA = "AI-MO/NuminaMath-CoT/olympiads"
MATH = "qfq/openaimath/Algebra"
AIME = "qq8933/AIME_1983_2024"
GPQA = "Idavidrein/gpqa"
# one source_type of each of s1's sources, and two that are none; no other than AIME's holds "aime"
SOURCE_TYPES = (
    NUMINA,
    MATH,
    AIME,
    GPQA,
    "GAIR/OlympicArena/Math",
    "KbsdJames/Omni-MATH",
    "baber/agieval/aqua_rat",
    "0xharib/xword1",
    "Hothan/OlympiadBench/Open-ended/Physics",
    "TIGER-Lab/TheoremQA/float",
    "USACO",
    "daman1209arora/jeebench/chem",
    "OpenDFM/SciEval/physics/filling",
    "simplescaling/s1-prob",
    "LiveCodeBench/release_v2",
    "qfq/quant",
    "someone/own-problems",
    "",
)
EVALUATION_QUESTIONS = (
    "A ferry leaves the quay at dawn and meets the second ferry after nine hours of steady sailing",
    "Find the number of ways to seat five clerks around a table with two broken chairs",
    "What is the dipole moment of this ring",
    "Evaluate the sum",
)
_WORDS = ["ring", "wheel", "prime", "angle", "coin", "digit", "graph", "field", "chord", "spring", "matrix", "ratio"]
_places = count(1)
_DECORATIONS = ("[asy]", "![Image]", "p7.", "p120.", "**x2**", "**bold** 7", "p0.", "p1000.", "**3 x**", "[asy] p3.")


def make_question(name: str, **values: Any) -> Question:
    """A question with every annotation, hard, with a wrong trace: nothing takes it whole, nothing drops it."""
    defaults: dict[str, Any] = {
        "source": NUMINA,
        "small_grade": False,
        "large_grade": False,
        "trace_grade": False,
        "domain": "05",
        "trace_tokens": 100,
    }
    return Question(question_hash(name), **(defaults | values))


def make_columns(questions: Sequence[Question], num_rows: int | None = None) -> PoolColumns:
    builder = ColumnsBuilder(RULES)
    builder.add(questions)
    return builder.build(num_rows)


def make_rows(
    rng: random.Random,
    num_rows: int,
    *,
    repeated: float = 0.08,
    contaminated: float = 0.1,
    decorated: float = 0.2,
    missing: float = 0.04,
    solved: float = 0.25,
    longest: int = 9_000,
) -> list[twin.Row]:
    """Invented rows with s1's column names; the other arguments are shares of rows (`missing`: of values)."""
    rows: list[twin.Row] = []
    for place in range(num_rows):
        text = _question_text(rng, place, contaminated, decorated)
        if rows and rng.random() < repeated:
            text = rng.choice(rows)["question"]
        thinking: Any = ["Let me think."] if rng.random() >= missing else rng.choice([None, [], [""]])
        values: dict[str, Any] = {
            "isqwen7bcorrect": rng.random() < solved,
            "isqwen32bcorrect": rng.random() < solved,
            "isgeminicorrect": rng.random() < 0.5,
            # few lengths, so that ties are many
            "gemini_length": rng.choice([0, 100, 5_600, 5_601, rng.randrange(longest)]),
            "domain": rng.choice(["03", "05", "11", "11", "51", "60", "81", "98", "Law"]),
        }
        for column in values:
            if rng.random() < missing:
                values[column] = "" if column == "domain" and rng.random() < 0.5 else None
        row = {"question": text, "source_type": rng.choice(SOURCE_TYPES), "thinking_trajectories": thinking}
        rows.append(row | {"attempt": rng.choice(["7", "", None])} | values)
    return rows


def _question_text(rng: random.Random, place: int, contaminated: float, decorated: float) -> str:
    words = [str(place), *rng.choices(_WORDS, k=rng.randrange(1, 12))]
    if rng.random() < contaminated:
        other = rng.choice(EVALUATION_QUESTIONS).split()
        start = rng.randrange(len(other))
        shared = other[start : start + rng.randrange(2, 12)]
        words = shared if rng.random() < 0.5 else [*words, *shared]
    if rng.random() < decorated:
        words.insert(rng.randrange(len(words) + 1), rng.choice(_DECORATIONS))
    return rng.choice([" ", "\n", "\u00a0"]).join(words)


def to_questions(rows: Sequence[twin.Row], evaluation_questions: Sequence[str]) -> list[Question]:
    """The rows merged (by the slow twin: merging is not the pure core's) and annotated by the recipe's own code."""
    merged = twin.merge_pool(rows)
    overlaps: dict[int, list[Any]] = {}
    for overlap in EvaluationIndex(evaluation_questions).find([row["question"] for row in merged]):
        overlaps.setdefault(overlap.question, []).append(overlap)
    return [
        Question(
            question_hash=row["question_hash"],
            source=row["source_type"],
            small_grade=row["isqwen7bcorrect"],
            large_grade=row["isqwen32bcorrect"],
            trace_grade=row["isgeminicorrect"],
            domain=row["domain"] or "",
            trace_tokens=row["gemini_length"],
            flags=formatting_flags(row["question"]),
            contamination=contamination_rule(overlaps.get(place, [])),
        )
        for place, row in enumerate(merged)
    ]


def to_columns(
    rows: Sequence[twin.Row], evaluation_questions: Sequence[str], *, shuffle: random.Random | None = None
) -> PoolColumns:
    """The pool as the recipe sees it; `shuffle` puts the questions into another order and other batches."""
    questions = to_questions(rows, evaluation_questions)
    if shuffle is not None:
        shuffle.shuffle(questions)
    builder = ColumnsBuilder(RULES)
    cut = shuffle.randrange(len(questions) + 1) if shuffle is not None else 0
    for batch in (questions[:cut], questions[cut:]):
        builder.add(batch)
    return builder.build(num_rows=len(rows))


def make_job(state: str = "queued", **values: Any) -> "Job":
    """A row of a trial job, in whatever state; each comes behind those before it. Nobody is told of it."""
    from s1web.jobs.models import Job

    held = {"claim": "token", "worker": "cpu@here", "num_starts": 1} if state == "running" else {}
    defaults = {
        "kind": "trial_cpu",
        "queue": "cpu",
        "place": next(_places),
        "title": "Trial",
        "params": {"seconds": 1},
    }
    return Job.objects.create(**(defaults | held | {"state": state} | values))


def make_presence(name: str = "cpu@here", **values: Any) -> "WorkerPresence":
    """A worker that was heard of just now."""
    from django.utils import timezone

    from s1web.jobs.models import WorkerPresence

    now = timezone.now()
    defaults = {"host": "here", "pid": 1, "queues": ["cpu"], "slots": 2, "started_at": now, "seen_at": now}
    return WorkerPresence.objects.create(name=name, **(defaults | values))
