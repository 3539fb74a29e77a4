"""Carries a run out: model, rows, TRL's trainer, checkpoints, metrics, and the finished model (s1 §4.1, appendix C).

A run's folder holds run.json (config and what made it), metrics.jsonl, checkpoints/ and, once it is done, model/.
torch, transformers and trl are loaded when a run begins.
"""

import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from curation.errors import ConfigError, S1WebError
from training.checkpoints import CHECKPOINTS, newest_checkpoint
from training.config import TrainingConfig, config_to_json
from training.prepared import OnStep, Prepared, first_line, prepare
from training.rows import rows_sha256

RUN, MODEL = "run.json", "model"
# less is left where a file could not be written to its end
_FULL_BYTES = 1 << 20
_LIBRARIES = ("torch", "transformers", "trl", "accelerate", "tokenizers", "datasets")


def carry_out(
    config: TrainingConfig,
    folder: Path,
    *,
    on_step: OnStep | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Train, or go on from the newest whole checkpoint.

    Args:
        on_step: called with each line of the metrics and the number of steps, in the first process alone.
        should_stop: asked after each step; True: a checkpoint is written, and the run ends there.

    Returns:
        What run.json holds at the end: state (done or stopped), step, and everything that made the model.

    Raises:
        S1WebError: it cannot begin or go on; one line says why.
    """

    prepared = prepare(config)
    is_first = int(os.environ.get("RANK", "0")) == 0
    record = _record(prepared)
    before = _earlier(folder, record) if is_first else _recorded(folder)
    if before is not None and before["state"] == "done":
        return before
    if is_first:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder / f"{MODEL}.tmp")
    found = newest_checkpoint(folder) if is_first or (folder / CHECKPOINTS).is_dir() else None
    if is_first:
        _write_record(folder, record | {"state": "running", "step": found[1] if found else 0})
    try:
        return _train(prepared, folder, record, found, on_step, should_stop)
    except Exception as error:
        told = _told(error, folder)
        if is_first:
            # a checkpoint that was not written to its end is in the way of the next one
            whole = newest_checkpoint(folder)
            with suppress(OSError):
                state = {"state": "failed", "step": whole[1] if whole else 0, "error": first_line(told or error)}
                _write_record(folder, record | state)
        if told is None:
            raise
        raise told from None


def _told(error: Exception, folder: Path) -> S1WebError | None:
    """An error that a user can do something about, in one line; None: it is ours."""
    import torch

    if isinstance(error, S1WebError):
        return error
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return S1WebError(
            f"out of memory: {first_line(error)}; lower block_size or micro_batch_size, set checkpoints_gradients, "
            "or shard over more devices"
        )
    # torch, safetensors and tokenizers have an error of their own each, and torch's does not say what happened
    if "No space left on device" in str(error) or shutil.disk_usage(folder).free < _FULL_BYTES:
        return S1WebError(
            f"the disk of {folder} is full; make room and start again: the run goes on from its last whole checkpoint"
        )
    if isinstance(error, OSError):
        return S1WebError(f"{error.filename or folder}: {error.strerror or error}")
    return None


def _train(
    prepared: Prepared,
    folder: Path,
    record: dict[str, Any],
    found: tuple[Path, int] | None,
    on_step: OnStep | None,
    should_stop: Callable[[], bool] | None,
) -> dict[str, Any]:
    from training.trainer import make_trainer

    from_step = found[1] if found else 0
    trainer = make_trainer(prepared, folder, from_step=from_step, on_step=on_step, should_stop=should_stop)
    record = record | {"device": trainer.device_name, "processes": trainer.args.world_size}
    trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
    step = trainer.state.global_step
    is_done = step >= prepared.num_steps
    if is_done:
        target = folder / f"{MODEL}.tmp"
        trainer.save_model(str(target))
        if trainer.is_world_process_zero():
            shutil.rmtree(folder / MODEL, ignore_errors=True)
            target.rename(folder / MODEL)
    record = record | {"state": "done" if is_done else "stopped", "step": step}
    if trainer.is_world_process_zero():
        _write_record(folder, record)
    trainer.close()
    return record


def _record(prepared: Prepared) -> dict[str, Any]:
    config = prepared.config
    return {
        "config": config_to_json(config),
        "rows": len(prepared.rows),
        "rows_sha256": rows_sha256(prepared.rows),
        "steps": prepared.num_steps,
        "tokens": sum(len(example.ids) for example in prepared.examples),
        "tokens_with_loss": sum(example.last - example.first for example in prepared.examples),
        "cut_rows": prepared.num_cut,
        "cut_tokens": prepared.num_lost,
        "pad_token": prepared.pad_token,
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }


# what may differ where a run goes on
_FREE = ("micro_batch_size", "keep_checkpoints", "device", "save_every")


def _earlier(folder: Path, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the folder's run recorded so far; None where it is new.

    Raises:
        ConfigError: the folder holds another run: to go on with other settings would give a model that none describe.
    """
    before = _recorded(folder)
    if before is None:
        if folder.is_dir() and any(folder.iterdir()):
            raise ConfigError(f"{folder} holds other files; give a folder of the run's own")
        return None
    for name, value in record["config"].items():
        if name not in _FREE and before["config"].get(name) != value:
            raise ConfigError(
                f"{folder} holds a run with {name}={before['config'].get(name)!r:.60}, not {value!r:.60}; give "
                "another folder, or the same settings"
            )
    if before["rows_sha256"] != record["rows_sha256"]:
        raise ConfigError(f"{folder} holds a run on other rows; give another folder")
    return before


def _recorded(folder: Path) -> dict[str, Any] | None:
    path = folder / RUN
    if not path.exists():
        return None
    recorded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return recorded


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    new = folder / f"{RUN}.new"
    new.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(new, folder / RUN)
