"""python manage.py curate: a selection from the pool, by a preset or a recipe file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from curation.errors import ConfigError, InputError
from curation.presets import PRESETS, Recipe, find_preset, recipe_from_toml
from s1web.management.base import print_funnel
from s1web.management.jobs import JobCommand, Request


class Command(JobCommand):
    progress_label = "comparing with the benchmarks"
    help = "Select questions from the pool; the same pool, recipe and seed give the same selection everywhere."

    def add_options(self, parser: CommandParser) -> None:
        recipe = parser.add_mutually_exclusive_group(required=True)
        recipe.add_argument("--preset", metavar="NAME", help=f"one of {', '.join(PRESETS)}")
        recipe.add_argument("--recipe", metavar="FILE", help="a recipe of one's own (TOML)")
        parser.add_argument("--size", type=int, metavar="N", help="questions to select (default: the recipe's, 1000)")
        parser.add_argument("--seed", type=int, metavar="N", help="seed of the draws (default: the recipe's, 0)")
        parser.add_argument("--name", default="", help="name of the selection (default: recipe, size and seed)")
        parser.add_argument(
            "--tokenizer", metavar="NAME", help="whose trace lengths to use (default: that counted most traces)"
        )

    def request(self, options: dict[str, Any]) -> Request:
        recipe = find_preset(options["preset"]) if options["preset"] else read_recipe(options["recipe"])
        given = {name: options[name] for name in ("size", "seed", "tokenizer") if options[name] is not None}
        # the recipe as it is now: a job may start when the file has changed
        return Request("curate", {"recipe": replace(recipe, **given).to_toml(), "name": options["name"]})

    def show(self, result: dict[str, Any], console: Console) -> None:
        print_funnel(console, result["ledger"])
        console.print()
        console.print(f"selection {result['selection']}: {result['size']:,} questions, sha256 {result['sha256']}")
        console.print(f"run {result['run']}, {result['seconds']} s")
        for warning in result["warnings"]:
            self.warn(warning)


def read_recipe(name: str) -> Recipe:
    """The recipe in a file.

    Raises:
        InputError: the file is not there or is no text.
        ConfigError: it is not a recipe.
    """
    try:
        text = Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{name}: the recipe is not UTF-8 text; see docs/guide/recipes.md") from None
    try:
        return recipe_from_toml(text)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
