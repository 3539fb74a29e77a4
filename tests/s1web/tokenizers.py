"""Small tokenizers, made in a moment."""

from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers


def write_tokenizer(path: Path, *, is_slow: bool = False) -> str:
    """A tokenizer.json of a few hundred tokens; a slow one takes seconds over one long text, in a single call."""
    tokenizer = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=300, show_progress=False)
    if not is_slow:
        # without it a whole text is one word, which is merged pair by pair
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(["let me think step by step about this sum, wait"] * 3, trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    return str(path)
