"""How long rows are, and what a block size cuts off."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from curation.errors import InputError
from training.masking import Example

Counts = npt.NDArray[np.int64]

# upper ends of the histogram's bars, below the block size: 256 tokens and its doubles
FIRST_BAR = 256


class RowLengths:
    """Lengths of all rows before anything is cut, made once and asked under many settings.

    Attributes:
        numbers: of the rows, counted from 1 in the file that they came from.
        totals: tokens of each.
        firsts: where the part with loss begins.
        lasts: where it ends: ids[first:last] carry loss.
        answers: tokens of the answer and its end, the last ones with loss.
        All have shape (rows,).
    """

    def __init__(
        self,
        numbers: Sequence[int],
        totals: Sequence[int],
        firsts: Sequence[int],
        lasts: Sequence[int],
        answers: Sequence[int],
    ) -> None:
        """
        Raises:
            InputError: there is no row, or the parts of a row do not fit together.
        """
        columns = (numbers, totals, firsts, lasts, answers)
        self.numbers, self.totals, self.firsts, self.lasts, self.answers = (
            np.asarray(column, dtype=np.int64) for column in columns
        )
        if len({len(column) for column in columns}) != 1:
            counts = ", ".join(str(len(column)) for column in columns)
            raise InputError(f"lengths of {counts} rows; one of each kind for every row is needed")
        if not len(self):
            raise InputError("no rows; a selection with some is needed")
        fits = (self.firsts >= 0) & (self.firsts < self.lasts) & (self.lasts <= self.totals)
        fits &= (self.answers >= 0) & (self.answers <= self.lasts - self.firsts)
        if not fits.all():
            row = int(np.argmin(fits))
            raise InputError(
                f"row {self.numbers[row]}: loss on tokens {self.firsts[row]} to {self.lasts[row]} of "
                f"{self.totals[row]}, {self.answers[row]} of them the answer; that is no row"
            )

    def __len__(self) -> int:
        return len(self.totals)


def lengths_of(numbers: Iterable[int], examples: Iterable[Example]) -> RowLengths:
    """The lengths of examples that nothing was cut from."""
    kept = list(examples)
    return RowLengths(
        list(numbers),
        [len(example.ids) for example in kept],
        [example.first for example in kept],
        [example.last for example in kept],
        [example.num_answer for example in kept],
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the histogram: rows of `above` < tokens <= `most`; `most` None: no end. `is_cut`: beyond the block."""

    above: int
    most: int | None
    num_rows: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Cuts:
    """What a block size leaves of the rows.

    Attributes:
        block_size: tokens of a row at most.
        num_rows: all.
        num_tokens, num_loss_tokens: of an epoch, after cutting.
        shortest, median, longest: tokens of a row, before cutting.
        histogram: before cutting; one border is the block size.
        cut_rows: numbers of the rows that lose tokens with loss, in their order.
        num_without_answer: of those, rows that lose their whole answer. All of them lose their end token.
        num_lost: tokens with loss that are cut off.
        num_empty: rows that nothing is left of to learn.
        longest_answer: tokens; a block size below is refused.
    """

    block_size: int
    num_rows: int
    num_tokens: int
    num_loss_tokens: int
    shortest: int
    median: float
    longest: int
    histogram: tuple[Bar, ...]
    cut_rows: tuple[int, ...] = field(repr=False)
    num_without_answer: int
    num_lost: int
    num_empty: int
    longest_answer: int

    @property
    def num_cut(self) -> int:
        """Rows that lose tokens with loss."""
        return len(self.cut_rows)

    @property
    def lost_share(self) -> float:
        """Of all tokens with loss."""
        return self.num_lost / (self.num_lost + self.num_loss_tokens)


def cut_at(lengths: RowLengths, block_size: int) -> Cuts:
    """What a block of that size cuts off; the same as `Example.cut` on every row."""
    totals = np.minimum(lengths.totals, block_size)
    kept = np.maximum(np.minimum(lengths.lasts, block_size) - lengths.firsts, 0)
    lost = lengths.lasts - lengths.firsts - kept
    is_cut = lost > 0
    return Cuts(
        block_size=block_size,
        num_rows=len(lengths),
        num_tokens=int(totals.sum()),
        num_loss_tokens=int(kept.sum()),
        shortest=int(lengths.totals.min()),
        median=float(np.median(lengths.totals)),
        longest=int(lengths.totals.max()),
        histogram=_histogram(lengths.totals, block_size),
        cut_rows=tuple(lengths.numbers[is_cut].tolist()),
        num_without_answer=int(((lengths.lasts - lengths.answers >= block_size) & is_cut).sum()),
        num_lost=int(lost.sum()),
        num_empty=int((kept == 0).sum()),
        longest_answer=int(lengths.answers.max()),
    )


def _histogram(totals: Counts, block_size: int) -> tuple[Bar, ...]:
    longest = int(totals.max())
    borders = {0, block_size}
    border = FIRST_BAR
    while border < max(longest, block_size):
        borders.add(border)
        border *= 2
    ends = sorted(borders)
    counts, _ = np.histogram(totals, bins=[*(end + 0.5 for end in ends), np.inf])
    bars = [
        Bar(low, high, int(count), low >= block_size)
        for low, high, count in zip(ends, [*ends[1:], None], counts, strict=True)
    ]
    first = next(place for place, bar in enumerate(bars) if bar.num_rows)
    last = max(place for place, bar in enumerate(bars) if bar.num_rows or bar.most == block_size)
    return tuple(bars[min(first, last) : last + 1])
