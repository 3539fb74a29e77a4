"""Reasoning traces and final answers, told from a problem's steps."""

import math
import random

from curation.demo.arithmetic import by_hand, by_remainder, by_size, slip
from curation.demo.problem import Problem, Step

OPENINGS = (
    "Okay, so I have to find {target}.",
    "Let me see what is asked: {target}.",
    "I am to find {target}. Let me go slowly.",
    "So the question wants {target}. Let me sort out what is given first.",
    "Alright. The goal is {target}.",
    "First I read the problem again. It asks for {target}.",
)
STEP_LINES = (
    "Now {goal}: {equation}.",
    "Next comes {goal}. I get {equation}.",
    "For {goal} I compute {equation}.",
    "{goal_capital} is {equation}.",
    "Then {goal}, which is {equation}.",
    "Let me do {goal}: {equation}.",
    "So {goal} comes out as {equation}.",
)
RETRACTIONS = (
    "Wait, that does not look right. Let me redo it: {equation}.",
    "Hmm, wait. I slipped there. Once more, {equation}.",
    "Wait, no. Carefully: {equation}. Good that I looked again.",
    "Hold on, this is off. Again: {equation}. Yes, {value} it is.",
    "Wait, let me check that. {equation}. So it was wrong, and {value} is right.",
)
DOUBTS = (
    "Wait. {doubt} {reply}",
    "One thing to be careful about: {doubt} {reply}",
    "Hmm, {doubt_small} {reply} So that is settled.",
    "Let me pause for a moment. {doubt} {reply}",
)
CHECK_OPENINGS = (
    "Let me check this by another route. {idea}",
    "I do not want to trust one computation only. {idea}",
    "Is there an independent way to see it? {idea} Let me try.",
    "Before I answer, a second look. {idea}",
)
REVIEW_OPENINGS = (
    "Let me go through the numbers again, this time in smaller pieces.",
    "I want to be sure about the arithmetic, so here it is once more by hand.",
    "Wait, let me recheck all lines from the top.",
    "There were several places to slip. I go back over them.",
    "Let me read my lines again as if somebody else had written them.",
    "Alternatively I could have made a mistake early on that runs through everything. Back to the start.",
)
REVIEW_LINES = (
    "{goal_capital}: {detail}. That agrees with {value}.",
    "About {goal}: {detail}. Fine, {value}.",
    "{goal_capital} again. {detail_capital}. So {value} stands.",
    "{goal_capital}, done anew: {detail}. Still {value}.",
)
REREADINGS = (
    "I read {equation} once more and it holds",
    "I do {equation} a second time, with the same result",
    "{equation}, and nothing in it changes on a second look",
)
AGREEMENTS = (
    "It agrees: {answer}.",
    "The same value, {answer}. Good.",
    "Both routes give {answer}, so I am fairly sure now.",
    "That matches {answer}.",
)
ENDINGS = (
    "So the answer is {answer}.",
    "I am confident: the answer is {answer}.",
    "Therefore the answer is {answer}.",
    "Everything fits, and the final answer is {answer}.",
)
EXPLANATIONS = (
    "{plan} This leads to {goal}, which is {value}.",
    "{plan} The last step, {goal}, gives {value}.",
    "{plan} Carrying this out, {goal} is {value}.",
)


def capital(text: str) -> str:
    """Start with a capital, unless the first word is a formula such as f(3) or a_2."""
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].isalpha() else text


def equation(step: Step, value: str | None = None) -> str:
    """`work = value`, or the value alone where nothing was worked out."""
    value = step.value if value is None else value
    if step.work == value:
        return value
    return f"{step.work} {value}" if step.work.endswith("becomes") else f"{step.work} = {value}"


def solution_text(problem: Problem) -> str:
    """The reference solution: the plan, each step, the answer in a box."""
    lines = [problem.plan, *[f"{capital(step.goal)}: {equation(step)}." for step in problem.steps]]
    return "\n".join([*lines, f"The answer is \\boxed{{{problem.answer}}}."])


