"""TRL's SFTTrainer, set up for a run: the paper's hyperparameters, our rows in our order, our metrics.

Rows come with ids and labels already, so that what is trained on is what the preview shows.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.errors import ConfigError
from training.checkpoints import CHECKPOINTS, mark_complete
from training.config import TrainingConfig
from training.devices import find_device, flops_per_token
from training.masking import Example
from training.metrics_log import MetricsLog
from training.order import order_rows
from training.prepared import OnStep, Prepared, cannot_load

if TYPE_CHECKING:
    from trl import SFTConfig


def sft_arguments(
    config: TrainingConfig, folder: Path, *, num_steps: int, num_rows: int, num_processes: int
) -> "SFTConfig":
    """The run in TRL's own terms.

    Args:
        num_processes: that share an optimizer step.

    Raises:
        ConfigError: the batch cannot be shared out to them.
    """
    import torch
    from trl import SFTConfig

    accumulated = config.num_accumulated(num_processes)
    on_cpu = config.device == "cpu" or not torch.cuda.is_available()
    steps_of_epoch = -(-num_rows // config.batch_size)
    is_sharded = config.sharding == "full" and num_processes > 1
    return SFTConfig(
        output_dir=str(folder / CHECKPOINTS),
        max_steps=num_steps,
        per_device_train_batch_size=config.micro_batch_size,
        gradient_accumulation_steps=accumulated,
        learning_rate=config.learning_rate,
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(config.schedule, config.schedule),
        warmup_steps=round_up(config.warmup_share * num_steps),
        optim="adamw_torch_fused",
        adam_beta1=config.beta1,
        adam_beta2=config.beta2,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        bf16=config.dtype == "bfloat16",
        # within FSDP activations are checkpointed by FSDP itself: otherwise parameters are gathered once more
        gradient_checkpointing=config.checkpoints_gradients and not is_sharded,
        fsdp=is_sharded,
        fsdp_config={
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "cpu_ram_efficient_loading": True,
            "activation_checkpointing": config.checkpoints_gradients,
        }
        if is_sharded
        else None,
        use_cpu=on_cpu,
        ddp_backend="gloo" if on_cpu and num_processes > 1 else None,
        ddp_find_unused_parameters=False,
        max_length=None,
        padding_free=config.is_padding_free,
        dataset_kwargs={"skip_prepare_dataset": True},
        dataloader_pin_memory=not on_cpu,
        remove_unused_columns=False,
        seed=config.seed,
        data_seed=config.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        save_steps=config.save_every or steps_of_epoch,
        save_total_limit=config.keep_checkpoints,
        accelerator_config={"even_batches": False, "split_batches": False},
        trust_remote_code=config.allows_remote_code,
    )


def round_up(number: float) -> int:
    """The least whole number that is not below; 15.75 steps of warm-up are 16, as in the paper."""
    return int(-(-number // 1))


def make_dataset(examples: Sequence[Example], pad_id: int) -> Any:
    """Ids and labels of every example, and behind them a row without loss that fills steps up."""
    from datasets import Dataset, Features, List, Value

    ids = List(Value("int32"))
    return Dataset.from_dict(
        {
            "input_ids": [*(example.ids for example in examples), [pad_id, pad_id]],
            "labels": [*(example.labels() for example in examples), [-100, -100]],
        },
        features=Features({"input_ids": ids, "labels": ids}),
    )


class _Order:
    """A sampler that gives the rows of all steps."""

    def __init__(self, order: Sequence[int]) -> None:
        self._order = order

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)


def make_trainer(
    prepared: Prepared,
    folder: Path,
    *,
    from_step: int,
    on_step: OnStep | None,
    should_stop: Callable[[], bool] | None,
) -> Any:
    """The trainer of a run, its model loaded.

    Raises:
        ConfigError: the model cannot be loaded, or the batch cannot be shared out to the processes.
    """
    import os

    import torch
    from transformers import AutoModelForCausalLM, PrinterCallback, TrainerCallback
    from transformers.utils.logging import disable_progress_bar
    from trl import SFTTrainer

    disable_progress_bar()  # type: ignore[no-untyped-call]
    config = prepared.config
    lengths = [len(example.ids) for example in prepared.examples]
    arguments = sft_arguments(
        config,
        folder,
        num_steps=prepared.num_steps,
        num_rows=len(lengths),
        num_processes=int(os.environ.get("WORLD_SIZE", "1")),
    )
    if arguments.fsdp and arguments.use_cpu:
        raise ConfigError("sharding=full needs GPUs; on processors give sharding=none")
    options = {} if config.attention is None else {"attn_implementation": config.attention}
    try:
        model = AutoModelForCausalLM.from_pretrained(
            config.model,
            dtype=torch.float32,
            trust_remote_code=config.allows_remote_code,
            use_safetensors=True,
            **options,
        )
    except (OSError, ValueError, ImportError) as error:
        raise cannot_load(config, "weights", error) from None
    tokenizer = prepared.tokenizer
    tokenizer.pad_token = prepared.pad_token
    order = order_rows(lengths, batch_size=config.batch_size, num_steps=prepared.num_steps, seed=config.seed)
    of_step = [
        [lengths[row] for row in order[at : at + config.batch_size] if row >= 0]
        for at in range(0, len(order), config.batch_size)
    ]

    class Trainer(SFTTrainer):  # type: ignore[misc]
        """With our order of rows."""

        device_name = ""

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return _Order([len(lengths) if row < 0 else row for row in order])

        def close(self) -> None:
            """Let go of the metrics' file."""
            if log is not None:
                log.close()

    log: MetricsLog | None = None

    class Watch(TrainerCallback):
        """Writes metrics, marks checkpoints, and stops when asked to."""

        began = 0.0

        def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            self.began = time.perf_counter()

        def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            logs: dict[str, Any] = rest["logs"]
            if log is None or "loss" not in logs:
                return
            step = state.global_step
            seconds = time.perf_counter() - self.began
            tokens, squares = sum(of_step[step - 1]), sum(length**2 for length in of_step[step - 1])
            line = {
                "step": step,
                "epoch": step * config.batch_size / (-(-len(lengths) // config.batch_size) * config.batch_size),
                "loss": float(logs["loss"]),
                "learning_rate": float(logs["learning_rate"]),
                "grad_norm": float(logs["grad_norm"]) if "grad_norm" in logs else None,
                "tokens": tokens,
                "seconds": round(seconds, 4),
                "tokens_per_second": round(tokens / seconds, 1),
                "memory_bytes": _memory_bytes(),
                "mfu": _mfu(model, trainer.device_name, tokens, squares, seconds, args.world_size),
            }
            log.add(line)
            if on_step is not None:
                on_step(line, prepared.num_steps)

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
            if _anybody(should_stop is not None and should_stop(), args.device):
                control.should_save = control.should_training_stop = True
            return control

        def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.is_world_process_zero:
                mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}", state.global_step)

    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=make_dataset(prepared.examples, tokenizer.pad_token_id),
        processing_class=tokenizer,
        callbacks=[Watch()],
        **_adapters(config),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.device_name = torch.cuda.get_device_name() if arguments.device.type == "cuda" else "cpu"
    if trainer.is_world_process_zero():
        log = MetricsLog(folder, from_step=from_step)
    return trainer


def _anybody(asked: bool, device: Any) -> bool:
    """Whether any process was asked to stop: one that stopped alone would leave the others waiting for it."""
    import torch

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return asked
    flag = torch.tensor([int(asked)], device=device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag.item())


def _adapters(config: TrainingConfig) -> dict[str, Any]:
    if not config.lora.rank:
        return {}
    try:
        from peft import LoraConfig
    except ImportError:
        raise ConfigError("lora needs peft, which is not installed: pip install s1web[lora]") from None
    return {
        "peft_config": LoraConfig(
            r=config.lora.rank, lora_alpha=config.lora.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
        )
    }


def _memory_bytes() -> int:
    """The most that was taken: of the device, else of this process."""
    import resource

    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _mfu(model: Any, device_name: str, tokens: int, squares: int, seconds: float, num_devices: int) -> float | None:
    """Share of the device's peak that the model's own operations took; None where its peak is not known."""
    device = find_device(device_name)
    if device is None:
        return None
    shape = model.config
    per_token = flops_per_token(
        model.num_parameters(),
        num_layers=shape.num_hidden_layers,
        hidden=shape.num_attention_heads * getattr(shape, "head_dim", shape.hidden_size // shape.num_attention_heads),
        mean_context=squares / tokens / 2,
    )
    return round(per_token * tokens / seconds / num_devices / (device.peak_tflops * 1e12), 4)
