"""Defects, as they are planted into questions and rows."""

import random
import re
from dataclasses import replace

from curation.demo.guards import ngrams, similarity
from curation.demo.problem import Problem, Step
from curation.demo.wording import FIND

ANNOTATIONS = ("isqwen7bcorrect", "isqwen32bcorrect", "isgeminicorrect", "domain", "gemini_length", "trace")
MIN_WORDS_FOR_A_CHANGED_WORD = 70  # one changed word touches up to 5 of the 5-grams, which must stay a small share
NEAR_SIMILARITY = 0.85

ASY = "\n[asy]\ndraw((0,0)--({a},0)--({a},{b})--cycle);\n[/asy]"
IMAGE = "\n![Image](figure_{a}.png)"
BOLD = ("**{a}.** ", "**Exercise-{a}** ", "**Task{a}:** ", "**({a})** ")


def with_formatting(rng: random.Random, problem: Problem, rule: str) -> Problem:
    """The problem with a formatting defect in its question; `rule` is the code after `formatting.`."""
    a, b = rng.randint(3, 12), rng.randint(3, 12)
    question = problem.question
    if rule == "asy":
        question += ASY.format(a=a, b=b)
    elif rule == "image_reference":
        question += IMAGE.format(a=a)
    elif rule == "part_number":
        question = f"p{a}. {question}"
    elif rule == "bold_digits":
        question = rng.choice(BOLD).format(a=a) + question
    elif rule == "bold_with_blank":  # the rule's pattern holds no blank, so this stays in
        question = f"**Problem {a}** {question}"
    else:
        raise ValueError(
            f"rule={rule!r} is no formatting defect; use asy, image_reference, part_number or bold_digits"
        )
    return replace(problem, question=question)


def borrowing(rng: random.Random, problem: Problem) -> Problem:
    """A pool problem that holds a benchmark problem inside another wording and asks for something more."""
    factor, shift = rng.randint(2, 9), rng.randint(3, 90)
    body = problem.question
    style = rng.randrange(3)
    if style == 1:
        body = body.upper()
    elif style == 2:
        body = body.replace(" ", "  ", 6).replace(", ", ",\n", 1)
    lead = rng.choice(
        (
            "Here is a puzzle from an old notebook.",
            "Consider the following.",
            "Solve this in two stages.",
            "The first part is well known.",
        )
    )
    ask = rng.choice(
        (
            f"Multiply the result by {factor} and add {shift}. Which number do you get?",
            f"Let $R$ be the number found. Then find ${factor}R + {shift}$.",
            f"State {factor} times that number, increased by {shift}.",
        )
    )
    answer = str(factor * int(problem.answer) + shift)
    last = Step("the number asked for in the end", f"{factor} · {problem.answer} + {shift}", answer)
    steps = (*problem.steps, last)
    return replace(
        problem,
        question=f"{lead} {body} {ask}",
        target=f"{factor} times {problem.target}, plus {shift}",
        steps=steps,
        check_steps=steps,
        answer=answer,
    )


def respelled(rng: random.Random, problem: Problem) -> Problem:
    """A short benchmark problem as the pool may hold it: as it is, in capitals or with other blanks."""
    question = rng.choice((problem.question, problem.question.upper(), problem.question.replace(" ", "  ")))
    return replace(problem, question=question)


def _in_other_spacing(rng: random.Random, question: str) -> str:
    words = question.split(" ")
    for _ in range(3):
        i = rng.randrange(len(words) - 1)
        words[i] += " " if rng.random() < 0.5 else "\n"
    text = " ".join(words)
    return text.rstrip(".?") if rng.random() < 0.5 else text + " "


def _with_another_verb(question: str) -> str:
    pattern = re.compile(rf"\b(?:{'|'.join(FIND)}|{'|'.join(verb.lower() for verb in FIND)})\b")
    found = pattern.search(question)
    if found is None:
        return question
    verb = "Evaluate" if found[0][0].isupper() else "evaluate"
    return question[: found.start()] + verb + question[found.end() :]


def near_duplicate(rng: random.Random, question: str) -> str | None:
    """The question with a verb, or blanks and the closing mark, changed; None where that does not suit it.

    Either way at least 85% of the 5-grams of words stay.
    """
    changed = _in_other_spacing(rng, question)
    if len(question.split()) >= MIN_WORDS_FOR_A_CHANGED_WORD and rng.random() < 0.7:
        changed = _with_another_verb(question)
    one, other = ({" ".join(gram) for gram in ngrams(text, 5)} for text in (question, changed))
    return changed if changed != question and similarity(one, other) >= NEAR_SIMILARITY else None
