"""Methods that ask once: nothing at all, budget forcing (s1 §3.1), and instructions with or without it (s1 §4.2)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar, get_args

from curation.errors import ConfigError
from inference.controls import (
    CLASS_INSTRUCTIONS,
    COUNTDOWN,
    Length,
    step_instruction,
    step_profile,
    token_instruction,
)
from inference.forcing_plan import ANSWER_RESERVE, BudgetForcing, ForcingPlan
from inference.methods.base import Book, Ending, Setting, Steps, Trial, Work
from inference.methods.options import check_choice, check_count


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


@dataclass(frozen=True, slots=True)
class TokenConditional:
    """The prompt names a number of tokens.

    Attributes:
        forcing: None: the model is free to think longer. Else budget forcing, its cap `num_tokens` where it has none.
    """

    name: ClassVar[str] = "token_conditional"
    num_tokens: int
    forcing: BudgetForcing | None = None

    def __post_init__(self) -> None:
        check_count("num_tokens", self.num_tokens, at_least=1)
        _check_thinks(self.forcing)

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        options = self.forcing or BudgetForcing()
        if self.forcing is not None and options.max_thinking_tokens is None:
            options = replace(options, max_thinking_tokens=self.num_tokens)
        return ask_once(setting, setting.plan(options), instruction=token_instruction(self.num_tokens))


@dataclass(frozen=True, slots=True)
class StepConditional:
    """The prompt names a number of steps, which the model counts down while it thinks.

    Attributes:
        forcing: None: the model ends by itself. Else thinking also ends when the count-down reaches 0, beside what
            the options say.
        countdown: what stands before each step, with `{steps}` for the number.
    """

    name: ClassVar[str] = "step_conditional"
    num_steps: int
    forcing: BudgetForcing | None = None
    countdown: str = COUNTDOWN

    def __post_init__(self) -> None:
        check_count("num_steps", self.num_steps, at_least=1)
        _check_thinks(self.forcing)
        if not isinstance(self.countdown, str) or "{steps}" not in self.countdown:
            raise ConfigError(f"countdown={self.countdown!r:.60}; a text with {{steps}} for the number is needed")

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        profile = step_profile(setting.profile, countdown=self.countdown, ends_at_zero=self.forcing is not None)
        plan = setting.plan(self.forcing or BudgetForcing(), setting.delimiters(profile))
        return ask_once(setting, plan, instruction=step_instruction(self.num_steps))


@dataclass(frozen=True, slots=True)
class ClassConditional:
    """The prompt asks for short or for long thinking.

    Attributes:
        forcing: None: no budget forcing beside it.
    """

    name: ClassVar[str] = "class_conditional"
    length: Length
    forcing: BudgetForcing | None = None

    def __post_init__(self) -> None:
        check_choice("length", self.length, get_args(Length))
        _check_thinks(self.forcing)

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        plan = setting.plan(self.forcing or BudgetForcing())
        return ask_once(setting, plan, instruction=CLASS_INSTRUCTIONS[self.length])


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


def _check_thinks(forcing: BudgetForcing | None) -> None:
    if forcing is not None and not forcing.starts_thinking:
        raise ConfigError("starts_thinking=False beside an instruction to think; leave it at True")
