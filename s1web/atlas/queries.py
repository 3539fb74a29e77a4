"""What the page of the map reads beside its points: clusters as a table, what lies at a place, what is missing."""

from dataclasses import dataclass

import numpy as np
from django.db.models.functions import Substr

from curation.domains import domain_title
from curation.errors import NotFoundError
from s1web.atlas.asked import Asked
from s1web.atlas.layers import Layers
from s1web.browse.columns import Columns
from s1web.browse.matching import match
from s1web.browse.places import places_of
from s1web.pool.models import Question
from s1web.vectors.models import PoolMap, VectorModel

MOST_AT_PLACE = 3
_CHARACTERS = 240


@dataclass(frozen=True)
class Need:
    """What has to be done before there is something to see: why, and the kind of job and the command that do it."""

    text: str
    label: str
    kind: str
    command: str


@dataclass(frozen=True)
class ClusterRow:
    """A cluster among the questions of the filter; shares are of all of them, from 0 to 1.

    Attributes:
        number: None is the row of those without a cluster.
        median_tokens: of the traces that have a length.
        ratio: share of the selection over share of the pool; None where one of them is nothing.
    """

    number: int | None
    title: str
    size: int
    hard: int
    selected: int
    median_tokens: int | None
    share: float
    share_selected: float
    ratio: float | None


@dataclass(frozen=True)
class Found:
    """A question at a place of the map."""

    question_hash: str
    text: str
    source: str
    domain: str | None
    cluster: str | None
    tokens: int | None
    is_hard: bool
    is_selected: bool


@dataclass(frozen=True)
class AtPlace:
    """The questions at one place; of many the first ones."""

    questions: tuple[Found, ...]
    total: int


def read_need(columns: Columns) -> Need | None:
    """What the map needs first; None where it can be drawn."""
    if not len(columns):
        return Need("The pool is empty. Load questions.", "Load questions", "load_pool", "load_pool PATH")
    if not VectorModel.objects.exists():
        text = "The map shows which questions speak of the same thing. Embed the questions first."
        return Need(text, "Embed questions", "annotate_embeddings", "annotate embeddings")
    draw = ("Draw the map", "annotate_map", "annotate map")
    if not PoolMap.objects.exists():
        return Need("The questions are embedded, but no map of them was drawn yet.", *draw)
    try:
        num_placed = len(places_of(columns))
    except NotFoundError:
        return Need("The file of the newest map is gone or damaged. Draw it again.", *draw)
    if not num_placed:
        return Need("None of the questions of the newest map is in the pool any more. Draw it anew.", *draw)
    return None


def read_cluster_rows(columns: Columns, asked: Asked, layers: Layers) -> list[ClusterRow]:
    """The clusters that have a question within the filter, in the order asked for; no query of its own.

    Raises:
        ConfigError, NotFoundError: a value that this pool does not have.
    """
    within = match(columns, asked.filter).matches()
    rows = np.arange(len(columns)) if within is None else np.flatnonzero(within)
    titles = columns.cluster_titles
    if not titles or not len(rows):
        return []
    numbers = columns.cluster[rows].astype(np.int64) + 1
    sizes, hard, selected = (
        np.bincount(numbers if kept is None else numbers[kept[rows]], minlength=len(titles) + 1).tolist()
        for kept in (None, layers.hard, layers.selected)
    )
    tokens = columns.trace_tokens[rows]
    has_length = tokens >= 0
    by_number = _split(tokens[has_length], numbers[has_length], len(titles) + 1)
    num_selected = sum(selected)
    found = []
    for place, size in enumerate(sizes):
        if not size:
            continue
        share, chosen = size / len(rows), selected[place] / num_selected if num_selected else 0.0
        found.append(
            ClusterRow(
                number=place - 1 if place else None,
                title=titles[place - 1] if place else "no cluster",
                size=size,
                hard=hard[place],
                selected=selected[place],
                median_tokens=int(np.median(by_number[place])) if len(by_number[place]) else None,
                share=share,
                share_selected=chosen,
                ratio=chosen / share if num_selected else None,
            )
        )
    return _ordered(found, asked.order)


def _split(values: np.ndarray, keys: np.ndarray, num_keys: int) -> list[np.ndarray]:
    order = np.argsort(keys, kind="stable")
    return np.split(values[order], np.searchsorted(keys[order], np.arange(1, num_keys)))


def _ordered(rows: list[ClusterRow], order: str) -> list[ClusterRow]:
    """What has no number, and no value, comes last."""
    if order == "number":
        return sorted(rows, key=lambda row: (row.number is None, row.number or 0))
    name = "median_tokens" if order == "tokens" else order
    return sorted(rows, key=lambda row: (row.number is None, getattr(row, name) is None, -(getattr(row, name) or 0)))


def read_at(columns: Columns, layers: Layers, x: int, y: int) -> AtPlace:
    """The questions nearest to a place, in its steps; one query.

    Raises:
        NotFoundError: no map was drawn, or no question is on it.
    """
    places = places_of(columns)
    if not len(places):
        raise NotFoundError("no question of the pool is on the map; draw it anew: python manage.py annotate map")
    away = ((places.steps.astype(np.int64) - (x, y)) ** 2).sum(axis=1)
    nearest = places.steps[int(away.argmin())]
    rows = places.rows[(places.steps == nearest).all(axis=1)]
    shown = rows[:MOST_AT_PLACE].tolist()
    texts = dict(
        Question.objects.filter(pk__in=columns.pk[shown].tolist()).values_list("pk", Substr("text", 1, _CHARACTERS))
    )
    found = tuple(_found(columns, layers, row, texts[pk]) for row in shown if (pk := int(columns.pk[row])) in texts)
    return AtPlace(found, len(rows))


def _found(columns: Columns, layers: Layers, row: int, text: str) -> Found:
    domain, cluster, tokens = (int(values[row]) for values in (columns.domain, columns.cluster, columns.trace_tokens))
    return Found(
        question_hash=columns.hash_of(row),
        text=text,
        source=columns.source_labels[int(columns.source[row])],
        domain=domain_title(columns.domain_labels[domain]) if domain >= 0 else None,
        cluster=columns.cluster_titles[cluster] if cluster >= 0 else None,
        tokens=tokens if tokens >= 0 else None,
        is_hard=bool(layers.hard[row]),
        is_selected=bool(layers.selected[row]),
    )
