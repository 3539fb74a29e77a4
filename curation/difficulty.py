"""Which questions are too easy to learn from (s1 §2.2, step difficulty)."""

import numpy as np

from curation.records import CORRECT, PoolColumns

# the two models whose attempts measure difficulty in s1; `small` and `large` in recipes
SMALL_MODEL = "Qwen/Qwen2.5-7B-Instruct"
LARGE_MODEL = "Qwen/Qwen2.5-32B-Instruct"


def solved(columns: PoolColumns, drop_solved_by: tuple[str, ...]) -> np.ndarray:
    """Questions that one of the named models got right; not graded is not solved.

    Returns:
        shape (num_questions,), bool.
    """
    out = np.zeros(len(columns), dtype=bool)
    grades = {"small": columns.small_grade, "large": columns.large_grade}
    for model in drop_solved_by:
        out |= grades[model] == CORRECT
    return out
