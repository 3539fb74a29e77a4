"""Methods that ask once: nothing at all, budget forcing (s1 §3.1), and instructions with or without it (s1 §4.2)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from inference.forcing_plan import ANSWER_RESERVE, BudgetForcing, ForcingPlan
from inference.methods.base import Book, Ending, Setting, Steps, Trial, Work


@dataclass(frozen=True, slots=True)
class NoControl:
    """The model thinks as long as it will; only an answer's room is kept in the context.

    Attributes:
        answer_reserve, max_answer_tokens, starts_thinking: as in BudgetForcing.
    """

    name: ClassVar[str] = "none"
    answer_reserve: int = ANSWER_RESERVE
    max_answer_tokens: int | None = None
    starts_thinking: bool = True

    def __post_init__(self) -> None:
        self.forcing  # noqa: B018  # its checks are these options'

    @property
    def forcing(self) -> BudgetForcing:
        return BudgetForcing(
            answer_reserve=self.answer_reserve,
            max_answer_tokens=self.max_answer_tokens,
            starts_thinking=self.starts_thinking,
        )

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        return ask_once(setting, setting.plan(self.forcing))


@dataclass(frozen=True, slots=True)
class BudgetForced:
    """Budget forcing: a cap, Waits, or both."""

    name: ClassVar[str] = "budget_forcing"
    forcing: BudgetForcing = field(default_factory=BudgetForcing)

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        return ask_once(setting, setting.plan(self.forcing))


def ask_once(setting: Setting, plan: ForcingPlan, *, instruction: str = "") -> Callable[[Trial], Work]:
    """The work of a method that takes one sample under one plan."""

    def start(trial: Trial) -> Work:
        prompt = setting.prompts.build(
            trial.problem, instruction=instruction, starts_thinking=plan.options.starts_thinking
        )
        book = Book(trial, setting, prompt)
        return book.carry_out(_steps(book, plan))

    return start


def _steps(book: Book, plan: ForcingPlan) -> Steps:
    places = yield from book.ask([plan])
    return Ending([book.candidate(places[0])], 0)