def final_attempt(rng: random.Random, problem: Problem, answer: str) -> str:
    """The trace author's closing answer: one sentence of explanation and the box."""
    text = rng.choice(EXPLANATIONS).format(plan=problem.plan, goal=problem.steps[-1].goal, value=answer)
    return f"{text}\n\nThe final answer is $\\boxed{{{answer}}}$."


def word_budget(rng: random.Random, level: int) -> int:
    """Words that a trace of this level aims at, with a heavy tail: one in thirty is six times the least."""
    tail = 1 / math.sqrt(1 - rng.random())  # a square root rounds alike on every machine, a power may not
    return min(int((90 + 85 * level) * tail), 7000)


def _told(rng: random.Random, step: Step, value: str | None = None) -> str:
    return rng.choice(STEP_LINES).format(
        goal=step.goal, goal_capital=capital(step.goal), equation=equation(step, value)
    )


def _step_with_turns(rng: random.Random, step: Step) -> str:
    if step.work != step.value and rng.random() < 0.13:
        wrong = slip(rng, step.value)
        corrected = rng.choice(RETRACTIONS).format(equation=equation(step), value=step.value)
        return f"{_told(rng, step, wrong)} {capital(corrected)}"
    text = _told(rng, step)
    detail = by_hand(rng, step) if rng.random() < 0.2 else ""
    return f"{text} In detail: {detail}." if detail else text


def _reviewed(rng: random.Random, step: Step) -> str:
    detail = by_size(rng, step) or rng.choice((by_hand, by_remainder))(rng, step)
    if not detail:
        detail = rng.choice(REREADINGS).format(equation=equation(step))
    return rng.choice(REVIEW_LINES).format(
        goal=step.goal,
        goal_capital=capital(step.goal),
        detail=detail,
        detail_capital=capital(detail),
        value=step.value,
    )


def _doubt(rng: random.Random, doubt: str, reply: str) -> str:
    return rng.choice(DOUBTS).format(doubt=doubt, doubt_small=doubt[:1].lower() + doubt[1:], reply=reply)


def write_trace(rng: random.Random, problem: Problem, answer: str, num_words: int) -> str:
    """Think through `problem` in paragraphs parted by blank lines, up to a conclusion of `answer`.

    Args:
        answer: the problem's own answer, or a wrong one: then the last step slips, nobody notices, and no
            second route is taken.
        num_words: the trace goes on with reviews until it has about this many; the bare working is never cut.
    """
    right = answer == problem.answer
    paragraphs = [rng.choice(OPENINGS).format(target=problem.target), problem.plan]
    doubts = [pair for pair in problem.doubts if right or problem.answer not in pair[1]]
    rng.shuffle(doubts)
    steps = problem.steps if right else problem.steps[:-1]
    pause = rng.randrange(len(steps)) if steps else 0
    for i, step in enumerate(steps):
        paragraphs.append(_step_with_turns(rng, step))
        if i == pause and doubts and num_words > 150:
            paragraphs.append(_doubt(rng, *doubts.pop()))
    if not right:
        paragraphs.append(_told(rng, problem.steps[-1], answer))
    written = sum(len(text.split()) for text in paragraphs)
    first_review = True
    while written < num_words:
        block = []
        if right and first_review:
            block.append(rng.choice(CHECK_OPENINGS).format(idea=problem.check_idea))
            block += [_told(rng, step) for step in problem.check_steps]
            block.append(rng.choice(AGREEMENTS).format(answer=answer))
        else:
            block.append(rng.choice(REVIEW_OPENINGS))
            # a long trace reviews the other route too, every other time
            lines = problem.check_steps if right and rng.random() < 0.5 else steps
            block += [_reviewed(rng, step) for step in lines]
            if not right:
                block.append(f"The last line I have done already: {equation(problem.steps[-1], answer)}.")
        if doubts:
            block.insert(rng.randint(1, len(block)), _doubt(rng, *doubts.pop()))
        for text in block:
            paragraphs.append(text)
            written += len(text.split())
            if written > num_words + 200 and text is not block[-1]:
                paragraphs.append("The rest is the same as before, so I stop the check here.")
                break
        first_review = False
    paragraphs.append(rng.choice(ENDINGS).format(answer=answer))
    return "\n\n".join(paragraphs)
