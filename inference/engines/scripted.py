"""Engines without a model: ids of given traces, or drawn from logits that a function gives; for tests and pages."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from curation.errors import ConfigError
from inference.engines.protocol import Intake, Request, Sample, failed_sample, finished_sample, start
from inference.sampling import draw, make_rng

# the ids of prompt and generation so far -> logits of the next id, shape (vocabulary,)
Logits = Callable[[Sequence[int]], np.ndarray]
# a trace has no model whose rows could be too few
_ANY_ID = 2**31


class _OneByOne(ABC):
    """An engine that serves requests one after the other; one that it cannot serve keeps none of the others."""

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Sample]:
        """The requests' samples, one after the other."""
        intake = Intake(requests)
        while (request := intake.take()) is not None:
            try:
                yield self._one(request)
            except ConfigError as error:
                yield failed_sample(request, error)
        intake.check_progress()

    @abstractmethod
    def _one(self, request: Request) -> Sample:
        """The sample of a request.

        Raises:
            ConfigError: it cannot be served.
        """


class ScriptedEngine(_OneByOne):
    """Draws from a function of the ids so far, as a model does."""

    def __init__(self, logits: Logits, *, num_ids: int, context_tokens: int = 4096) -> None:
        """
        Args:
            logits: of the next id, given all before it; shape (num_ids,), -inf where the tokenizer has no id.
        """
        self.context_tokens = context_tokens
        self._logits = logits
        self._num_ids = num_ids

    def fingerprint(self) -> dict[str, Any]:
        return {"engine": "scripted", "kind": "logits", "context_tokens": self.context_tokens}

    def _one(self, request: Request) -> Sample:
        machine = start(request, context_tokens=self.context_tokens, num_ids=self._num_ids)
        rng = make_rng(request.sampling.seed)
        context = list(request.prompt_ids)
        sampled = 0
        while not machine.is_finished:
            if machine.next_forced is None:
                id_ = draw(
                    self._logits(context),
                    request.sampling.under(machine.override),
                    rng,
                    forbidden=machine.forbidden,
                    counts=Counter(context[len(request.prompt_ids) :]),
                )
                sampled += 1
                move = machine.observe(id_)
                del context[len(context) - move.take_back :]
            while machine.next_forced is not None:
                context.append(machine.take())
        return finished_sample(request, machine, sampled_tokens=sampled)


class TraceEngine(_OneByOne):
    """Draws the ids of a given trace per request, whatever came before them.

    An id that may not come now is passed over, as a model's second choice would follow; behind its last id a trace
    ends its thinking, and then its answer, by the plan's first delimiters.
    """

    def __init__(self, traces: Mapping[str, Sequence[int]], *, context_tokens: int = 4096) -> None:
        """
        Args:
            traces: the ids that the model draws, by the requests' keys.
        """
        self.context_tokens = context_tokens
        self._traces = traces

    def fingerprint(self) -> dict[str, Any]:
        return {"engine": "scripted", "kind": "traces", "context_tokens": self.context_tokens}

    def _one(self, request: Request) -> Sample:
        if request.key not in self._traces:
            raise ConfigError(f"there is no trace for request {request.key!r:.60}; give one")
        machine = start(request, context_tokens=self.context_tokens, num_ids=_ANY_ID)
        trace = iter(self._traces[request.key])
        last = request.prompt_ids[-1]
        sampled = 0
        ending: list[int] = []
        while not machine.is_finished:
            while machine.next_forced is not None:
                machine.take()
            forbidden = machine.forbidden
            id_ = next((id_ for id_ in trace if id_ not in forbidden), None)
            if id_ is None:
                delimiters = request.plan.delimiters
                ending = ending or list((delimiters.ends if machine.phase == "thinking" else delimiters.stops)[0])
                # a further token has to come before the next end: the last one again, as in a loop
                id_ = last if ending[0] in forbidden else ending.pop(0)
            else:
                last = id_
            machine.observe(id_)
            sampled += 1
        return finished_sample(request, machine, sampled_tokens=sampled)
