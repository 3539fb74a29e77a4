"""Lengths: what a block size cuts, the same as cutting every row."""

import random
from itertools import pairwise

import pytest

from curation.errors import InputError
from training.masking import Example
from training.preflight.lengths import RowLengths, cut_at, lengths_of


def random_examples(count, *, seed=0):
    rng = random.Random(seed)
    examples = []
    for _ in range(count):
        first, thinking, answer, behind = (
            rng.randint(1, 50),
            rng.randint(1, 400),
            rng.randint(1, 60),
            rng.randint(0, 2),
        )
        last = first + thinking + answer
        examples.append(Example(tuple(range(last + behind)), first, last, thinking))
    return examples


@pytest.mark.parametrize("block_size", [1, 40, 100, 256, 300, 10_000])
def test_a_block_cuts_what_cutting_each_row_would(block_size):
    examples = random_examples(200)
    cuts = cut_at(lengths_of(range(11, 211), examples), block_size)
    kept = [example.cut(block_size) for example in examples]
    lost = [(a.last - a.first) - (b.last - b.first) for a, b in zip(examples, kept, strict=True)]
    assert cuts.cut_rows == tuple(number for number, count in enumerate(lost, start=11) if count)
    assert cuts.num_lost == sum(lost)
    assert cuts.num_tokens == sum(len(example.ids) for example in kept)
    assert cuts.num_loss_tokens == sum(example.last - example.first for example in kept)
    assert cuts.num_empty == sum(example.first == example.last for example in kept)
    whole_answers = [example.num_answer for example in examples]
    assert cuts.num_without_answer == sum(
        example.num_answer == 0 for example, answer in zip(kept, whole_answers, strict=True) if answer
    )
    assert cuts.longest_answer == max(whole_answers)


@pytest.mark.parametrize("block_size", [1, 40, 256, 300, 1_000, 5_000])
def test_every_row_stands_in_one_bar_and_a_bar_ends_at_the_block_size(block_size):
    examples = random_examples(100)
    bars = cut_at(lengths_of(range(100), examples), block_size).histogram
    for bar in bars:
        inside = [n for n in (len(e.ids) for e in examples) if bar.above < n and (bar.most is None or n <= bar.most)]
        assert bar.num_rows == len(inside)
        assert bar.is_cut == (bar.above >= block_size)
    assert sum(bar.num_rows for bar in bars) == 100
    assert all(a.most == b.above for a, b in pairwise(bars))
    assert block_size in {end for bar in bars for end in (bar.above, bar.most)}


def test_a_row_cut_behind_its_loss_loses_nothing():
    cuts = cut_at(RowLengths([1], [10], [4], [9], [2]), 9)
    assert (cuts.num_cut, cuts.num_lost, cuts.num_tokens) == (0, 0, 9)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([], [], [], [], []), "no rows; a selection with some is needed"),
        (([1, 2], [5], [1], [5], [1]), "lengths of 2, 1, 1, 1, 1 rows; one of each kind for every row is needed"),
        (([1, 7], [5, 5], [1, 3], [5, 3], [1, 0]), "row 7: loss on tokens 3 to 3 of 5, 0 of them the answer"),
        (([1], [5], [1], [6], [1]), "row 1: loss on tokens 1 to 6 of 5"),
        (([1], [5], [1], [5], [5]), "row 1: loss on tokens 1 to 5 of 5, 5 of them the answer"),
    ],
)
def test_lengths_that_are_none_are_refused(columns, message):
    with pytest.raises(InputError, match=message):
        RowLengths(*columns)
