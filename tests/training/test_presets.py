"""Presets: the paper's run, down to the trainer's own arguments."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT
from training.config import TrainingConfig, config_from_json
from training.presets import PRESETS, find_preset

# one of 16 processes, as the paper's 16 devices; the process group is torch's own for tests, which sends nothing
_AS_ONE_OF_16 = """
import json, sys
import torch.distributed
from pathlib import Path
from torch.testing._internal.distributed.fake_pg import FakeStore

torch.distributed.init_process_group("fake", rank=0, world_size=16, store=FakeStore())
from training.config import config_from_json
from training.trainer import sft_arguments

config = config_from_json({"preset": "s1", "model": "Qwen/Qwen2.5-32B-Instruct", "data": "s1k"})
num_steps = config.num_steps(1000)
arguments = sft_arguments(config, Path(sys.argv[1]), num_steps=num_steps, num_rows=1000, num_processes=16)
print(json.dumps({**arguments.to_dict(), "world_size": arguments.world_size, "plugin": arguments.fsdp_plugin_args}))
"""


@pytest.fixture(scope="module")
def papers_arguments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What TRL is told for the paper's run on 16 devices."""
    ranks = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "16", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    done = subprocess.run(
        [sys.executable, "-c", _AS_ONE_OF_16, str(tmp_path_factory.mktemp("run"))],
        cwd=ROOT,
        env=os.environ | ranks,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    arguments: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return arguments


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # 5 epochs of 1,000 rows in batches of 16 sequences: 63 steps an epoch
        ("max_steps", 315),
        ("world_size", 16),
        ("per_device_train_batch_size", 1),
        ("gradient_accumulation_steps", 1),
        ("learning_rate", 1e-5),
        # 5% of 315, rounded up
        ("warmup_steps", 16),
        ("lr_scheduler_type", "cosine"),
        # to 0, in half a wave
        ("lr_scheduler_kwargs", None),
        ("optim", "adamw_torch_fused"),
        ("adam_beta1", 0.9),
        ("adam_beta2", 0.95),
        ("weight_decay", 1e-4),
        ("bf16", True),
        ("fp16", False),
        ("fsdp", True),
        ("gradient_checkpointing", False),
        # rows come cut to the block size, and one by one
        ("max_length", None),
        ("packing", False),
        ("loss_type", "nll"),
        ("label_smoothing_factor", 0.0),
    ],
)
def test_s1_is_the_papers_run_in_the_trainers_own_arguments(
    papers_arguments: dict[str, Any], name: str, value: object
) -> None:
    assert papers_arguments[name] == value


def test_s1_shards_everything_and_wraps_by_decoder_layer(papers_arguments: dict[str, Any]) -> None:
    plugin = papers_arguments["plugin"]
    assert plugin["auto_wrap_policy"] == "TRANSFORMER_BASED_WRAP"
    # parameters are given back behind each layer's forward pass: what FSDP calls full shard
    assert plugin["reshard_after_forward"] is True


def test_s1_holds_a_row_of_32768_tokens_with_loss_behind_the_question_alone() -> None:
    config = config_from_json({"preset": "s1", "model": "m", "data": "d"})
    assert (config.block_size, config.format.profile, config.format.variant) == (32_768, "s1", "plain")
    assert (config.lora.rank, config.is_padding_free) == (0, False)


def test_s1_1_cuts_at_20000_and_is_the_papers_run_in_all_else() -> None:
    assert {**find_preset("s1.1")} == {**find_preset("s1"), "block_size": 20_000}


def test_59k_full_trains_as_s1_does() -> None:
    assert find_preset("59k-full") == find_preset("s1")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_a_run_and_says_what_to_expect(name: str) -> None:
    assert isinstance(config_from_json({"preset": name, "model": "m", "data": "d"}), TrainingConfig)
    assert len(PRESETS[name].note.split()) > 15


def test_small_and_lora_runs_fit_one_device() -> None:
    for name in ("small", "lora"):
        config = config_from_json({"preset": name, "model": "m", "data": "d"})
        assert (config.sharding, config.checkpoints_gradients) == ("none", True)
    assert config_from_json({"preset": "lora", "model": "m", "data": "d"}).lora.rank == 32
