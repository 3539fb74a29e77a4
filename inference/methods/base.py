"""What every method shares: the setting it works in, its dealings with the engine, and what comes of it.

A method is bound to a setting once per run, where it is checked and its plans are made. For each trial (a problem and
a repeat) it is then a generator: it yields requests that may run at the same time, is sent their samples, in the same
order, and at last returns an Outcome. It never sees the engine, nor other trials (decision 19).
"""

import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from inference.answers import Extraction, extract_answer
from inference.benchmarks import Problem
from inference.delimiters import DelimiterProfile, Delimiters, build_delimiters
from inference.engines.protocol import Request, Sample
from inference.equivalence import Verifier
from inference.forcing_events import Ids
from inference.forcing_plan import BudgetForcing, ForcingPlan, make_plan
from inference.prompts import ChatTokenizer, Prompt, PromptBuilder
from inference.rewards import RewardModel
from inference.sampling import Sampling
from inference.texts import answer_text

# what a sample's ids are: thinking and answer, a part of the thinking, or the answer behind such parts
Part = Literal["all", "thinking", "answer"]
Work = Generator[list[Request], list[Sample], "Outcome"]
# JavaScript reads whole numbers up to 2 ** 53 exactly
_SEED_BITS = 53


@dataclass(frozen=True, slots=True)
class Trial:
    """One answer that is wanted: a problem and which of its repeats."""

    problem: Problem
    repeat: int = 0

    @property
    def key(self) -> str:
        """Its name in a run."""
        return f"{self.problem.key}/{self.repeat}"


@dataclass(frozen=True)
class Setting:
    """What a run gives to its method.

    Attributes:
        profile: the model family's delimiters, as text.
        eos_ids: the model's end tokens.
        prompts: writes the prompts.
        sampling: of the run; methods that need chance raise its temperature by their own option. `seed` is not used.
        seed: of the run; each request's own is derived from it by `seed_of`.
        verifier: tells equal answers apart from different ones where methods vote; None: by the rules alone.
        reward_model: scores steps for best-of-N and REBASE.
        allow_bare: as in `answers.extract_answer`.
    """

    tokenizer: ChatTokenizer
    profile: DelimiterProfile
    prompts: PromptBuilder
    context_tokens: int
    eos_ids: Ids = ()
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    verifier: Verifier | None = None
    reward_model: RewardModel | None = None
    allow_bare: bool = False

    def delimiters(self, profile: DelimiterProfile | None = None) -> Delimiters:
        """The profile's ids, or those of another one.

        Raises:
            ConfigError: it cannot be built with this tokenizer.
        """
        return build_delimiters(profile or self.profile, self.tokenizer, eos_ids=self.eos_ids)

    def plan(self, options: BudgetForcing, delimiters: Delimiters | None = None) -> ForcingPlan:
        """Budget forcing under this model.

        Raises:
            ConfigError: a text cannot be written, or would itself end thinking.
        """
        return make_plan(options, delimiters or self.delimiters(), self.tokenizer)


