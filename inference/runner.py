"""One runner for every method: many trials through one engine, without rounds that wait for each other.

The engine asks for a request whenever it has room. It then gets one of a trial that is open, else of the next trial,
else None: nothing is ready until a sample comes back. So trials are opened as fast as the engine takes them and no
faster, and nothing of a trial is kept once its outcome was given.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from curation.errors import ConfigError
from inference.engines.protocol import Engine, Request, Sample
from inference.methods.base import Method, Outcome, Setting, Trial, Work


@dataclass(slots=True)
class _Open:
    """A trial that runs, and what of its requests has come back."""

    work: Work
    keys: list[str] = field(default_factory=list)
    samples: dict[str, Sample] = field(default_factory=dict)


def run(trials: Iterable[Trial], method: Method, engine: Engine, setting: Setting) -> Iterator[Outcome]:
    """The outcome of each trial, as they finish; read lazily from end to end.

    Args:
        trials: in any number and from a generator too; no two with the same problem key and repeat.

    Raises:
        ConfigError: the method cannot be bound to the setting, the setting's context is longer than the engine's, or
            two trials that run have the same key.
    """
    if setting.context_tokens > engine.context_tokens:
        raise ConfigError(
            f"context_tokens={setting.context_tokens} in the setting; the engine has {engine.context_tokens}: give "
            "that or less"
        )
    return _Run(method.bind(setting), iter(trials)).outcomes(engine)


class _Run:
    def __init__(self, start: Callable[[Trial], Work], trials: Iterator[Trial]) -> None:
        self._start = start
        self._trials = trials
        self._ready: deque[Request] = deque()
        self._open: dict[str, _Open] = {}  # by the key of each request that is not back yet
        self._finished: deque[Outcome] = deque()

    def outcomes(self, engine: Engine) -> Iterator[Outcome]:
        for sample in engine.generate(self._requests()):
            self._receive(sample)
            while self._finished:
                yield self._finished.popleft()
        # those that asked for nothing, behind the last sample
        yield from self._finished

    def _requests(self) -> Iterator[Request | None]:
        while True:
            if self._ready:
                yield self._ready.popleft()
            elif (trial := next(self._trials, None)) is not None:
                self._advance(_Open(self._start(trial)), None)
            elif self._open:
                yield None
            else:
                return

    def _receive(self, sample: Sample) -> None:
        opened = self._open.pop(sample.key)
        opened.samples[sample.key] = sample
        if len(opened.samples) == len(opened.keys):
            self._advance(opened, [opened.samples[key] for key in opened.keys])

    def _advance(self, opened: _Open, samples: list[Sample] | None) -> None:
        try:
            requests = next(opened.work) if samples is None else opened.work.send(samples)
        except StopIteration as stop:
            self._finished.append(stop.value)
            return
        opened.keys = [request.key for request in requests]
        opened.samples = {}
        for request in requests:
            if request.key in self._open:
                raise ConfigError(
                    f"request {request.key!r:.60} is asked for twice; give each problem its own key, and each of its "
                    "repeats its own number"
                )
            self._open[request.key] = opened
        self._ready.extend(requests)
