"""A trial's outcome as a line of JSON: every sample with ids and events, the answers, their grades, the account."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from inference.equivalence import Grade, Item
from inference.forcing_events import CapHit, event_to_json
from inference.methods.base import Candidate, Outcome, Paid


def items_of(outcome: Outcome) -> list[Item]:
    """What is to be graded: each answer that the method found."""
    problem = outcome.trial.problem
    return [
        Item(candidate.extraction.answer, problem.answer, problem.text, problem.choices)
        for candidate in outcome.candidates
    ]


def row_of(outcome: Outcome, grades: Sequence[Grade], *, seconds: float) -> dict[str, Any]:
    """The line.

    Args:
        grades: of the outcome's candidates.
        seconds: from when the trial was begun until its outcome was there, beside whatever else ran.

    Returns:
        Ids are numbers of the model's tokenizer; `thinking_tokens` and `answer_tokens` are of all samples together;
        `grade` is of the final answer: `no_answer` where the method ended without one, null with an error.
    """
    trial = outcome.trial
    samples = [_sample_row(paid) for paid in outcome.samples]
    return {
        "key": trial.key,
        "problem": trial.problem.key,
        "repeat": trial.repeat,
        "reference": trial.problem.answer,
        "choices": list(trial.problem.choices),
        "prompt_sha256": outcome.prompt.sha256,
        "grade": _final_grade(outcome, grades),
        "thinking_tokens": outcome.account.thinking_tokens,
        "answer_tokens": outcome.account.answer_tokens,
        "hit_cap": any(is_cut(sample["events"]) for sample in samples),
        "account": asdict(outcome.account),
        "candidates": [
            _candidate_row(candidate, grade) for candidate, grade in zip(outcome.candidates, grades, strict=True)
        ],
        "chosen": outcome.chosen,
        "samples": samples,
        "notes": dict(outcome.notes),
        "seconds": round(seconds, 3),
        "error": outcome.error,
    }


def is_cut(events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether thinking was ended by force."""
    return any(event["kind"] == CapHit.kind and event["is_cut"] for event in events)


def _final_grade(outcome: Outcome, grades: Sequence[Grade]) -> dict[str, Any] | None:
    if outcome.error is not None:
        return None
    if outcome.chosen is None:
        return {"is_right": False, "rule": "no_answer"}
    return asdict(grades[outcome.chosen])


def _candidate_row(candidate: Candidate, grade: Grade) -> dict[str, Any]:
    extraction = candidate.extraction
    return {
        "samples": list(candidate.samples),
        "text": candidate.text,
        "answer": extraction.answer,
        "rule": extraction.rule,
        "start": extraction.start,
        "end": extraction.end,
        "grade": asdict(grade),
        "reward": candidate.reward,
        "group": candidate.group,
    }


def _sample_row(paid: Paid) -> dict[str, Any]:
    sample = paid.sample
    return {
        "part": paid.part,
        "parent": paid.parent,
        "prompt_tokens": sample.prompt_tokens,
        "seed": paid.request.sampling.seed,
        "temperature": paid.request.sampling.temperature,
        "ids": list(sample.ids),
        "events": [event_to_json(event) for event in sample.events],
        "put_back": list(paid.put_back),
        "finish_reason": sample.finish_reason,
        "thinking_tokens": paid.account.thinking_tokens,
        "answer_tokens": paid.account.answer_tokens,
        "sampled_tokens": sample.sampled_tokens,
        "reward": paid.reward,
        "error": sample.error,
    }
