"""A process of two that train a model under FSDP; prints counted and estimated bytes as JSON.

The trainer shards on no CPU, so that the model is wrapped here as accelerate's `fsdp2_prepare_model` does it: every
layer and the embedding a group each, the last norm and the head one that is not given back before its backward pass.
"""

import json
import sys

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers import Qwen2Config, Qwen2ForCausalLM
from trl.trainer.utils import add_fused_lm_head

from tests.training.preflight.tensor_memory import counted_peak
from training.config import TrainingConfig
from training.preflight import memory
from training.preflight.shape import shape_from_config

NUM_TOKENS, NUM_QUESTION = 512, 16
MODEL = Qwen2Config(
    vocab_size=2_000,
    hidden_size=512,
    intermediate_size=1_536,
    num_hidden_layers=6,
    num_attention_heads=8,
    num_key_value_heads=2,
    tie_word_embeddings=False,
)


class PartsOnCpu(memory._Parts):
    """The estimate of two sharded devices, with the loss as it is folded on a CPU."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.is_on_cpu = True


def make_model(mesh, *, checkpoints):
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(MODEL)
    add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    if checkpoints:
        model.gradient_checkpointing_enable()
    model.train()
    half = torch.bfloat16
    options = {
        "mesh": mesh,
        "mp_policy": MixedPrecisionPolicy(param_dtype=half, reduce_dtype=half, output_dtype=half),
    }
    for part in (*model.model.layers, model.model.embed_tokens):
        fully_shard(part, reshard_after_forward=True, **options)
    fully_shard([model.model.norm, model.lm_head], reshard_after_forward=False, **options)
    fully_shard(model, **options)
    model.forward = torch.autocast("cpu", dtype=half)(model.forward)
    return model


def main(num_micro_batches: int, checkpoints: bool) -> None:
    dist.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (2,))
    ids = torch.arange(NUM_TOKENS)[None]
    labels = ids.clone()
    labels[:, :NUM_QUESTION] = -100

    def make_and_run(count):
        model = make_model(mesh, checkpoints=checkpoints)
        optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
        for parameter in model.parameters():
            count(parameter)

        def run():
            for _ in range(2):
                for micro_batch in range(num_micro_batches):
                    # as accelerate's no_sync
                    model.set_requires_gradient_sync(micro_batch == num_micro_batches - 1)
                    out = model(input_ids=ids, labels=labels, fused_lm_head=True)
                    (-out.log_probs.sum() / NUM_TOKENS).backward()
                    del out
                optimizer.step()
                optimizer.zero_grad()

        return run

    counted = counted_peak(make_and_run, resizes=True)
    memory._Parts = PartsOnCpu
    config = TrainingConfig(
        "m", "d", sharding="full", batch_size=2 * num_micro_batches, checkpoints_gradients=checkpoints
    )
    batch = memory.MicroBatch(1, NUM_TOKENS, NUM_TOKENS, NUM_TOKENS - NUM_QUESTION)
    estimated = memory.estimate_memory(config, shape_from_config(MODEL.to_dict()), batch, num_devices=2)
    if dist.get_rank() == 0:
        print(json.dumps([counted, estimated.peak.num_bytes]))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "1")
