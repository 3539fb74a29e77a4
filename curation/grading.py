"""The judge's prompt for an attempt, and its reply as a grade (s1 §2.2, step difficulty)."""

from importlib import resources

# part of the key of a stored grade: bump when the prompt's text changes
GRADE_PROMPT_VERSION = "grade-1"


def grade_prompt(question: str, attempt: str, solution: str) -> str:
    """What the judge reads: question, attempt and reference solution, with the order to end on Yes or No.

    Raises:
        ValueError: there is no reference solution, so there is nothing to grade against (grade: None).
    """
    if not solution.strip():
        raise ValueError("no reference solution: an attempt cannot be graded without one")
    template = (resources.files("curation") / "prompts" / "grade.txt").read_text(encoding="utf-8")
    # one pass over the template, so that braces or placeholders inside a text stay text
    parts = {"question": question, "attempt": attempt, "solution": solution}
    pieces = template.split("$$")
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def parse_grade(reply: str) -> bool | None:
    """Read the judge's last line: Yes is True, No is False, anything else None (not graded, never wrong)."""
    last_line = reply.rstrip().rpartition("\n")[2].strip()
    return {"Yes": True, "No": False}.get(last_line)
