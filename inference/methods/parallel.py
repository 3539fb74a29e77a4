"""Methods that take several whole samples: majority voting, and best-of-N with a reward model (s1 §4.1, §6.2)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from curation.errors import ConfigError
from inference.forcing_plan import BudgetForcing, ForcingPlan
from inference.methods.base import Book, Candidate, Setting, Steps, Trial, Work
from inference.methods.options import check_above_zero, check_choice, check_count
from inference.methods.voting import FINALS, Final, vote
from inference.rewards import AGGREGATES, Aggregate, RewardModel, Solution, aggregate, score_checked
from inference.steps import split_steps
from inference.texts import thinking_text
from inference.voting import MAX_SAMPLES


@dataclass(frozen=True, slots=True)
class MajorityVoting:
    """The answer that most of several samples give; samples without an answer have no vote.

    Attributes:
        num_samples: of each trial; maj@k and cov@k of fewer come from the same samples (inference.voting).
        forcing: of each sample: "forcing + majority".
        temperature: above 0: greedy samples are all the same.
    """

    name: ClassVar[str] = "majority_voting"
    num_samples: int
    forcing: BudgetForcing = field(default_factory=BudgetForcing)
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_num_samples(self.num_samples)
        check_above_zero("temperature", self.temperature)

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        plan = setting.plan(self.forcing)

        def start(trial: Trial) -> Work:
            prompt = setting.prompts.build(trial.problem, starts_thinking=self.forcing.starts_thinking)
            book = Book(trial, setting, prompt)
            return book.carry_out(self._steps(book, plan))

        return start

    def _steps(self, book: Book, plan: ForcingPlan) -> Steps:
        places = yield from book.ask([plan] * self.num_samples, temperature=self.temperature)
        return vote([book.candidate(place) for place in places], book.trial.problem, book.setting, "majority")


@dataclass(frozen=True, slots=True)
class BestOfN:
    """The best of several samples by a process reward model, or their answers' vote weighted by it.

    Attributes:
        num_samples, forcing, temperature: as in MajorityVoting.
        final: "best", "weighted_majority", or "majority".
        aggregate: a sample's reward from those of its steps, the answer as the last one: "last", "min", "product",
            "mean".
    """

    name: ClassVar[str] = "best_of_n"
    num_samples: int
    forcing: BudgetForcing = field(default_factory=BudgetForcing)
    temperature: float = 1.0
    final: Final = "best"
    aggregate: Aggregate = "last"

    def __post_init__(self) -> None:
        check_num_samples(self.num_samples)
        check_above_zero("temperature", self.temperature)
        check_choice("final", self.final, FINALS)
        check_choice("aggregate", self.aggregate, AGGREGATES)

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        plan = setting.plan(self.forcing)
        model = find_reward_model(setting, self.name)

        def start(trial: Trial) -> Work:
            prompt = setting.prompts.build(trial.problem, starts_thinking=self.forcing.starts_thinking)
            book = Book(trial, setting, prompt)
            return book.carry_out(self._steps(book, plan, model))

        return start

    def _steps(self, book: Book, plan: ForcingPlan, model: RewardModel) -> Steps:
        places = yield from book.ask([plan] * self.num_samples, temperature=self.temperature)
        candidates = [book.candidate(place) for place in places]
        scored = score_checked(model, [self._solution(book, candidate) for candidate in candidates])
        book.pay_for_rewards(sum(result.tokens for result in scored))
        rewards = [aggregate(result.rewards, self.aggregate) for result in scored]
        for place, reward in zip(places, rewards, strict=True):
            book.paid[place] = replace(book.paid[place], reward=reward)
        rewarded = [replace(each, reward=reward) for each, reward in zip(candidates, rewards, strict=True)]
        return vote(rewarded, book.trial.problem, book.setting, self.final)

    def _solution(self, book: Book, candidate: Candidate) -> Solution:
        sample = book.paid[candidate.samples[0]].sample
        thinking = thinking_text(
            sample.ids,
            sample.events,
            book.setting.tokenizer,
            starts_thinking=self.forcing.starts_thinking,
        )
        return Solution(book.trial.problem.text, (*split_steps(thinking), candidate.text))


def check_num_samples(value: object) -> None:
    """Refuse what is no number of samples, or more than maj@k can count."""
    check_count("num_samples", value, at_least=1)
    assert isinstance(value, int)
    if value > MAX_SAMPLES:
        raise ConfigError(f"num_samples={value}; {MAX_SAMPLES} at most are allowed")


def find_reward_model(setting: Setting, name: str) -> RewardModel:
    """The setting's reward model.

    Raises:
        ConfigError: it has none.
    """
    if setting.reward_model is None:
        raise ConfigError(f"method {name} needs a process reward model; give reward_model")
    return setting.reward_model
