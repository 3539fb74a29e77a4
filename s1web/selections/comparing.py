"""What two selections have in common, what only one of them has, and why."""

import csv
import io
from collections import Counter
from dataclasses import dataclass

import numpy as np
from django.db.models.functions import Substr

from curation.domains import domain_title
from curation.spread import LENGTH_EDGES, Spread
from s1web.pool.models import Question
from s1web.selections.fates import fate_name, read_fates
from s1web.selections.members import Members, read_members
from s1web.selections.models import CurationRun
from s1web.selections.queries import PAGE_ROWS, SHOWN_CHARACTERS

ADDED, REMOVED, KEPT = "added", "removed", "kept"
CHANGES = (ADDED, REMOVED, KEPT)
_PIECE_PKS = 10_000
_COLUMNS = (
    *("question_hash", "change", "position_a", "position_b", "fate_a", "fate_b"),
    *("domain", "source", "trace_tokens"),
)
# a spreadsheet takes a cell that starts so for a formula
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Side:
    """A run and its selection."""

    run: CurationRun
    members: Members
    spread: Spread
    sources: dict[str, int]


@dataclass(frozen=True)
class Pair:
    """A domain, source or range of lengths with the members of either side that it has."""

    label: str
    a: int
    b: int


@dataclass(frozen=True)
class Comparison:
    """Two selections, from `a` to `b`.

    Attributes:
        rows: change -> places of its questions in a selection's order: of those added in b, of the others in a.
        fates: change -> for each of these questions its fate in the other run, int8; of what is kept, SELECTED.
        positions: change -> for each of these questions its place in the other selection; -1 where it is not in it.
    """

    a: Side
    b: Side
    rows: dict[str, np.ndarray]
    fates: dict[str, np.ndarray]
    positions: dict[str, np.ndarray]

    def side_of(self, change: str) -> Side:
        """The side whose order the rows of a change are in."""
        return self.b if change == ADDED else self.a

    def count(self, change: str) -> int:
        return len(self.rows[change])

    @property
    def jaccard(self) -> float:
        """Questions in both over questions in either, from 0 to 1."""
        either = sum(self.count(change) for change in CHANGES)
        return self.count(KEPT) / either if either else 1.0

    def reasons(self, change: str) -> list[tuple[str, int]]:
        """(fate in the other run, questions), the most frequent first."""
        counts = Counter(self.fates[change].tolist())
        return sorted(((fate_name(fate), num) for fate, num in counts.items()), key=lambda item: (-item[1], item[0]))

    def domains(self) -> list[Pair]:
        """By domain, the most frequent of both together first."""
        found = pairs(self.a.spread.domains, self.b.spread.domains)
        return [Pair(domain_title(pair.label), pair.a, pair.b) for pair in found]

    def sources(self) -> list[Pair]:
        return pairs(self.a.sources, self.b.sources)

    def lengths(self) -> list[Pair]:
        """By range of the trace length, the shortest first; ranges outside of both are left out."""
        pairs = [
            Pair(length_label(place), a, b)
            for place, (a, b) in enumerate(zip(self.a.spread.lengths, self.b.spread.lengths, strict=True))
        ]
        used = [place for place, pair in enumerate(pairs) if pair.a or pair.b]
        return pairs[used[0] : used[-1] + 1] if used else []


@dataclass(frozen=True)
class Changed:
    """A question that two selections differ in, or share.

    Attributes:
        position: in the selection that has it, from 1; of a shared one in the first.
        other: what the other run did with it: a rule, `selected` or `absent`.
        other_position: in the other selection, from 1; None where it is not in it.
    """

    position: int
    question_hash: str
    text: str
    source: str
    domain: str | None
    trace_tokens: int | None
    other: str
    other_position: int | None


def compare(run_a: CurationRun, run_b: CurationRun) -> Comparison:
    """Compare the selections of two runs; reads both, and what either did with the members of the other."""
    a, b = _side(run_a), _side(run_b)
    places = {"a": _places(b.members.pks, a.members.pks), "b": _places(a.members.pks, b.members.pks)}
    rows = {
        ADDED: np.flatnonzero(places["b"] < 0),
        REMOVED: np.flatnonzero(places["a"] < 0),
        KEPT: np.flatnonzero(places["a"] >= 0),
    }
    others = {ADDED: (b, run_a, "b"), REMOVED: (a, run_b, "a"), KEPT: (a, run_b, "a")}
    fates, positions = {}, {}
    for change, (side, other, name) in others.items():
        fates[change] = read_fates(other).of(side.members.pks[rows[change]])
        positions[change] = places[name][rows[change]]
    return Comparison(a, b, rows, fates, positions)


