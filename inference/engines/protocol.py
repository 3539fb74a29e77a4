"""How everything else talks to a model: requests of token ids in, samples of token ids and events out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from curation.errors import ConfigError
from inference.budget_forcing import BudgetForcingMachine
from inference.forcing_events import Event, Finished, FinishReason, Ids
from inference.forcing_plan import ForcingPlan
from inference.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Request:
    """One generation that is asked for.

    Attributes:
        key: the caller's name for it, given back with the sample.
        prompt_ids: the whole prompt, with the start of thinking where the plan starts there.
        plan: what is forced, under the model's tokenizer.
        sampling: greedy unless said otherwise.
    """

    key: str
    prompt_ids: Ids
    plan: ForcingPlan
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class Sample:
    """What came of a request.

    Attributes:
        ids: what stands after the prompt; no stop delimiter, no dropped end.
        events: what was forced and where, ending in Finished; see `inference.forcing_events`.
        finish_reason: "error" where nothing was generated; `error` then says why, in one line.
        thinking_tokens, answer_tokens: of `ids`; the rest are delimiters.
        sampled_tokens: ids that the model drew, dropped ones too: what was paid for beside the prompt.
    """

    key: str
    prompt_tokens: int
    ids: Ids
    events: tuple[Event, ...]
    finish_reason: FinishReason | Literal["error"]
    thinking_tokens: int
    answer_tokens: int
    sampled_tokens: int
    error: str | None = None


class Engine(Protocol):
    """A model that generates under budget forcing.

    An engine drives one BudgetForcingMachine per request and lets it decide: it never draws a forbidden id, nor one
    that the tokenizer does not know, and gives the same ids as the plain loop under greedy decoding.
    """

    @property
    def context_tokens(self) -> int:
        """How many ids a prompt and its generation may have together."""

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Sample]:
        """A sample for each request, as they finish and in any order.

        Requests are read as rows become free, so they may come from a generator, and what it gives may hang on the
        samples given so far. None says that no request is ready now: the engine asks again once it has given a
        further sample, one with an error too, and it is over only where the requests are. They are read by whoever
        reads the samples, never while a sample is looked at. A request that cannot be served (a prompt longer than
        the context) gives a sample with `error`; the others go on.

        Raises:
            ValueError: None came while nothing runs, so that no sample could ever change that.
        """

    def fingerprint(self) -> dict[str, Any]:
        """What a run records of the engine: its name, versions, dtype, device, batch limits."""


class Intake:
    """Reads the requests of `Engine.generate`, and tells a pause from their end.

    Attributes:
        is_over: there is no further request.
        is_paused: none was ready when it was last asked.
    """

    def __init__(self, requests: Iterable[Request | None]) -> None:
        self._requests = iter(requests)
        self._may_be_ready = True
        self.is_over = False
        self.is_paused = False

    def take(self) -> Request | None:
        """The next request; None at a pause and at the end."""
        self.is_paused = False
        if self.is_over:
            return None
        try:
            request = next(self._requests)
        except StopIteration:
            self.is_over = True
            return None
        self.is_paused = request is None
        return request

    def ready(self, has_room: Callable[[], bool]) -> Iterator[Request]:
        """The requests that are ready now, as long as there is room; behind a pause none before `gave_sample`."""
        while self._may_be_ready and has_room():
            request = self.take()
            if request is None:
                self._may_be_ready = False
            else:
                yield request

    def gave_sample(self) -> None:
        """Called for each sample of `ready` requests, as it may make further ones ready."""
        self._may_be_ready = True

    def check_progress(self) -> None:
        """Called where nothing runs and every sample was given.

        Raises:
            ValueError: the requests are not over, so they would wait for ever.
        """
        if not self.is_over:
            raise ValueError(
                "no request is ready, nothing runs, and the requests are not over; give None only while samples of "
                "earlier requests are still to come"
            )


def start(request: Request, *, context_tokens: int, num_ids: int) -> BudgetForcingMachine:
    """The machine of a request.

    Args:
        num_ids: the model's rows: ids below it can be fed.

    Raises:
        ConfigError: the prompt is empty, too long, or holds an id that the model has no row for.
    """
    prompt = request.prompt_ids
    if not prompt:
        raise ConfigError("the prompt is empty; give at least one id")
    plan = request.plan
    for what, ids in (("prompt", prompt), ("plan", plan.natural_end + plan.forced_end + sum(plan.ignore_ids, ()))):
        outside = next((id_ for id_ in ids if not 0 <= id_ < num_ids), None)
        if outside is not None:
            raise ConfigError(
                f"the {what} holds id {outside}; the model has ids 0 to {num_ids - 1}: another tokenizer?"
            )
    left = context_tokens - len(prompt)
    if left < 1:
        raise ConfigError(f"the prompt has {len(prompt)} tokens of a context of {context_tokens}; shorten it")
    return BudgetForcingMachine(request.plan, max_new_tokens=left, last_prompt_id=prompt[-1])


def finished_sample(request: Request, machine: BudgetForcingMachine, *, sampled_tokens: int) -> Sample:
    """The sample of a machine that is finished."""
    last = machine.events[-1]
    assert isinstance(last, Finished)
    return Sample(
        key=request.key,
        prompt_tokens=len(request.prompt_ids),
        ids=tuple(machine.ids),
        events=tuple(machine.events),
        finish_reason=last.reason,
        thinking_tokens=machine.thinking_tokens,
        answer_tokens=machine.answer_tokens,
        sampled_tokens=sampled_tokens,
    )


def failed_sample(request: Request, error: Exception) -> Sample:
    """The sample of a request that could not be served."""
    return Sample(
        key=request.key,
        prompt_tokens=len(request.prompt_ids),
        ids=(),
        events=(),
        finish_reason="error",
        thinking_tokens=0,
        answer_tokens=0,
        sampled_tokens=0,
        error=str(error),
    )
