"""The whole preflight: what it refuses, what it warns of, and that its advice holds."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from curation.errors import ConfigError
from training.config import TrainingConfig, config_from_json, config_to_json, with_settings
from training.devices import DEVICES
from training.preflight.check import largest_micro_batch, preflight
from training.preflight.lengths import RowLengths
from training.preflight.paper import QWEN_32B
from training.preflight.shape import ModelShape

SMALL = ModelShape("qwen2", 24, 896, 4864, 14, 2, 64, 151_936, True, has_qkv_bias=True, context_tokens=4_096)
SEVEN = ModelShape("qwen2", 28, 3_584, 18_944, 28, 4, 128, 152_064, False, has_qkv_bias=True)
H100 = DEVICES["H100"]
CONFIG = TrainingConfig("m", "d", block_size=4_096)


def rows(*totals, answer=50, question=100):
    count = len(totals)
    return RowLengths(range(1, count + 1), totals, [question] * count, [n - 1 for n in totals], [answer] * count)


SHORT = rows(*range(1_000, 3_000, 50))


def test_the_papers_thousand_rows_give_315_steps_of_which_16_warm_up():
    steps = preflight(CONFIG, rows(*[500] * 1_000), SMALL, H100).steps
    assert (steps.num_steps, steps.per_epoch, steps.num_warmup, steps.num_accumulated) == (315, 63, 16, 16)
    assert (steps.tokens_per_epoch, steps.num_tokens) == (500_000, 2_500_000)
    assert (steps.loss_tokens_per_epoch, steps.num_loss_tokens) == (399_000, 1_995_000)


def test_a_good_run_fits_and_has_nothing_to_say():
    found = preflight(CONFIG, SHORT, SMALL, H100)
    assert (found.verdict, found.problems, found.warnings) == ("fits", (), ())
    assert found.cost is not None
    assert found.num_trained == found.num_parameters == SMALL.num_parameters


def test_rows_that_are_cut_are_warned_of_with_what_is_lost():
    found = preflight(replace(CONFIG, block_size=2_000), SHORT, SMALL, H100)
    assert found.problems == ()
    assert re.match(r"19 of 40 rows are cut at block_size=2000, and 1\d\.\d% of the tokens", found.warnings[0])


def test_the_callers_warnings_come_first():
    found = preflight(replace(CONFIG, block_size=2_000), SHORT, SMALL, H100, warnings=["3 rows are contaminated"])
    assert found.warnings[0] == "3 rows are contaminated"
    assert len(found.warnings) == 2


@pytest.mark.parametrize(
    ("changes", "devices", "lengths", "problem"),
    [
        ({"block_size": 40}, 1, SHORT, "block_size=40 is below the longest answer (50 tokens); give 50 at least"),
        ({"block_size": 90}, 1, SHORT, "block_size=90 leaves nothing of 40 rows to learn (row 1 is the first)"),
        ({}, 3, SHORT, "batch_size=16 cannot be shared out to 3 processes of micro_batch_size=1"),
        (
            {"micro_batch_size": 8},
            4,
            SHORT,
            "batch_size=16 cannot be shared out to 4 processes of micro_batch_size=8",
        ),
    ],
)
def test_what_the_run_would_be_refused_for_is_told_before(changes, devices, lengths, problem):
    found = preflight(replace(CONFIG, **changes), lengths, SMALL, H100, devices)
    assert found.problems[0].startswith(problem)


def test_a_batch_that_cannot_be_shared_out_leaves_memory_and_cost_open():
    found = preflight(CONFIG, SHORT, SMALL, H100, 3)
    assert (found.memory, found.verdict, found.cost, found.steps.num_accumulated) == (None, None, None, None)


@pytest.mark.parametrize(("shape", "changes"), [(SEVEN, {}), (QWEN_32B, {}), (SEVEN, {"micro_batch_size": 4})])
def test_what_is_too_large_says_what_would_fit_and_each_of_it_fits(shape, changes):
    config = replace(CONFIG, **changes)
    found = preflight(config, SHORT, shape, H100)
    assert found.verdict == "too large"
    advice = found.problems[-1].partition("; it fits with ")[2]
    assert advice
    for text in advice.split(", or with "):
        settings = dict(re.findall(r"(\w+)=(\w+)", text))
        devices = int((re.search(r"on (\d+) devices", text) or [0, 1])[1])
        if "sharding" in settings:
            settings["micro_batch_size"] = "1"
        changed = config_from_json(with_settings(config_to_json(config), settings))
        assert preflight(changed, SHORT, shape, H100, devices).verdict in ("fits", "tight"), text


def test_the_verdict_goes_with_the_devices_memory():
    needed = preflight(CONFIG, SHORT, SMALL, H100).memory.num_bytes / 2**30
    verdicts = [
        preflight(CONFIG, SHORT, SMALL, replace(H100, memory_gib=needed * share)).verdict
        for share in (0.99, 1.1, 1.2)
    ]
    assert verdicts == ["too large", "tight", "fits"]
    tight = preflight(CONFIG, SHORT, SMALL, replace(H100, memory_gib=needed * 1.1))
    assert "the estimate may be off by 15%" in tight.warnings[-1]


def test_a_model_made_for_shorter_rows_is_warned_of():
    found = preflight(replace(CONFIG, block_size=8_192), rows(6_000), SMALL, H100)
    assert found.warnings == (
        "rows of up to 6,000 tokens, and the model was made for 4,096; choose another model, or block_size=4096",
    )


def test_sharding_on_one_device_is_warned_of():
    found = preflight(replace(CONFIG, sharding="full"), SHORT, SMALL, H100)
    assert found.warnings[0].startswith("sharding=full shards nothing on one device")


def test_without_a_device_memory_is_told_and_no_verdict():
    found = preflight(CONFIG, SHORT, SMALL, None)
    assert found.memory is not None
    assert (found.verdict, found.cost) == (None, None)


def test_without_a_shape_lengths_and_steps_are_told():
    found = preflight(CONFIG, SHORT, None, H100)
    assert (found.memory, found.cost, found.num_parameters) == (None, None, None)
    assert found.steps.num_steps == 15
    assert found.cuts.num_rows == 40


@pytest.mark.parametrize("count", [0, -1, 1.5, True])
def test_a_number_of_devices_that_is_none_is_refused(count):
    with pytest.raises(ConfigError, match=f"devices={count!r}; a whole number of 1 or more is needed"):
        preflight(CONFIG, SHORT, SMALL, H100, count)


def test_the_largest_micro_batch_holds_the_longest_rows():
    config = replace(CONFIG, micro_batch_size=2)
    side_by_side = largest_micro_batch(config, rows(300, 5_000, 900))
    assert (side_by_side.num_rows, side_by_side.num_tokens, side_by_side.longest) == (2, 8_192, 4_096)
    assert side_by_side.num_loss_tokens == 4_096 - 100 + 899 - 100
    one_row = largest_micro_batch(replace(config, is_padding_free=True), rows(300, 5_000, 900))
    assert (one_row.num_rows, one_row.num_tokens, one_row.longest) == (1, 4_996, 4_996)


def test_many_rows_take_no_more_lines_of_python_than_few():
    # a page asks at each key press; rows are gone through in arrays alone
    def count_lines(num_rows):
        totals = np.resize(np.arange(1_000, 3_000, 50), num_rows)
        lengths = RowLengths(np.arange(num_rows), totals, np.full(num_rows, 100), totals, np.full(num_rows, 50))
        count = 0

        def trace(frame, event, argument):
            nonlocal count
            count += event == "line"
            return trace

        sys.settrace(trace)
        try:
            preflight(replace(CONFIG, block_size=2_000), lengths, SMALL, H100)
        finally:
            sys.settrace(None)
        return count

    count_lines(1_000)  # what libraries do once is done
    assert count_lines(100_000) < 1.1 * count_lines(1_000)
