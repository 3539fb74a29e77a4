"""One pool row in s1's own column names."""

import json
import random
from typing import Any

from curation.demo.arithmetic import slip
from curation.demo.attempts import draw_outcomes, is_right, large_attempt, small_attempt
from curation.demo.problem import Problem
from curation.demo.traces import final_attempt, solution_text, word_budget, write_trace

Row = dict[str, Any]

MADE_BY = "s1web demo generator"
TOKENS_PER_TEN_WORDS = 14  # English reasoning has about 1.4 tokens a word


def estimated_tokens(text: str) -> int:
    """Words times 1.4, rounded; stands for a tokenizer's count."""
    return (len(text.split()) * TOKENS_PER_TEN_WORDS + 5) // 10


def make_row(
    rng: random.Random, problem: Problem, level: int, *, source: str, cot_type: str, min_trace_words: int = 0
) -> Row:
    """Draw who solves `problem`, write their texts and grade them.

    Args:
        min_trace_words: when positive, neither model solves the problem, and the trace does in so many words
            or more.
    """
    small, large, trace_right = (False, False, True) if min_trace_words else draw_outcomes(rng, level)
    answer = problem.answer if trace_right else slip(rng, problem.answer)
    thinking = write_trace(rng, problem, answer, min_trace_words or word_budget(rng, level))
    attempt = final_attempt(rng, problem, answer)
    small_text, large_text = small_attempt(rng, problem, small), large_attempt(rng, problem, large)
    metadata = {
        "made_by": MADE_BY,
        "kind": problem.kind,
        "steps": len(problem.steps),
        "answer": problem.answer,
    }
    return {
        "question": problem.question,
        "solution": solution_text(problem),
        "cot_type": cot_type,
        "source_type": source,
        "metadata": json.dumps(metadata, ensure_ascii=False),
        "thinking_trajectories": [thinking],
        "attempt": attempt,
        "isqwen7bcorrect": is_right(small_text, problem),
        "isqwen32bcorrect": is_right(large_text, problem),
        "isgeminicorrect": is_right(attempt, problem),
        "domain": problem.domain,
        "gemini_length": estimated_tokens(thinking),
        "qwen7b_attempt": small_text,
        "qwen32b_attempt": large_text,
    }


def without(row: Row, annotation: str) -> Row:
    """The row as an API error leaves it: `annotation` is a column, or `trace` for the whole trace."""
    if annotation == "trace":
        empty: Row = {
            "thinking_trajectories": [],
            "attempt": None,
            "isgeminicorrect": None,
            "gemini_length": None,
        }
        return {**row, **empty}
    return {**row, annotation: None}
