"""A training run as JSON and as command line settings: what is read, and what is refused with which words."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError, InputError
from training.config import (
    Lora,
    TrainingConfig,
    config_from_json,
    config_to_json,
    read_config,
    with_settings,
)
from training.formatting import TextFormat

FEWEST = {"model": "m", "data": "d"}
WHOLE = TrainingConfig(
    model="Qwen/Qwen2.5-0.5B-Instruct",
    data="exports/s1k",
    generator="deepseek",
    format=TextFormat("think", "token_conditional", "Be brief."),
    pad_token="<|pad|>",
    block_size=8_192,
    epochs=2.5,
    max_steps=100,
    batch_size=32,
    micro_batch_size=4,
    is_padding_free=True,
    learning_rate=2e-5,
    warmup_share=0.1,
    schedule="linear",
    beta1=0.8,
    beta2=0.99,
    weight_decay=0.01,
    max_grad_norm=0.5,
    dtype="float32",
    sharding="full",
    checkpoints_gradients=True,
    attention="eager",
    lora=Lora(8, 16),
    seed=7,
    save_every=10,
    keep_checkpoints=3,
    device="cpu",
    allows_remote_code=True,
)


@pytest.mark.parametrize("config", [TrainingConfig("m", "d"), WHOLE], ids=["fewest keys", "every key"])
def test_a_run_comes_back_from_json_as_it_was(config: TrainingConfig) -> None:
    assert config_from_json(json.loads(json.dumps(config_to_json(config)))) == config


def test_every_key_of_the_whole_run_differs_from_its_default() -> None:
    """Else a key that is lost on the way through JSON would not be seen."""
    defaults, whole = config_to_json(TrainingConfig("m", "d")), config_to_json(WHOLE)
    assert [name for name in defaults if defaults[name] == whole[name]] == []


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(FEWEST | {"seed": 3}))
    assert read_config(path) == TrainingConfig("m", "d", seed=3)


@pytest.mark.parametrize(("text", "error"), [(None, "give a JSON file that describes a run"), ("{", "no JSON")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, error: str) -> None:
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_config(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert error in str(refused.value)


def test_a_preset_gives_values_and_the_file_goes_before_it() -> None:
    config = config_from_json(FEWEST | {"preset": "small", "learning_rate": 3e-5})
    assert (config.block_size, config.learning_rate) == (8_192, 3e-5)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"model": ""}, "model=''; a name or a path is needed"),
        ({"model": 7}, "model=7; a name or a path is needed"),
        ({"data": None}, "data=None; a name or a path is needed"),
        ({"generator": None}, "generator=None; a text is needed"),
        ({"attention": 1}, "attention=1; a text is needed"),
        ({"pad_token": 0}, "pad_token=0; a text is needed"),
        ({"block_size": 0}, "block_size=0; a whole number of 1 or more is needed"),
        ({"block_size": 1.5}, "block_size=1.5; a whole number of 1 or more is needed"),
        ({"batch_size": True}, "batch_size=True; a whole number of 1 or more is needed"),
        ({"batch_size": "16"}, "batch_size='16'; a whole number of 1 or more is needed"),
        ({"micro_batch_size": -1}, "micro_batch_size=-1; a whole number of 1 or more is needed"),
        ({"keep_checkpoints": 0}, "keep_checkpoints=0; a whole number of 1 or more is needed"),
        ({"max_steps": 0}, "max_steps=0; a whole number of 1 or more is needed"),
        ({"save_every": 0}, "save_every=0; a whole number of 1 or more is needed"),
        ({"seed": -1}, "seed=-1; a whole number of 0 or more is needed"),
        ({"lora": {"rank": -1}}, "lora.rank=-1; a whole number of 0 or more is needed"),
        ({"lora": {"rank": 8, "alpha": 0}}, "lora.alpha=0; a whole number of 1 or more is needed"),
        ({"epochs": 0}, "epochs=0; a number above 0, 10000 at most is needed"),
        ({"epochs": float("nan")}, "epochs=nan; a number above 0, 10000 at most is needed"),
        ({"learning_rate": "1e-5x"}, "learning_rate='1e-5x'; a number above 0, 10 at most is needed"),
        ({"learning_rate": 0}, "learning_rate=0; a number above 0, 10 at most is needed"),
        ({"learning_rate": float("inf")}, "learning_rate=inf; a number above 0, 10 at most is needed"),
        ({"warmup_share": 1.1}, "warmup_share=1.1; a number from 0, 1 at most is needed"),
        ({"beta1": -0.1}, "beta1=-0.1; a number from 0, 1 at most is needed"),
        ({"beta2": True}, "beta2=True; a number from 0, 1 at most is needed"),
        ({"weight_decay": -1e-4}, "weight_decay=-0.0001; a number from 0, 10 at most is needed"),
        ({"max_grad_norm": -1}, "max_grad_norm=-1; a number from 0 is needed"),
        ({"schedule": "step"}, "schedule='step'; cosine or linear or constant is allowed"),
        ({"dtype": "float16"}, "dtype='float16'; bfloat16 or float32 is allowed"),
        ({"sharding": True}, "sharding=True; none or full is allowed"),
        ({"device": "cuda:1"}, "device='cuda:1'; auto or cpu is allowed"),
        ({"is_padding_free": 1}, "is_padding_free=1; true or false is needed"),
        ({"checkpoints_gradients": "yes"}, "checkpoints_gradients='yes'; true or false is needed"),
        ({"allows_remote_code": None}, "allows_remote_code=None; true or false is needed"),
        (
            {"batch_size": 16, "micro_batch_size": 5},
            "micro_batch_size=5 does not divide batch_size=16; give a divisor",
        ),
        ({"format": {"profile": "x"}}, "profile='x'; s1, think, harmony are allowed"),
        ({"preset": "s2"}, "preset='s2' is unknown; allowed: s1, s1.1, 59k-full, small, lora"),
        ({"preset": ["s1"]}, "preset=['s1'] is unknown; allowed: s1, s1.1, 59k-full, small, lora"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_in_one_line(values: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config_from_json(FEWEST | values)
    assert str(refused.value) == error


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ([], "the run is []; an object with options is needed: model, data, "),
        ({"model": "m"}, "the run has no data; give it"),
        ({"data": "d"}, "the run has no model; give it"),
        (FEWEST | {"lr": 1}, "the run has the unknown option 'lr'; allowed: model, data, "),
        (FEWEST | {"lora": 8}, "lora is 8; an object with options is needed: rank, alpha"),
        (FEWEST | {"lora": {"dropout": 0.1}}, "lora has the unknown option 'dropout'; allowed: rank, alpha"),
        (FEWEST | {"format": "s1"}, "format is 's1'; an object with options is needed: profile, variant, system"),
    ],
)
def test_an_object_that_is_no_run_is_refused(row: object, error: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config_from_json(row)
    assert str(refused.value).startswith(error)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("learning_rate", "2e-5", 2e-5),
        ("epochs", "3", 3.0),
        ("batch_size", "8", 8),
        ("max_steps", "12", 12),
        ("save_every", "4", 4),
        ("is_padding_free", "True", True),
        ("allows_remote_code", "false", False),
        ("attention", "eager", "eager"),
        ("pad_token", "<|pad|>", "<|pad|>"),
        ("data", "a=b", "a=b"),
    ],
)
def test_a_setting_is_read_as_its_key_wants_it(key: str, text: str, value: object) -> None:
    config = config_from_json(with_settings(FEWEST, {key: text}))
    assert getattr(config, key) == value
    assert type(getattr(config, key)) is type(value)


def test_a_setting_reaches_into_an_object_and_leaves_the_rest_of_it() -> None:
    row = with_settings(config_to_json(WHOLE), {"format.variant": "step_conditional", "lora.rank": "4"})
    expected = replace(WHOLE, format=TextFormat("think", "step_conditional", "Be brief."), lora=Lora(4, 16))
    assert config_from_json(row) == expected


def test_settings_leave_what_they_were_given_alone() -> None:
    row: dict[str, Any] = {"model": "m", "data": "d", "lora": {"rank": 1}}
    with_settings(row, {"lora.rank": "2", "seed": "9"})
    assert row == {"model": "m", "data": "d", "lora": {"rank": 1}}


@pytest.mark.parametrize(
    ("key", "text", "error"),
    [
        ("learning_rate", "1e-5x", "learning_rate='1e-5x'; a number is needed"),
        ("batch_size", "1.5", "batch_size='1.5'; a whole number is needed"),
        ("max_steps", "all", "max_steps='all'; a whole number is needed"),
        ("is_padding_free", "1", "is_padding_free='1'; true or false is needed"),
        ("lr", "1", "setting 'lr' is unknown; allowed: model, data, generator, format.profile, "),
        ("lora", "8", "setting 'lora' is unknown; allowed: "),
        ("lora.dropout", "0", "setting 'lora.dropout' is unknown; allowed: "),
        ("model.name", "x", "setting 'model.name' is unknown; allowed: "),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(key: str, text: str, error: str) -> None:
    with pytest.raises(ConfigError) as refused:
        with_settings(FEWEST, {key: text})
    assert str(refused.value).startswith(error)


@pytest.mark.parametrize(
    ("num_rows", "changes", "steps"),
    [
        (1_000, {}, 315),
        (1_000, {"epochs": 1.0}, 63),
        (1_008, {}, 315),
        (1_009, {}, 320),
        (16, {"epochs": 1.0}, 1),
        (1, {"epochs": 1.0}, 1),
        (1_000, {"epochs": 0.5}, 32),
        (1_000, {"max_steps": 100}, 100),
        (1_000, {"max_steps": 1_000}, 315),
        (59_029, {}, 18_450),
        # 0.1 + 0.2 is a little more than 0.3, and no step more
        (160, {"epochs": 0.1 + 0.2}, 3),
    ],
)
def test_epochs_come_to_so_many_steps(num_rows: int, changes: dict[str, Any], steps: int) -> None:
    assert replace(TrainingConfig("m", "d"), **changes).num_steps(num_rows) == steps


@pytest.mark.parametrize(("micro", "processes", "accumulated"), [(1, 1, 16), (1, 16, 1), (4, 2, 2), (16, 1, 1)])
def test_processes_share_a_batch_out(micro: int, processes: int, accumulated: int) -> None:
    assert TrainingConfig("m", "d", micro_batch_size=micro).num_accumulated(processes) == accumulated


def test_a_batch_that_processes_cannot_share_is_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        TrainingConfig("m", "d", micro_batch_size=2).num_accumulated(3)
    assert str(refused.value) == (
        "batch_size=16 cannot be shared out to 3 processes of micro_batch_size=2; give a multiple of 6"
    )
