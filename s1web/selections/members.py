"""The members of a selection with what describes them, as arrays; a list of 53,000 is no reason to wait twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import F, OuterRef, Subquery

from curation.spread import Spread, measure_spread
from s1web.pool.models import Source, Tokenizer, Trace, TraceLength
from s1web.pool.version import pool_version
from s1web.selections.kept import Kept
from s1web.selections.models import CurationRun, SelectionMember

_kept = Kept(12)


@dataclass(frozen=True)
class Members:
    """A selection's questions in its order, row i the same one in each array.

    Attributes:
        pks: shape (n,), int64.
        num_whole: how many from the front were taken whole.
        source, domain: shape (n,), int32 places in their names; domain -1 is missing.
        tokens: shape (n,), int32, by the run's tokenizer and generator; -1 is missing.
    """

    pks: np.ndarray
    num_whole: int
    source: np.ndarray
    domain: np.ndarray
    tokens: np.ndarray
    source_names: tuple[str, ...]
    domain_names: tuple[str, ...]

    def spread(self) -> Spread:
        return measure_spread(self.tokens, self.domain, self.domain_names)

    def count_sources(self) -> dict[str, int]:
        """Source -> members, the most frequent first."""
        counts = np.bincount(self.source, minlength=len(self.source_names)).tolist()
        named = [(name, count) for name, count in zip(self.source_names, counts, strict=True) if count]
        return dict(sorted(named, key=lambda item: (-item[1], item[0])))


def read_members(run: CurationRun) -> Members:
    """The members of the run's selection, with their annotations as they are now."""
    key = (run.selection_id, run.selection.sha256, run.recipe["tokenizer"], run.recipe["generator"])
    return _kept.get(pool_version(), key, "reading the selection", lambda: _read(run), None)


def _read(run: CurationRun) -> Members:
    members = SelectionMember.objects.filter(selection=run.selection_id).order_by("position")
    described = _with_tokens(members, run.recipe["tokenizer"], run.recipe["generator"])
    names = ("question_id", "is_whole", "question__source_id", "question__domain", "tokens")
    rows = list(described.values_list(*names))
    pks, is_whole, sources, domains, tokens = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    source_of = dict(Source.objects.filter(pk__in=set(sources)).values_list("pk", "name"))
    source, source_names = _coded([source_of[pk] for pk in sources], missing=None)
    domain, domain_names = _coded(domains, missing="")
    return Members(
        pks=np.array(pks, dtype=np.int64),
        num_whole=sum(is_whole),
        source=source,
        domain=domain,
        tokens=np.array([-1 if count is None else count for count in tokens], dtype=np.int32),
        source_names=source_names,
        domain_names=domain_names,
    )


def _with_tokens(members: Any, tokenizer: str, generator: str) -> Any:
    """Members with `tokens`, the length of the trace that the recipe went by."""
    counted = Tokenizer.objects.filter(name=tokenizer).values_list("pk", flat=True).first()
    if generator:
        own = Trace.objects.filter(question=OuterRef("question_id"), generator=generator)
        members = members.annotate(own_trace=Subquery(own.order_by("-has_thinking", "pk").values("pk")[:1]))
    else:
        members = members.annotate(own_trace=F("question__trace_id"))
    length = TraceLength.objects.filter(trace=OuterRef("own_trace"), tokenizer=counted).values("tokens")
    return members.annotate(tokens=Subquery(length[:1]))


def _coded(labels: Sequence[str], missing: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Places in the sorted labels; -1 is the label that means that there is none."""
    names = sorted({label for label in labels if label != missing})
    codes = {name: place for place, name in enumerate(names)}
    return np.array([codes.get(label, -1) for label in labels], dtype=np.int32), tuple(names)
