"""The paper's own runs: is the estimator of the right size?"""

import numpy as np
import pytest

from training.preflight.paper import SPREAD, check_run, paper_runs


@pytest.mark.parametrize(("place", "steps"), [(0, 315), (1, 18_450)])
def test_steps_are_the_papers(place, steps):
    assert check_run(paper_runs()[place]).steps.num_steps == steps


def test_the_papers_hours_come_out_within_a_quarter():
    s1k, full = paper_runs()
    assert s1k.device_hours == pytest.approx(7, rel=0.02)
    assert check_run(s1k).cost.device_hours == pytest.approx(s1k.device_hours, rel=0.25)
    assert check_run(full).cost.device_hours == pytest.approx(full.device_hours, rel=0.25)


def test_both_runs_fit_sixteen_h100_with_checkpointing():
    assert [check_run(run).verdict for run in paper_runs()] == ["fits", "fits"]


def test_lengths_are_the_published_ones():
    s1k, full = paper_runs()
    lengths = np.exp(np.random.Generator(np.random.PCG64(0)).normal(np.log(s1k.median_tokens), SPREAD, 100_000))
    assert (lengths > 4_096).mean() == pytest.approx(0.74, abs=0.01)
    assert check_run(full).cuts.num_tokens / full.num_rows == pytest.approx(3_600 + 800, rel=0.01)


def test_how_long_devices_wait_is_decided_by_the_spread_of_lengths():
    hours = [check_run(paper_runs(spread)[0], spread=spread).cost.device_hours for spread in (0.2, 0.3, 0.4)]
    assert hours == sorted(hours)
    assert hours[2] > 1.5 * hours[0]
