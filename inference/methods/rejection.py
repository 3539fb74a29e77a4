"""Rejection sampling: draw traces until one fits the budget (s1 §4.2, §6.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from inference.forcing_plan import ANSWER_RESERVE, BudgetForcing
from inference.methods.base import Book, Ending, Setting, Steps, Trial, Work
from inference.methods.options import check_above_zero, check_choice, check_count
from inference.methods.parts import Parts, make_parts, room_to_think, stopped_by

AtLimit = Literal["no_answer", "cut"]


@dataclass(frozen=True, slots=True)
class RejectionSampling:
    """Traces are drawn one after the other until one ends by itself within the cap, and that one is answered.

    A trace is stopped as soon as it cannot fit any more, so that a rejected one costs the cap and no answer.

    Attributes:
        max_thinking_tokens: what a trace has to fit.
        max_attempts: traces at most. The paper draws until one fits, however many that takes.
        at_limit: what happens where none fits: "no_answer", as no answer comes out of the paper's method either, or
            "cut": thinking of the last trace is ended by force and answered.
        temperature: of the traces, above 0: greedy traces are all the same.
        answer_reserve, max_answer_tokens: as in BudgetForcing.
    """

    name: ClassVar[str] = "rejection_sampling"
    max_thinking_tokens: int
    max_attempts: int = 64
    at_limit: AtLimit = "no_answer"
    temperature: float = 1.0
    answer_reserve: int = ANSWER_RESERVE
    max_answer_tokens: int | None = None

    def __post_init__(self) -> None:
        check_count("max_thinking_tokens", self.max_thinking_tokens, at_least=0)
        check_count("max_attempts", self.max_attempts, at_least=1)
        check_above_zero("temperature", self.temperature)
        check_choice("at_limit", self.at_limit, get_args(AtLimit))
        self._forcing()

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        parts = make_parts(setting, self._forcing())

        def start(trial: Trial) -> Work:
            book = Book(trial, setting, setting.prompts.build(trial.problem))
            return book.carry_out(self._steps(book, parts))

        return start

    def _forcing(self) -> BudgetForcing:
        return BudgetForcing(
            max_thinking_tokens=self.max_thinking_tokens,
            answer_reserve=self.answer_reserve,
            max_answer_tokens=self.max_answer_tokens,
        )

    def _steps(self, book: Book, parts: Parts) -> Steps:
        prompt = book.prompt.ids
        cap = room_to_think(book, parts)
        # one token more shows that it does not fit, and an end of several ids needs room to show itself
        longest_end = max(map(len, parts.whole.delimiters.ends))
        plan = parts.thinking_plan(cap + longest_end)
        attempts, place, fits = 0, 0, False
        while not fits and attempts < self.max_attempts:
            (place,) = yield from book.ask([plan], temperature=self.temperature, part="thinking")
            attempts += 1
            sample = book.paid[place].sample
            fits = bool(stopped_by(sample)) and len(sample.ids) <= cap
        notes = {"attempts": attempts, "fits": fits, "max_thinking_tokens": cap}
        if not fits and self.at_limit == "no_answer":
            return Ending([], None, notes)
        thinking = book.paid[place].sample.ids[:cap]
        opening = parts.opening(thinking, is_forced=not fits, last_prompt_id=prompt[-1])
        (answer,) = yield from book.ask(
            [parts.answer],
            temperature=self.temperature,
            prompts=[prompt + thinking + opening],
            part="answer",
            parents=[place],
        )
        text = parts.opening_text(book.setting, is_forced=not fits) + book.text_of(answer)
        return Ending([book.candidate_of((place, answer), text)], 0, notes)