@dataclass(frozen=True, slots=True)
class Account:
    """Tokens spent; every request counts, also those whose samples were rejected.

    Attributes:
        prompt_tokens: of all requests, so of a prompt that is asked k times k-fold; an engine may compute it once.
        sampled_tokens: ids that the model drew, dropped ones too.
        thinking_tokens, answer_tokens: ids that stood in the context, inserted thinking too; delimiters are in
            neither.
        reward_tokens: that a reward model read.
        requests: generations asked for.
    """

    prompt_tokens: int = 0
    sampled_tokens: int = 0
    thinking_tokens: int = 0
    answer_tokens: int = 0
    reward_tokens: int = 0
    requests: int = 0

    def __add__(self, other: "Account") -> "Account":
        return Account(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Paid:
    """A sample that was paid for, beside what was asked.

    Attributes:
        part: what its ids are. The engine knows nothing of a tree's parts: there its own counts do not hold, and
            `account` does.
        parent: place of the sample that it goes on from, in the outcome's samples; None: from the prompt.
        reward: what a reward model gave it.
        put_back: ids that ended a part of the thinking, were dropped by the engine, and are thinking all the same.
    """

    request: Request
    sample: Sample
    part: Part = "all"
    parent: int | None = None
    reward: float | None = None
    put_back: Ids = ()

    @property
    def account(self) -> Account:
        sample = self.sample
        if sample.error is not None:
            return Account(requests=1)  # nothing was computed
        thinking, answer = sample.thinking_tokens, sample.answer_tokens
        if self.part == "thinking":
            thinking, answer = answer + len(self.put_back), 0
        return Account(
            prompt_tokens=sample.prompt_tokens,
            sampled_tokens=sample.sampled_tokens,
            thinking_tokens=thinking,
            answer_tokens=answer,
            requests=1,
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer that was found, one of several where a method votes.

    Attributes:
        samples: places in the outcome's samples that make it up, in order; the last one holds the answer.
        text: what the model wrote after its thinking; answers are extracted from it, and graded.
        extraction: as `answers.extract_answer` found it.
        reward: what a reward model gave it.
        group: candidates with equal answers have one number, as `equivalence.group_answers` gives it; -1 for none.
    """

    samples: tuple[int, ...]
    text: str
    extraction: Extraction
    reward: float | None = None
    group: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method came to on one trial.

    Attributes:
        prompt: what was asked; a tree's requests go on from it.
        samples: every one that was paid for, in the order asked.
        candidates: answers found; at least one unless `error` or `rejected`.
        chosen: place of the final answer in `candidates`; None where the method ended without one.
        account: of all samples together.
        notes: what the method records of itself, as JSON: attempts, votes, widths.
        error: one line where the engine could not serve a request; then there is no candidate.
    """

    trial: Trial
    prompt: Prompt
    samples: tuple[Paid, ...]
    candidates: tuple[Candidate, ...]
    chosen: int | None
    account: Account
    notes: Mapping[str, Any]
    error: str | None = None

    @property
    def final(self) -> Candidate | None:
        """The final answer; None where there is none."""
        return None if self.chosen is None else self.candidates[self.chosen]


class Method(Protocol):
    """Options of a way to spend compute, checked when built."""

    name: ClassVar[str]

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        """Check the options against the model and make the plans.

        Raises:
            ConfigError: they cannot be used with this model.
        """


def seed_of(run_seed: int, problem_key: str, repeat: int, attempt: int) -> int:
    """A request's seed, 0 to 2 ** 53 - 1: the same however trials are ordered, resumed, or run beside others.

    Args:
        attempt: of the trial's requests, from 0.
    """
    name = f"{run_seed}\0{repeat}\0{attempt}\0{problem_key}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> (64 - _SEED_BITS)


class Ending(NamedTuple):
    """Candidates, the place of the final one, and notes: see Outcome."""

    candidates: Sequence[Candidate]
    chosen: int | None
    notes: Mapping[str, Any] = {}


Steps = Generator[list[Request], list[Sample], Ending]


class RequestFailedError(Exception):
    """The engine could not serve a request of the trial; the text is the sample's own."""


class Book:
    """A trial's dealings with the engine: it writes the requests and keeps every sample.

    Attributes:
        paid: the samples so far, in the order asked.
    """

    def __init__(self, trial: Trial, setting: Setting, prompt: Prompt) -> None:
        self.trial = trial
        self.setting = setting
        self.prompt = prompt
        self.paid: list[Paid] = []
        self._reward_tokens = 0
        self._asked = 0

    def ask(
        self,
        plans: Sequence[ForcingPlan],
        *,
        temperature: float | None = None,
        prompts: Sequence[Ids] | None = None,
        part: Part = "all",
        parents: Sequence[int | None] | None = None,
    ) -> Generator[list[Request], list[Sample], list[int]]:
        """Ask for a sample under each of the plans, all of which may run at the same time.

        Args:
            temperature: None: the run's own.
            prompts: of each request; None: the trial's.
            part, parents: see Paid.

        Returns:
            the samples' places in `paid`.

        Raises:
            RequestFailedError: one could not be served.
        """
        sampling = self.setting.sampling
        if temperature is not None:
            sampling = replace(sampling, temperature=temperature)
        requests = []
        for place, plan in enumerate(plans):
            seed = seed_of(self.setting.seed, self.trial.problem.key, self.trial.repeat, self._asked)
            ids = self.prompt.ids if prompts is None else prompts[place]
            requests.append(Request(f"{self.trial.key}/{self._asked}", ids, plan, replace(sampling, seed=seed)))
            self._asked += 1
        if not requests:
            return []
        samples = yield requests
        first = len(self.paid)
        for place, (request, sample) in enumerate(zip(requests, samples, strict=True)):
            self.paid.append(Paid(request, sample, part, None if parents is None else parents[place]))
        for sample in samples:
            if sample.error is not None:
                raise RequestFailedError(sample.error)
        return list(range(first, len(self.paid)))

    def pay_for_rewards(self, tokens: int) -> None:
        """Put what a reward model read on the account."""
        self._reward_tokens += tokens

    def text_of(self, place: int) -> str:
        """A sample's answer as text."""
        paid = self.paid[place]
        sample, delimiters = paid.sample, paid.request.plan.delimiters
        return answer_text(sample.ids, sample.events, delimiters, self.setting.tokenizer)

    def candidate(self, place: int) -> Candidate:
        """The answer of a sample that holds thinking and answer."""
        return self.candidate_of((place,), self.text_of(place))

    def candidate_of(self, samples: tuple[int, ...], text: str, *, reward: float | None = None) -> Candidate:
        """The answer that stands in `text`."""
        return Candidate(samples, text, extract_answer(text, allow_bare=self.setting.allow_bare), reward)

    @property
    def account(self) -> Account:
        return sum((paid.account for paid in self.paid), Account(reward_tokens=self._reward_tokens))

    def carry_out(self, steps: Steps) -> Work:
        """The trial's work: `steps`, and their ending as an Outcome."""
        error: str | None = None
        try:
            ending = yield from steps
        except RequestFailedError as failed:
            ending, error = Ending((), None), str(failed)
        return Outcome(
            trial=self.trial,
            prompt=self.prompt,
            samples=tuple(self.paid),
            candidates=tuple(ending.candidates),
            chosen=ending.chosen,
            account=self.account,
            notes=ending.notes,
            error=error,
        )
