"""Grading beside the engine: answers are compared, and rows written, while the next ones are generated."""

import queue
import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from inference.equivalence import Grade, Verifier, grade_many
from inference.evaluation.rows import items_of
from inference.methods.base import Outcome

_BATCH = 64
# outcomes that wait to be graded: the engine is not to run far ahead of what is on the disk
_MOST_WAITING = 256

# takes an outcome, its candidates' grades, and the seconds that it took
Store = Callable[[Outcome, Sequence[Grade], float], None]


class Grader:
    """Grades outcomes in a thread and hands them to `store` in their order; a context manager, over when all are.

    An error of the thread is raised in the next `put`, or at the end.
    """

    def __init__(self, verifier: Verifier | None, store: Store) -> None:
        self._verifier = verifier
        self._store = store
        self._waiting: queue.Queue[tuple[Outcome, float] | None] = queue.Queue(_MOST_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="grader", daemon=True)

    def __enter__(self) -> "Grader":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def put(self, outcome: Outcome, seconds: float) -> None:
        """Grade and store it; waits while many others do."""
        if self._error is not None:
            raise self._error
        self._waiting.put((outcome, seconds))

    def _work(self) -> None:
        is_over = False
        while not is_over:
            batch = [self._waiting.get()]
            while len(batch) < _BATCH and batch[-1] is not None:
                try:
                    batch.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            is_over = batch[-1] is None
            if self._error is None:
                try:
                    self._grade([item for item in batch if item is not None])
                except BaseException as error:  # it is the caller's to see; what follows is taken and left
                    self._error = error

    def _grade(self, batch: Sequence[tuple[Outcome, float]]) -> None:
        items = [items_of(outcome) for outcome, _ in batch]
        grades = iter(grade_many([item for some in items for item in some], self._verifier))
        for (outcome, seconds), some in zip(batch, items, strict=True):
            self._store(outcome, [next(grades) for _ in some], seconds)
