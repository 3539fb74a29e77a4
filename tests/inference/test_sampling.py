import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from curation.errors import ConfigError
from inference.engines.torch_sampling import RowDraw, draw_rows
from inference.forcing_plan import SamplingOverride
from inference.sampling import Sampling, draw, make_rng

LOGITS = np.log(np.array([0.4, 0.3, 0.2, 0.1]))


def shares_of(sampling, draws=4_000, **options):
    rng = make_rng(0)
    counts = Counter(draw(LOGITS, sampling, rng, **options) for _ in range(draws))
    return [counts[id_] / draws for id_ in range(4)]


@pytest.mark.parametrize(
    ("sampling", "options", "shares"),
    [
        (Sampling(temperature=1.0), {}, [0.4, 0.3, 0.2, 0.1]),
        (Sampling(temperature=0.5), {}, [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
        (Sampling(temperature=1.0, top_k=2), {}, [4 / 7, 3 / 7, 0, 0]),
        # the third id is needed to reach 0.75, the fourth is not
        (Sampling(temperature=1.0, top_p=0.75), {}, [4 / 9, 3 / 9, 2 / 9, 0]),
        (Sampling(temperature=1.0, top_p=0.7), {}, [4 / 7, 3 / 7, 0, 0]),
        (Sampling(temperature=1.0, top_p=0.01), {}, [1, 0, 0, 0]),
        # top_p is of what top_k left
        (Sampling(temperature=1.0, top_k=2, top_p=0.5), {}, [1, 0, 0, 0]),
        (Sampling(temperature=1.0), {"forbidden": [0, 2]}, [0, 3 / 4, 0, 1 / 4]),
        (Sampling(temperature=1.0, frequency_penalty=np.log(2)), {"counts": {0: 2}}, [1 / 7, 3 / 7, 2 / 7, 1 / 7]),
        (Sampling(), {}, [1, 0, 0, 0]),
        (Sampling(), {"forbidden": [0]}, [0, 1, 0, 0]),
        (Sampling(frequency_penalty=0.3), {"counts": {0: 1}}, [0, 1, 0, 0]),
    ],
)
def test_ids_come_in_their_shares(sampling, options, shares):
    observed = np.array(shares_of(sampling, **options))
    possible = np.array(shares) > 0
    assert observed[~possible].sum() == 0
    if possible.sum() > 1:
        test = stats.chisquare(4_000 * observed[possible], 4_000 * np.array(shares)[possible])
        assert test.pvalue > 1e-3


def test_a_batch_on_a_device_draws_what_single_rows_draw():
    rng = random.Random(3)
    arrays = make_rng(3)
    for _ in range(60):
        rows, logits = [], arrays.normal(0, 3, size=(9, 50)).astype(np.float32)
        logits[:, 45:] = -np.inf
        for _ in range(9):
            sampling = Sampling(
                temperature=rng.choice([0, 0.3, 1.0, 2.0]),
                top_p=rng.choice([1.0, 0.9, 0.5]),
                top_k=rng.choice([0, 1, 5]),
                frequency_penalty=rng.choice([0.0, 0.7, -0.5]),
                seed=rng.randrange(1_000),
            )
            forbidden = frozenset(rng.sample(range(45), rng.randint(0, 4)))
            counts = Counter(rng.choices(range(45), k=rng.randint(0, 6)))
            rows.append(RowDraw(sampling, make_rng(sampling.seed).random(), forbidden, counts))
        alone = [
            draw(row_logits, row.sampling, make_rng(row.sampling.seed), forbidden=row.forbidden, counts=row.counts)
            for row_logits, row in zip(logits, rows, strict=True)
        ]
        given = torch.tensor(logits)
        assert draw_rows(given, rows) == alone
        assert torch.equal(given, torch.tensor(logits)), "the logits that were given are left as they were"


@pytest.mark.parametrize("number", [0.0, 1 - 2.0**-53])
def test_the_ends_of_the_unit_interval_draw_ids_that_can_come(number):
    logits = torch.tensor([[float("-inf"), 1.0, 1.0, float("-inf")]])
    (id_,) = draw_rows(logits, [RowDraw(Sampling(temperature=1.0), number, frozenset(), {})])
    assert id_ == (1 if number == 0 else 2)


def test_an_override_replaces_what_it_names():
    base = Sampling(temperature=0.0, frequency_penalty=0.1, top_p=0.9, seed=4)
    assert base.under(None) is base
    assert base.under(SamplingOverride(1, temperature=0.7)) == replace(base, temperature=0.7)
    assert base.under(SamplingOverride(1, frequency_penalty=0.5)) == replace(base, frequency_penalty=0.5)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"temperature": -0.1}, "temperature=-0.1; 0 .greedy. or a positive number"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_p": 0.0}, "top_p=0.0; a number above 0"),
        ({"top_k": -1}, "top_k=-1"),
        ({"frequency_penalty": 2.5}, "frequency_penalty=2.5; -2 to 2"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(values, error):
    with pytest.raises(ConfigError, match=error):
        Sampling(**values)
