"""Time: the run's own order of rows, and who waits for whom."""

from dataclasses import replace

import numpy as np
import pytest

from curation.errors import ConfigError
from training.config import Lora, TrainingConfig
from training.devices import DEVICES, flops_per_token
from training.order import order_rows
from training.preflight.cost import estimate_cost, measure_pace, step_rows
from training.preflight.paper import QWEN_32B
from training.preflight.shape import ModelShape

SHAPE = ModelShape("qwen2", 24, 896, 4864, 14, 2, 64, 151_936, is_tied=True, has_qkv_bias=True)
CONFIG = TrainingConfig("m", "d", batch_size=8, epochs=2.0, seed=5)
LENGTHS = np.random.Generator(np.random.PCG64(3)).integers(100, 9_000, size=45)
H100 = DEVICES["H100"]


def model_flops(length, shape=SHAPE):
    per_token = flops_per_token(
        shape.num_parameters, num_layers=shape.num_layers, hidden=shape.query_width, mean_context=length / 2
    )
    return per_token * length


def test_steps_have_the_rows_of_the_run():
    steps = step_rows(LENGTHS, batch_size=8, num_steps=6, seed=5)
    order = order_rows(LENGTHS.tolist(), batch_size=8, num_steps=6, seed=5)
    assert steps.ravel().tolist() == [0 if row < 0 else LENGTHS[row] for row in order]


@pytest.mark.parametrize("sharding", ["none", "full"])
@pytest.mark.parametrize("micro", [1, 2])
@pytest.mark.parametrize("is_padding_free", [False, True])
@pytest.mark.parametrize("num_devices", [1, 2, 4])
def test_the_slowest_device_is_the_one_that_a_slow_count_finds(sharding, micro, is_padding_free, num_devices):
    config = replace(CONFIG, sharding=sharding, micro_batch_size=micro, is_padding_free=is_padding_free)
    pace = measure_pace(config, SHAPE, LENGTHS, num_devices=num_devices)
    order = order_rows(LENGTHS.tolist(), batch_size=8, num_steps=6, seed=5)
    critical = done = 0.0
    for step in range(6):
        rows = [0 if row < 0 else int(LENGTHS[row]) for row in order[step * 8 : step * 8 + 8]]
        batches = [rows[at : at + micro] for at in range(0, 8, micro)]
        costs = [sum(model_flops(n if is_padding_free else max(batch)) for n in batch) for batch in batches]
        done += sum(costs)
        rounds = [costs[at : at + num_devices] for at in range(0, len(costs), num_devices)]
        if sharding == "full":
            critical += sum(max(together) for together in rounds)
        else:
            critical += max(sum(together[device] for together in rounds) for device in range(num_devices))
    assert pace.critical == pytest.approx(critical)
    assert pace.done == pytest.approx(done)
    assert pace.flops == pytest.approx(sum(model_flops(int(n)) for n in LENGTHS))


def test_one_device_that_never_waits_reaches_the_assumed_share_of_its_peak():
    cost = estimate_cost(CONFIG, SHAPE, LENGTHS, H100, mfu=0.3)
    assert (cost.mfu, cost.busy_share, cost.padding_share) == pytest.approx((0.3, 1.0, 0.0))
    assert cost.hours == pytest.approx(2 * sum(model_flops(int(n)) for n in LENGTHS) / (0.3 * 989e12) / 3600)
    assert cost.tokens_per_second == pytest.approx(2 * LENGTHS.sum() / cost.hours / 3600)


def test_devices_that_wait_for_the_longest_row_cost_more():
    alone = estimate_cost(CONFIG, SHAPE, LENGTHS, H100)
    eight = estimate_cost(CONFIG, SHAPE, LENGTHS, H100, num_devices=8)
    assert eight.busy_share < 0.8
    assert eight.device_hours == pytest.approx(alone.device_hours / eight.busy_share)
    assert eight.mfu == pytest.approx(alone.mfu * eight.busy_share)


def test_checkpointing_takes_about_a_third_more_and_adapters_about_a_third_less():
    plain = estimate_cost(CONFIG, QWEN_32B, LENGTHS, H100).hours
    checked = estimate_cost(replace(CONFIG, checkpoints_gradients=True), QWEN_32B, LENGTHS, H100).hours
    adapted = estimate_cost(replace(CONFIG, lora=Lora(rank=16)), QWEN_32B, LENGTHS, H100).hours
    assert checked / plain == pytest.approx(4 / 3, rel=0.02)
    assert adapted / plain == pytest.approx(2 / 3, rel=0.05)


def test_rows_of_one_length_have_no_padding_and_rows_of_several_have():
    config = replace(CONFIG, micro_batch_size=4)
    even = estimate_cost(config, SHAPE, np.full(8, 500), H100)
    uneven = estimate_cost(config, SHAPE, np.array([500] + [100] * 7), H100)
    assert even.padding_share == 0.0
    # three of the four beside the long row are filled up to it
    assert uneven.padding_share == pytest.approx(1_200 / 2_400)


def test_a_run_shorter_than_an_epoch_counts_its_own_steps():
    short = estimate_cost(replace(CONFIG, max_steps=3), SHAPE, LENGTHS, H100)
    rows = step_rows(LENGTHS, batch_size=8, num_steps=3, seed=5)
    assert short.flops == pytest.approx(sum(model_flops(int(n)) for n in rows.ravel()))


def test_the_price_is_the_devices_or_the_users():
    usual = estimate_cost(CONFIG, SHAPE, LENGTHS, H100, num_devices=2)
    own = estimate_cost(CONFIG, SHAPE, LENGTHS, H100, num_devices=2, dollars_per_hour=10.0)
    assert usual.dollars == pytest.approx(usual.device_hours * H100.dollars_per_hour)
    assert own.dollars == pytest.approx(own.hours * 2 * 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mfu": 0.0}, "mfu=0; a share of the peak above 0, 1 at most, is needed"),
        ({"mfu": 40.0}, "mfu=40; a share"),
        ({"mfu": float("nan")}, "mfu=nan; a share"),
        ({"dollars_per_hour": -1.0}, "dollars_per_hour=-1; a number from 0 is needed"),
        ({"dollars_per_hour": float("inf")}, "dollars_per_hour=inf"),
        ({"num_devices": 3}, "batch_size=8 cannot be shared out to 3 processes"),
    ],
)
def test_what_is_no_share_price_or_split_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        estimate_cost(CONFIG, SHAPE, LENGTHS, H100, **options)
