"""A run's rows, tokenizer and examples: everything that it trains on, before a model is loaded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.errors import ConfigError, InputError, RowError
from training.config import TrainingConfig
from training.masking import Example, ExampleMaker, find_pad_token
from training.rows import TrainingRow, read_rows

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")

OnStep = Callable[[dict[str, Any], int], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that a run trains on, before a model is loaded.

    Attributes:
        examples: of every row, cut to the block size.
        num_cut: rows that lost their end.
        num_lost: tokens with loss that were cut off.
    """

    config: TrainingConfig
    tokenizer: Any
    pad_token: str
    rows: Sequence[TrainingRow]
    examples: Sequence[Example]
    num_cut: int
    num_lost: int

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.config.num_steps(len(self.examples))


def prepare(config: TrainingConfig) -> Prepared:
    """Read the rows and make their ids and masks.

    Raises:
        InputError: the data cannot be read, or a row cannot be trained on.
        ConfigError: the model has no tokenizer that fits, or the block size is below the longest answer.
    """
    rows = read_rows(config.data, generator=config.generator)
    tokenizer = load_tokenizer(config)
    pad_token = find_pad_token(tokenizer, config.pad_token)
    maker = ExampleMaker(tokenizer, config.format)
    whole = [make_example(maker, row, config) for row in rows]
    longest = max(example.num_answer for example in whole)
    if longest > config.block_size:
        raise ConfigError(
            f"block_size={config.block_size} is below the longest answer ({longest} tokens); give {longest} at "
            "least, far more to keep thinking with it"
        )
    examples = [example.cut(config.block_size) for example in whole]
    empty = next((row for row, example in zip(rows, examples, strict=True) if example.last <= example.first), None)
    if empty is not None:
        raise ConfigError(
            f"block_size={config.block_size} leaves nothing of row {empty.number} to learn: its question alone is as "
            "long; give a larger one"
        )
    cut = [(one.last - one.first) - (kept.last - kept.first) for one, kept in zip(whole, examples, strict=True)]
    return Prepared(config, tokenizer, pad_token, rows, examples, sum(lost > 0 for lost in cut), sum(cut))


def make_example(maker: ExampleMaker, row: TrainingRow, config: TrainingConfig) -> Example:
    """A row's example, whole.

    Raises:
        InputError: it cannot be trained on; the message names the row.
    """
    try:
        return maker.make(row.question, row.thinking, row.attempt)
    except RowError as error:
        raise InputError(f"{config.data}: row {row.number}: {error}") from None


def load_tokenizer(config: TrainingConfig) -> Any:
    """The model's tokenizer.

    Raises:
        ConfigError: there is none.
    """
    from transformers import AutoTokenizer

    folder = Path(config.model)
    # transformers makes an empty tokenizer of a folder that has none
    if folder.is_dir() and not any((folder / name).exists() for name in _TOKENIZER_FILES):
        raise ConfigError(
            f"model {config.model!r:.200} has no tokenizer; one of {', '.join(_TOKENIZER_FILES)} is needed"
        )
    try:
        return AutoTokenizer.from_pretrained(config.model, trust_remote_code=config.allows_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise cannot_load(config, "tokenizer", error) from None


def cannot_load(config: TrainingConfig, what: str, error: Exception) -> ConfigError:
    """Why the tokenizer or the weights of a run's model cannot be loaded."""
    if "trust_remote_code" in str(error):
        return ConfigError(
            f"model {config.model!r:.200} brings code of its own, which does not run here; read it, and allow it "
            "with allows_remote_code"
        )
    return ConfigError(f"model {config.model!r:.200}: its {what} cannot be loaded: {first_line(error)}")


def first_line(error: Exception) -> str:
    """What a library's error says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
