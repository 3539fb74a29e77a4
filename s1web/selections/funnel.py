"""A run's ledger as a funnel: each count with the address of its rows, and what s1 published beside it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from curation.pipeline import POOL_DUPLICATE
from curation.published import PublishedFunnel, published_funnels
from s1web.selections.models import CurationRun
from s1web.selections.queries import rules_of


@dataclass(frozen=True)
class Dropped:
    """A rule and the rows that it dropped."""

    rule: str
    count: int
    url: str


@dataclass(frozen=True)
class Step:
    """A stage.

    Attributes:
        share_in, share_out: of the funnel's first count, from 0 to 100, as widths of its bar.
        dropped_url: "" where the rows dropped are not questions.
        published: what was left in print, funnel by funnel; None where it was not said.
    """

    name: str
    num_in: int
    num_out: int
    num_dropped: int
    share_in: float
    share_out: float
    url: str
    dropped_url: str
    rules: tuple[Dropped, ...]
    published: tuple[int | None, ...]

    @property
    def share_dropped(self) -> float:
        return self.share_in - self.share_out


@dataclass(frozen=True)
class Funnel:
    """A run's stages; `published` are the funnels in print, in the order of each step's figures."""

    run: CurationRun
    steps: tuple[Step, ...]
    published: tuple[PublishedFunnel, ...]


def read_funnel(run: CurationRun) -> Funnel:
    """The ledger of a run, which is a part of its row: no query."""
    in_print = tuple(published_funnels().values())
    first = max(run.ledger[0]["in"], 1) if run.ledger else 1
    rows = reverse("selections:rows", args=[run.pk])
    steps = []
    for stage in run.ledger:
        name, num_in, num_out = stage["stage"], stage["in"], stage["out"]
        is_last = name == "selection"
        steps.append(
            Step(
                name=name,
                num_in=num_in,
                num_out=num_out,
                num_dropped=num_in - num_out,
                share_in=round(100 * num_in / first, 2),
                share_out=round(100 * num_out / first, 2),
                url=_address(rows, rule="selected") if is_last else _address(rows, left=name),
                dropped_url=_address(rows, rule=name if rules_of(name) else POOL_DUPLICATE),
                rules=tuple(
                    Dropped(rule, count, _address(rows, rule=rule)) for rule, count in stage["dropped"].items()
                ),
                published=tuple(funnel.left.get(name) for funnel in in_print),
            )
        )
    return Funnel(run, tuple(steps), in_print)


def _address(rows: str, **what: str) -> str:
    return f"{rows}?{urlencode(what)}"
