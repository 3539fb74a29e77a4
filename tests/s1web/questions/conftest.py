"""A question with everything: traces, attempts, grades, evidence, runs."""

from pathlib import Path
from typing import Any

import pytest

from curation.hashing import question_hash
from s1web.pool.contamination import check_contamination
from s1web.pool.models import Attempt, Grade, Question
from tests.s1web.jobs.conftest import make_user, signed_in
from tests.s1web.pools import load_problems, load_rows

__all__ = ["make_user", "signed_in"]

FERRY = "A ferry leaves the quay at dawn and meets the second ferry after nine hours of steady sailing"
CLERKS = "Find the number of ways to seat five clerks around a table with two broken chairs"
TEXT = f"Solve  this: {FERRY.upper()}. **b7** And {CLERKS}"


def full_row(text: str = TEXT, **values: Any) -> dict[str, Any]:
    """A row of a pool file with every column that the page shows."""
    thinking = "First we look at $x^2$.\n\nWait, that is not it.\n\nSo it is \\(7\\)."
    return {
        "question": text,
        "solution": "The answer is $\\frac{1}{2}$.",
        "answer": "1/2",
        "source_type": "AI-MO/NuminaMath-CoT/olympiads",
        "cot_type": "math",
        "domain": "11",
        "metadata": '{"year": 2020}',
        "thinking_trajectories": [thinking],
        "attempt": "So the answer is $7$.",
        "gemini_length": 4321,
        "isqwen7bcorrect": False,
        "isqwen32bcorrect": None,
        "isgeminicorrect": True,
        "qwen7b_attempt": "I think that it is 8.",
    } | values


@pytest.fixture
def question(db: None, tmp_path: Path) -> Question:
    """TEXT with a trace, an attempt, a judge's words and two pieces of evidence."""
    load_rows(tmp_path, [full_row()])
    load_problems(tmp_path, {"p0": FERRY, "p1": CLERKS})
    check_contamination()
    found = Question.objects.get(question_hash=question_hash(TEXT))
    attempt = Attempt.objects.get()
    Grade.objects.filter(attempt=attempt).delete()
    Grade.objects.create(
        question=found,
        attempt=attempt,
        value=False,
        model=attempt.model,
        judge="judge-9",
        prompt_version="grade-1",
        raw_reply="Eight is not seven.\nNo",
    )
    return found
