"""Reading ahead in a process of its own, so that parsing and writing use two cores."""

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Self, TypeVar

from curation.errors import InputError

Item = TypeVar("Item")
_ITEM, _END = "item", "end"


class ReadingProcess:
    """A child process that produces items one ahead; it starts with the first use and ends with the `with` block.

    Where this process is killed, the child ends by itself as nobody takes its next item.
    """

    def __init__(self) -> None:
        self._child: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def read(self, produce: Callable[..., Iterable[Item]], *args: Any) -> Iterator[Item]:
        """Yield what `produce(*args)` yields; function, arguments and items must be picklable.

        What it raises is raised here. An iteration that is not taken to its end ends the child.

        Raises:
            InputError: the child ended without saying why (killed, or out of memory).
        """
        pipe = self._start()
        is_done = False
        try:
            pipe.send((produce, args))
            while True:
                kind, value = pipe.recv()
                if kind == _ITEM:
                    yield value
                    continue
                is_done = True
                if value is not None:
                    raise value
                return
        except (EOFError, BrokenPipeError):
            code = self._stop()
            raise InputError(
                f"reading ended unexpectedly (exit code {code}); is the memory enough? "
                "lower POOL_BATCH_BYTES and run the command again"
            ) from None
        finally:
            if not is_done:
                self._stop()

    def _start(self) -> Connection:
        if self._pipe is None:
            # spawn: a forked child would carry our database connection and the locks of other threads
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._child = context.Process(target=_serve, args=(theirs,), daemon=True)
            self._child.start()
            theirs.close()
        return self._pipe

    def _stop(self) -> int | None:
        if self._child is None or self._pipe is None:
            return None
        self._pipe.close()
        # one that has ended by itself keeps its exit code
        self._child.join(timeout=0.1)
        self._child.terminate()
        self._child.join()
        code = self._child.exitcode
        self._child = self._pipe = None
        return code


def _serve(pipe: Connection) -> None:
    # Ctrl-C is the parent's to answer; it ends us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # rows hold no circles, and looking for them costs a tenth of the time
    gc.disable()
    try:
        while True:
            produce, args = pipe.recv()
            pipe.send((_END, _produce(pipe, produce, args)))
    except (EOFError, ConnectionError):
        # the parent is gone or has seen enough
        return


def _produce(pipe: Connection, produce: Callable[..., Iterable[Any]], args: tuple[Any, ...]) -> Exception | None:
    try:
        for item in produce(*args):
            pipe.send((_ITEM, item))
    except ConnectionError:
        raise
    except Exception as error:
        return error
    return None
