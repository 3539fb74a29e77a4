"""The runner against rounds, on one engine: rejection sampling, whose trials need one attempt or many.

In rounds, as a method that is run stage by stage has them, each trial's next attempt waits until those of all trials
are back. Both ask the same requests with the same seeds; samples differ only where batches of other shapes round
differently. Passes of the model are what counts where one takes as long for few rows as for many, as on a GPU.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from benchmarks.engines import FIRST_FREE, VOCABULARY, AllIds, make_model, make_plan
from inference.benchmarks import Problem
from inference.engines.transformers import TransformersEngine
from inference.methods.base import Book, Ending, Outcome, Setting, Steps, Trial, Work
from inference.prompts import Prompt
from inference.runner import run

SIZE = "tiny"
# about one trace in six ends in so many tokens
FITS, CAP, MAX_ATTEMPTS = 12, 192, 16


class _Rejection:
    """Rejection sampling without a tokenizer: whole samples until one is short."""

    name: ClassVar[str] = "rejection"

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        num_ids = VOCABULARY[SIZE]
        ends = tuple((id_,) for id_ in random.Random(0).sample(range(FIRST_FREE, num_ids), int(0.015 * num_ids)))
        plan = make_plan(ends, 0, CAP)

        def start(trial: Trial) -> Work:
            rng = random.Random(trial.problem.key)
            ids = tuple(rng.randrange(FIRST_FREE, num_ids) for _ in range(rng.randint(20, 120)))
            book = Book(trial, setting, Prompt("", ids, ""))
            return book.carry_out(self._steps(book, plan))

        return start

    def _steps(self, book: Book, plan: Any) -> Steps:
        for _ in range(MAX_ATTEMPTS):
            (place,) = yield from book.ask([plan], temperature=1.0)
            if book.paid[place].sample.thinking_tokens <= FITS:
                break
        return Ending([], None)


def measure(*, num_trials: int = 96, max_rows: int = 32, device: str = "cpu") -> dict[str, Any]:
    """Seconds of both, and the attempts that were needed."""
    model = make_model(SIZE, device)
    passes = Counter[str]()
    running = ""
    model.register_forward_pre_hook(lambda *_: passes.update([running]))
    engine = TransformersEngine(model, AllIds(VOCABULARY[SIZE]), max_rows=max_rows)
    unused: Any = None  # prompts are made here
    setting = Setting(unused, unused, unused, engine.context_tokens)
    trials = [Trial(Problem(str(place), "", "")) for place in range(num_trials)]
    list(run(trials[:1], _Rejection(), engine, setting))  # warm
    running = "runner"
    began = time.perf_counter()
    by_runner = list(run(trials, _Rejection(), engine, setting))
    seconds = time.perf_counter() - began
    running = "rounds"
    began = time.perf_counter()
    by_rounds = list(_in_rounds(trials, engine, setting))
    rounds_seconds = time.perf_counter() - began
    theirs = {outcome.trial.key: _ids(outcome) for outcome in by_rounds}
    equal = sum(_ids(outcome) == theirs[outcome.trial.key] for outcome in by_runner)
    attempts = [len(outcome.samples) for outcome in by_runner]
    return {
        "trials": num_trials,
        "rows": max_rows,
        "attempts": {"sum": sum(attempts), "most": max(attempts)},
        "runner_seconds": round(seconds, 2),
        "rounds_seconds": round(rounds_seconds, 2),
        "passes": {name: passes[name] for name in ("runner", "rounds")},
        "times_fewer_passes": round(passes["rounds"] / passes["runner"], 2),
        "equal_outcomes": f"{equal} of {num_trials}",
    }


def _ids(outcome: Outcome) -> list[tuple[int, ...]]:
    return [paid.sample.ids for paid in outcome.samples]


def _in_rounds(trials: list[Trial], engine: TransformersEngine, setting: Setting) -> Iterator[Outcome]:
    start = _Rejection().bind(setting)
    works = [start(trial) for trial in trials]
    asked = [(work, next(work)) for work in works]
    while asked:
        samples = {sample.key: sample for sample in engine.generate([each for _, some in asked for each in some])}
        further = []
        for work, requests in asked:
            try:
                further.append((work, work.send([samples[request.key] for request in requests])))
            except StopIteration as stop:
                yield stop.value
        asked = further
