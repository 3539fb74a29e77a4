"""python manage.py demo_data OUT_DIR: the demo pool, its benchmark and a tokenizer, all made here."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from curation.demo.pool import write_demo
from curation.errors import ConfigError
from s1web.management.base import Command as BaseCommand

VOCABULARY = 2_000


class Command(BaseCommand):
    help = "Write the demo pool: generated problems with traces, attempts and planted defects, and their benchmark."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("out_dir", metavar="OUT_DIR", help="the folder to write to; made where it is not there")
        parser.add_argument("--rows", type=int, default=2_400, metavar="N", help="rows of the pool (default: 2400)")
        parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the generator (default: 0)")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        started = time.monotonic()
        folder = Path(options["out_dir"]).expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            files = write_demo(folder, seed=options["seed"], num_questions=options["rows"])
        except ValueError as error:
            raise ConfigError(f"--rows {options['rows']}, --seed {options['seed']}: {error}") from None
        tokenizer = folder / "tokenizer.json"
        _train_tokenizer(files.pool, tokenizer)
        return {
            "pool": str(files.pool),
            "benchmark": str(files.benchmark),
            "planted": str(files.planted),
            "tokenizer": str(tokenizer),
            "seconds": round(time.monotonic() - started, 3),
        }

    def show(self, result: dict[str, Any], console: Console) -> None:
        for name in ("pool", "benchmark", "planted", "tokenizer"):
            console.print(f"{name}: {result[name]}")


def _train_tokenizer(pool: Path, path: Path) -> None:
    """A byte-level BPE tokenizer of the pool's own thinking texts, digits apart as Qwen's has them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    def texts() -> Iterator[str]:
        with pool.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                yield from json.loads(line)["thinking_trajectories"]

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    tokenizer.save(str(path))