def read_changed(comparison: Comparison, change: str, start: int) -> tuple[list[Changed], int | None]:
    """Questions of a change from the start-th on, counted from 0, and where the next page starts."""
    side, rows = comparison.side_of(change), comparison.rows[change]
    stop = start + PAGE_ROWS
    some = rows[start:stop].tolist()
    pks = side.members.pks[some].tolist()
    questions = {
        pk: (question_hash, text)
        for pk, question_hash, text in Question.objects.filter(pk__in=pks).values_list(
            "pk", "question_hash", Substr("text", 1, SHOWN_CHARACTERS)
        )
    }
    fates, places = comparison.fates[change][start:stop], comparison.positions[change][start:stop]
    members = side.members
    found = [
        Changed(
            position=row + 1,
            question_hash=questions[pk][0],
            text=questions[pk][1],
            source=members.source_names[members.source[row]],
            domain=None if members.domain[row] < 0 else domain_title(members.domain_names[members.domain[row]]),
            trace_tokens=None if members.tokens[row] < 0 else int(members.tokens[row]),
            other=fate_name(int(fate)),
            other_position=None if place < 0 else int(place) + 1,
        )
        for row, pk, fate, place in zip(some, pks, fates, places, strict=True)
    ]
    return found, stop if stop < len(rows) else None


def write_csv(comparison: Comparison) -> str:
    """Every question of either selection: hash, change, places from 1, fates, domain, source, trace tokens."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for change in CHANGES:
        side, rows = comparison.side_of(change), comparison.rows[change]
        hashes = _hashes(side.members.pks[rows])
        for row, fate, position in zip(
            rows.tolist(), comparison.fates[change].tolist(), comparison.positions[change].tolist(), strict=True
        ):
            own, other = str(row + 1), "" if position < 0 else str(position + 1)
            of_a = (other, fate_name(fate)) if change == ADDED else (own, "selected")
            of_b = (own, "selected") if change == ADDED else (other, fate_name(fate))
            members = side.members
            domain, tokens = int(members.domain[row]), int(members.tokens[row])
            cells = [
                hashes[int(members.pks[row])],
                change,
                of_a[0],
                of_b[0],
                of_a[1],
                of_b[1],
                "" if domain < 0 else members.domain_names[domain],
                members.source_names[members.source[row]],
                "" if tokens < 0 else str(tokens),
            ]
            writer.writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def length_label(place: int) -> str:
    """The range of trace lengths of that place in LENGTH_EDGES, in tokens: "2,896 to 4,095"."""
    low = LENGTH_EDGES[place]
    if place + 1 == len(LENGTH_EDGES):
        return f"{low:,} and more"
    return f"{low:,} to {LENGTH_EDGES[place + 1] - 1:,}"


def _side(run: CurationRun) -> Side:
    members = read_members(run)
    return Side(run, members, members.spread(), members.count_sources())


def _places(pks: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each of the wanted stands in `pks`; -1 where it does not."""
    if not len(pks):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(pks, kind="stable")
    found = np.searchsorted(pks, wanted, sorter=order).clip(max=len(pks) - 1)
    places: np.ndarray = np.where(pks[order[found]] == wanted, order[found], -1)
    return places


def pairs(a: dict[str, int], b: dict[str, int]) -> list[Pair]:
    """Both counts of every label, the most frequent of both together first."""
    found = [Pair(name, a.get(name, 0), b.get(name, 0)) for name in dict.fromkeys([*a, *b])]
    return sorted(found, key=lambda pair: (-pair.a - pair.b, pair.label))


def _hashes(pks: np.ndarray) -> dict[int, str]:
    hashes: dict[int, str] = {}
    for start in range(0, len(pks), _PIECE_PKS):
        some = pks[start : start + _PIECE_PKS].tolist()
        hashes.update(Question.objects.filter(pk__in=some).values_list("pk", "question_hash"))
    return hashes


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_SIGNS) else cell
