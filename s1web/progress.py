"""How work tells how far it is: the same call for a command's bar and for a job's row."""

from typing import Protocol


class Report(Protocol):
    """Called now and then with how much is done and how much there is; total 0 is unknown.

    `spent` are totals of this run so far, by resource: rows, tokens, requests, money. The call may raise to stop the
    work; what was written whole by then stays.
    """

    def __call__(self, done: int, total: int, /, **spent: float) -> None: ...


def ignore(done: int, total: int, /, **spent: float) -> None:
    """Nobody wants to know."""
