"""What a run of the real trainer holds in tensors, counted on a CPU: every storage from its making to its end.

Torch's own allocator on a GPU counts the same storages, but for what kernels take within themselves.
"""

import weakref
from pathlib import Path

from tests.inference.models import make_tokenizer
from training.config import TrainingConfig
from training.masking import Example
from training.preflight.check import largest_micro_batch
from training.preflight.lengths import lengths_of
from training.preflight.memory import Memory, estimate_memory
from training.preflight.shape import shape_from_config
from training.rows import TrainingRow


def counted_peak(make_and_run, *, resizes: bool = False) -> int:
    """Bytes of the storages that were alive at once, at most.

    Args:
        make_and_run: given a function that counts a tensor, makes what is to be run and returns what runs it.
        resizes: storages change their size while they live, as FSDP's gathered weights do; counting takes longer.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_flatten

    alive: dict[int, int] = {}
    storages: dict[int, weakref.ref] = {}
    now = peak = 0

    def end(key: int) -> None:
        nonlocal now
        now -= alive.pop(key, 0)
        storages.pop(key, None)

    def count(tensor) -> None:
        nonlocal now, peak
        # a sharded tensor's own storage is the size of the whole, and holds nothing
        storage = getattr(tensor, "_local_tensor", tensor).untyped_storage()
        key = storage._cdata
        if key in alive:
            return
        alive[key] = storage.nbytes()
        storages[key] = weakref.ref(storage)
        now += alive[key]
        peak = max(peak, now)
        weakref.finalize(storage, end, key)

    def measure_anew() -> None:
        nonlocal now, peak
        for key, reference in list(storages.items()):
            storage = reference()
            if storage is not None and key in alive:
                alive[key] = storage.nbytes()
        now = sum(alive.values())
        peak = max(peak, now)

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            for value in tree_flatten(out)[0]:
                if isinstance(value, torch.Tensor):
                    count(value)
            if resizes:
                measure_anew()
            return out

    run = make_and_run(count)
    with Counting():
        run()
    return peak


def measure(folder: Path, row_lengths: list[int], *, shape: dict, **settings) -> tuple[int, Memory]:
    """Train a few steps on rows of those lengths; the bytes that were counted, and what was estimated."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from training.prepared import Prepared
    from training.trainer import make_trainer

    model_config = Qwen2Config(
        **{
            "vocab_size": 330,
            "hidden_size": 256,
            "intermediate_size": 768,
            "num_hidden_layers": 4,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "tie_word_embeddings": False,
            "pad_token_id": None,
            "bos_token_id": None,
            "eos_token_id": make_tokenizer().eos_token_id,
        }
        | shape
    )
    Qwen2ForCausalLM(model_config).save_pretrained(folder / "start")
    config = TrainingConfig(
        str(folder / "start"), "none", device="cpu", batch_size=len(row_lengths), max_steps=2, **settings
    )
    examples = [Example(tuple(5 + place % 200 for place in range(n)), 10, n, n - 20) for n in row_lengths]
    rows = [TrainingRow(number, "", "", "") for number in range(1, len(examples) + 1)]
    prepared = Prepared(config, make_tokenizer(), "<|endoftext|>", rows, examples, 0, 0)

    def make_and_run(count):
        trainer = make_trainer(prepared, folder / "run", from_step=0, on_step=None, should_stop=None)
        trainer.args.save_strategy = "no"
        for parameter in trainer.model.parameters():
            count(parameter.data)

        def run():
            trainer.train()
            trainer.close()

        return run

    batch = largest_micro_batch(config, lengths_of(range(1, len(rows) + 1), examples))
    return counted_peak(make_and_run), estimate_memory(config, shape_from_config(model_config.to_dict()), batch)
