"""Models and a tokenizer made on the spot: random ones for equality, and ones that follow a table of transitions."""

from functools import cache

import numpy as np

# a model has rows for more ids than its tokenizer knows, as Qwen's do
SPARE_IDS = 13
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
WORDS = "Wait Hmm think answer Final Answer: step so the sum is 12 + 30 = 42 therefore Alternatively\n"


@cache
def make_tokenizer():
    """A byte-level BPE of about 300 ids with ChatML's special tokens, through Qwen2's own pre-tokenizer."""
    return train_tokenizer([WORDS] * 8)


def train_tokenizer(texts):
    """The same, trained on other texts."""
    import json

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers.models.qwen2.tokenization_qwen2 import Qwen2Tokenizer

    # Qwen2Tokenizer puts its own pre-tokenizer and normalizer in when it is loaded, so it is trained with them
    qwen = Qwen2Tokenizer().backend_tokenizer
    trained = Tokenizer(models.BPE())
    trained.normalizer, trained.pre_tokenizer = qwen.normalizer, qwen.pre_tokenizer
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator(texts, trainer)
    model = json.loads(trained.to_str())["model"]
    return Qwen2Tokenizer(
        vocab=model["vocab"],
        merges=[tuple(merge) for merge in model["merges"]],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>"],
        model_max_length=4096,
    )


def num_model_ids() -> int:
    return len(make_tokenizer()) + SPARE_IDS


def random_model(
    *,
    head: str = "Qwen2ForCausalLM",
    seed: int = 0,
    context_tokens: int = 1024,
    hidden: int = 48,
    **config,
):
    """A small Qwen2 with random weights, large enough that its logits are far apart."""
    import torch
    import transformers

    config = small_config(
        hidden_size=hidden, intermediate_size=2 * hidden, max_position_embeddings=context_tokens, **config
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return getattr(transformers, head)(config).eval()


def small_config(**changes):
    """A Qwen2Config for the tokenizer of the tests."""
    from transformers import Qwen2Config

    values = {
        "vocab_size": num_model_ids(),
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.3,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": make_tokenizer().eos_token_id,
    }
    return Qwen2Config(**values | changes)


def transition_model(transitions: np.ndarray, *, context_tokens: int = 4096):
    """A Qwen2 whose logits are `transitions[last id]`: embeddings are unit vectors, and its layers add nothing.

    Args:
        transitions: shape (ids, ids), float.
    """
    from transformers import Qwen2ForCausalLM

    num_ids = len(transitions)
    config = small_config(
        vocab_size=num_ids,
        hidden_size=(num_ids + 7) // 8 * 8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=context_tokens,
    )
    model = Qwen2ForCausalLM(config).eval()
    follow_table(model, transitions)
    return model


def follow_table(model, transitions: np.ndarray) -> None:
    """Give a Qwen2, at least as wide as it has ids, the weights of `transition_model`."""
    import torch

    num_ids = len(transitions)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.model.norm.weight.fill_(1.0)
        model.model.embed_tokens.weight[:, :num_ids] = torch.eye(num_ids)
        # what the last norm makes of a unit vector is about as long as the square root of its width
        shrunk = (1 / model.config.hidden_size + model.config.rms_norm_eps) ** 0.5
        model.lm_head.weight[:, :num_ids] = torch.tensor(transitions.T.copy()) * shrunk
