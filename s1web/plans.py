"""What a piece of work will do and cost, said before it starts."""

from dataclasses import asdict, dataclass, field
from typing import Any

# what work can spend, with the unit a person reads
RESOURCES = {
    "rows": "rows",
    "tokens": "tokens",
    "requests": "requests",
    "money": "US dollars",
    "seconds": "seconds",
}


@dataclass(frozen=True)
class Plan:
    """An estimate.

    Attributes:
        title: the work in a line, for a list of jobs.
        total: how much there is to do, in `unit`; 0 is unknown.
        unit: of `total` and of the progress to come: rows, bytes, traces, questions.
        spends: resource -> how much of it, as far as that can be said; see RESOURCES.
        seconds: how long it will take; None where nothing is known.
        notes: what the user should know before saying yes.
    """

    title: str
    total: int = 0
    unit: str = "rows"
    spends: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"notes": list(self.notes)}
