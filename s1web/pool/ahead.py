"""Reading ahead in a process of its own, so that parsing and writing use two cores."""

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from curation.errors import InputError

Item = TypeVar("Item")
_END = "end"


def read_ahead(produce: Callable[..., Iterator[Item]], *args: Any) -> Iterator[Item]:
    """Yield what `produce(*args)` yields, produced one item ahead in a child process.

    `produce`, its arguments and its items must be picklable. What it raises is raised here. Where this process is
    killed, the child ends by itself as nobody takes its next item.

    Raises:
        InputError: the child ended without saying why (killed, or out of memory).
    """
    # spawn: a forked child would carry our database connection and the locks of other threads
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_produce, args=(sender, produce, args), daemon=True)
    child.start()
    sender.close()
    try:
        while True:
            try:
                kind, value = receiver.recv()
            except EOFError:
                child.join()
                raise InputError(
                    f"reading ended unexpectedly (exit code {child.exitcode}); is the memory enough? "
                    "lower POOL_BATCH_BYTES and run the command again"
                ) from None
            if kind == _END:
                if value is not None:
                    raise value
                return
            yield value
    finally:
        receiver.close()
        child.terminate()
        child.join()


def _produce(sender: Connection, produce: Callable[..., Iterator[Any]], args: tuple[Any, ...]) -> None:
    # Ctrl-C is the parent's to answer; it ends us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # rows hold no circles, and looking for them costs a tenth of the time
    gc.disable()
    try:
        try:
            for item in produce(*args):
                sender.send(("item", item))
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                sender.send((_END, error))
        except Exception as error:
            sender.send((_END, error))
        else:
            sender.send((_END, None))
    except BrokenPipeError:
        # the parent is gone or has seen enough
        return
