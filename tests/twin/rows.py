"""Rows made for the twin's tests."""

from typing import Any

from . import slow_recipe as twin

NUMINA = "AI-MO/NuminaMath-CoT/olympiads"
MATH = "qfq/openaimath/Algebra"
AIME = "qq8933/AIME_1983_2024"
GPQA = "Idavidrein/gpqa"


def make_row(question: str, **values: Any) -> twin.Row:
    """A row with every annotation, hard, with a wrong trace: nothing takes it whole, nothing drops it."""
    return {
        "question": question,
        "source_type": NUMINA,
        "thinking_trajectories": ["Let me think."],
        "attempt": "Answer: 7",
        "isqwen7bcorrect": False,
        "isqwen32bcorrect": False,
        "isgeminicorrect": False,
        "domain": "05",
        "gemini_length": 100,
        **values,
    }


def name_questions(result: dict[str, Any], rows: list[twin.Row]) -> list[str]:
    """The selected questions by their text, in the selection's order."""
    text = {twin.question_hash(row["question"]): row["question"] for row in rows}
    return [text[hash_] for hash_ in result["hashes"]]


def make_picks(num_rows: int, source: str, domain: str, tokens: int = 10) -> list[twin.Row]:
    """Rows that are taken whole."""
    values = {"source_type": source, "domain": domain, "isgeminicorrect": True, "gemini_length": tokens}
    return [make_row(f"{source} {i}", **values) for i in range(num_rows)]


def make_counted(source: str, **domains: int) -> list[twin.Row]:
    return [
        make_row(f"{source} {code} {i}", source_type=source, domain=code[1:])
        for code, num_rows in domains.items()
        for i in range(num_rows)
    ]
