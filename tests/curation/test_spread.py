"""How questions spread over domains and trace lengths."""

import random
from itertools import pairwise

import numpy as np
import pytest

from curation.spread import LENGTH_EDGES, measure_spread

NAMES = ("05", "11", "60")


def spread_of(pairs):
    """Of (tokens, domain) pairs; None is missing."""
    tokens = np.array([-1 if count is None else count for count, _ in pairs], dtype=np.int32)
    domain = np.array([-1 if name is None else NAMES.index(name) for _, name in pairs], dtype=np.int32)
    return measure_spread(tokens, domain, NAMES)


def test_domains_come_by_frequency_then_by_name_and_the_empty_are_left_out():
    spread = spread_of([(1, "60"), (1, "60"), (1, "05"), (1, "05"), (1, None)])
    assert list(spread.domains.items()) == [("05", 2), ("60", 2)]
    assert (spread.size, spread.num_without_domain) == (5, 1)


def test_edges_are_half_octaves_that_hold_the_whole_ones():
    assert LENGTH_EDGES[0] == 0
    assert {512, 1024, 2048, 4096, 8192, 16384, 32768} < set(LENGTH_EDGES)
    assert list(LENGTH_EDGES) == sorted(set(LENGTH_EDGES))
    ratios = [b / a for a, b in pairwise(LENGTH_EDGES[1:])]
    assert ratios == pytest.approx([2**0.5] * len(ratios), rel=0.01)


@pytest.mark.parametrize(
    ("tokens", "edge"), [(0, 0), (255, 0), (256, 256), (511, 362), (512, 512), (32_768, 32_768), (10**6, 32_768)]
)
def test_a_length_belongs_to_the_last_edge_that_it_reaches(tokens, edge):
    spread = spread_of([(tokens, None)])
    assert spread.lengths[LENGTH_EDGES.index(edge)] == 1
    assert sum(spread.lengths) == 1


def test_missing_lengths_are_counted_apart_and_are_no_zeros():
    spread = spread_of([(None, None), (100, None), (200, None)])
    assert (spread.num_without_length, sum(spread.lengths)) == (1, 2)
    assert (spread.mean_tokens, spread.median_tokens) == (150, 150)
    nothing = spread_of([(None, None)])
    assert (nothing.mean_tokens, nothing.median_tokens, nothing.quartiles) == (None, None, None)


def test_quartiles_are_those_of_a_plain_sort():
    rng = random.Random(3)
    lengths = sorted(rng.randrange(20_000) for _ in range(401))
    spread = spread_of([(count, None) for count in rng.sample(lengths, k=401)])
    assert spread.quartiles == (lengths[100], lengths[200], lengths[300])
