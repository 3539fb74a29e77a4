"""Memory: against what the real trainer holds, and each setting against what it is for."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.preflight.tensor_memory import measure
from training.config import Lora, TrainingConfig
from training.preflight.memory import GIB, Calibration, MicroBatch, estimate_memory
from training.preflight.paper import QWEN_32B
from training.preflight.shape import ModelShape

WIDE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 3}
DEEP = {"num_hidden_layers": 12}
MANY_IDS = {"vocab_size": 40_000, "tie_word_embeddings": True}


@pytest.mark.parametrize(
    ("name", "rows", "shape", "changes"),
    [
        ("weights weigh most", [32], WIDE, {}),
        ("gradients are kept between micro-batches", [32, 32], WIDE, {}),
        ("copies of weights outweigh checkpoints", [32, 32], WIDE, {"checkpoints_gradients": True}),
        ("one layer is computed again", [256], WIDE, {"checkpoints_gradients": True}),
        ("activations of many layers", [1024, 1024], DEEP, {}),
        ("the head of many ids, tied", [64, 64], MANY_IDS, {}),
        ("float32", [64, 64], {"hidden_size": 512, "intermediate_size": 2048}, {"dtype": "float32"}),
        ("eager attention", [700], {}, {"attention": "eager", "checkpoints_gradients": True}),
        ("rows of two lengths side by side", [512, 500, 490, 480], {}, {"micro_batch_size": 2}),
        ("rows behind each other", [512, 500, 490, 480], {}, {"micro_batch_size": 2, "is_padding_free": True}),
    ],
)
def test_the_estimate_is_within_a_tenth_of_what_the_trainer_holds(name, rows, shape, changes, tmp_path):
    counted, memory = measure(tmp_path, rows, shape=shape, **changes)
    assert memory.peak.num_bytes == pytest.approx(counted, rel=0.1), memory.peak


@pytest.mark.parametrize(("num_micro_batches", "checkpoints"), [(1, 1), (2, 0)])
def test_the_estimate_is_within_a_tenth_of_what_sharded_devices_hold(num_micro_batches, checkpoints):
    program = Path(__file__).with_name("sharded.py")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launcher, str(program), str(num_micro_batches), str(checkpoints)],
        cwd=program.parents[3],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(program.parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counted, estimated = json.loads(done.stdout)
    assert estimated == pytest.approx(counted, rel=0.1)


SMALL = ModelShape("qwen2", 24, 896, 4864, 14, 2, 64, 151_936, is_tied=True, has_qkv_bias=True)
BATCH = MicroBatch(num_rows=1, num_tokens=8_192, longest=8_192, num_loss_tokens=8_000)
CONFIG = TrainingConfig("m", "d")


def at(moment_name, config=CONFIG, shape=SMALL, batch=BATCH, **options):
    memory = estimate_memory(config, shape, batch, **options)
    moment = next(moment for moment in memory.moments if moment.name == moment_name)
    return {line.name: line.num_bytes for line in moment.lines}


def test_a_trained_parameter_takes_sixteen_bytes():
    lines = at("optimizer step")
    assert lines["parameters"] == 4 * SMALL.num_parameters
    assert lines["gradients"] == 4 * SMALL.num_parameters
    assert lines["optimizer"] == 8 * SMALL.num_parameters
    assert sum(lines.values()) == 16 * SMALL.num_parameters


def test_full_sharding_divides_the_sixteen_bytes_and_no_sharding_adds_buckets():
    full, none = replace(CONFIG, sharding="full"), CONFIG
    assert sum(at("optimizer step", full, num_devices=8).values()) == pytest.approx(2 * SMALL.num_parameters)
    assert at("optimizer step", none, num_devices=8)["gradients"] == 8 * SMALL.num_parameters


def test_sharded_gradients_wait_whole_between_micro_batches():
    full = replace(CONFIG, sharding="full")
    assert at("end of the forward pass", full, num_devices=16)["gradients"] == 0
    assert at("end of the forward pass", full, num_devices=8)["gradients"] == 2 * SMALL.num_parameters


def test_nothing_is_sharded_on_a_cpu():
    lines = at("optimizer step", replace(CONFIG, sharding="full", device="cpu"), num_devices=8)
    assert lines["parameters"] == 4 * SMALL.num_parameters


def test_checkpointing_keeps_the_layers_inputs_alone():
    kept = at("end of the forward pass", replace(CONFIG, checkpoints_gradients=True))["activations"]
    inputs = SMALL.num_layers * 4 * SMALL.hidden * BATCH.num_tokens
    assert inputs < kept < 1.1 * inputs
    assert at("end of the forward pass")["activations"] > 5 * kept


def test_adapters_need_gradients_and_states_for_themselves_alone():
    lora = replace(CONFIG, lora=Lora(rank=32))
    trained = SMALL.num_adapter_parameters(32)
    lines = at("optimizer step", lora)
    assert lines["parameters"] == 4 * (SMALL.num_parameters + trained)
    assert lines["gradients"] + lines["optimizer"] == 12 * trained


@pytest.mark.parametrize("name", ["activations", "head", "working"])
def test_each_part_that_kernels_decide_has_a_factor(name):
    moments = {"activations": "loss", "head": "loss", "working": "backward, last layer"}
    before = at(moments[name])
    after = at(moments[name], calibration=Calibration(**{name: 1.5}))
    assert after[name] == pytest.approx(1.5 * before[name])
    assert after | {name: 0} == before | {name: 0}


def test_the_peak_is_the_fullest_moment_and_its_lines_add_up():
    memory = estimate_memory(CONFIG, SMALL, BATCH, calibration=Calibration(reserve_share=0.0, reserve_bytes=7))
    assert memory.peak.num_bytes == max(moment.num_bytes for moment in memory.moments)
    assert memory.num_bytes == sum(line.num_bytes for line in memory.peak.lines) + 7


def test_logits_of_a_long_row_are_never_held_whole():
    head = at("loss", shape=QWEN_32B, batch=replace(BATCH, num_tokens=32_768, num_loss_tokens=32_768))["head"]
    assert head < 32_768 * QWEN_32B.vocabulary * 2


def test_the_papers_model_needs_checkpointing_on_sixteen_h100():
    config = replace(CONFIG, sharding="full")
    batch = MicroBatch(1, 13_000, 13_000, 12_800)
    plain = estimate_memory(config, QWEN_32B, batch, num_devices=16)
    checked = estimate_memory(replace(config, checkpoints_gradients=True), QWEN_32B, batch, num_devices=16)
    assert checked.num_bytes < 79 * GIB < 2 * 79 * GIB < plain.num_bytes
