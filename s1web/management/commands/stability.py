"""python manage.py stability (RUN | --preset NAME | --recipe FILE): how much of a selection is the seed's doing."""

from dataclasses import replace
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from curation.domains import domain_title
from curation.errors import ConfigError
from curation.presets import PRESETS, Recipe, find_preset, recipe_from_toml
from s1web.management.base import print_table
from s1web.management.commands.curate import read_recipe
from s1web.management.jobs import JobCommand, Request
from s1web.selections.explain import find_run
from s1web.selections.work import NUM_SEEDS

_LISTED = 10


class Command(JobCommand):
    progress_label = "drawing with many seeds"
    help = "Draw a recipe with many seeds and compare what comes out; selects nothing."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("run", nargs="?", type=int, metavar="RUN", help="the run whose recipe is drawn")
        recipe = parser.add_mutually_exclusive_group()
        recipe.add_argument("--preset", metavar="NAME", help=f"one of {', '.join(PRESETS)}")
        recipe.add_argument("--recipe", metavar="FILE", help="a recipe of one's own (TOML)")
        parser.add_argument("--size", type=int, metavar="N", help="questions to select (default: the recipe's)")
        parser.add_argument("--seed", type=int, metavar="N", help="the first seed (default: the recipe's)")
        parser.add_argument(
            "--seeds",
            type=int,
            default=NUM_SEEDS,
            metavar="N",
            help=f"how many, from the first upwards (default: {NUM_SEEDS})",
        )

    def request(self, options: dict[str, Any]) -> Request:
        given = {name: options[name] for name in ("size", "seed") if options[name] is not None}
        recipe = replace(_recipe(options), **given)
        return Request("seed_stability", {"recipe": recipe.to_toml(), "num_seeds": options["seeds"]})

    def show(self, result: dict[str, Any], console: Console) -> None:
        outcomes = result["outcomes"]
        if result["overlap"]:
            mean, least, most = result["overlap"]
            console.print(
                f"mean overlap of two seeds (Jaccard) {mean:.3f}, {least:.3f} to {most:.3f} over "
                f"{result['num_pairs']:,} pairs of {len(outcomes):,} seeds"
            )
        console.print(
            f"drawn by every seed: {result['num_always']:,}, {result['num_whole']:,} of them taken whole; "
            f"never drawn: {result['num_never']:,} of {result['num_candidates']:,} that pass every rule"
        )
        console.print()
        print_table(
            console,
            ["seed", "questions", "domains", "median tokens", "sha256"],
            [_outcome(item) for item in outcomes],
        )
        if result["domains"]:
            console.print()
            rows = [_domain(item) for item in result["domains"][:_LISTED]]
            print_table(console, ["domain", "least", "mean", "most"], rows)
            if len(result["domains"]) > _LISTED:
                console.print(f"and {len(result['domains']) - _LISTED:,} more domains; all of them with --json")


def _recipe(options: dict[str, Any]) -> Recipe:
    """The recipe of a run, a preset or a file.

    Raises:
        ConfigError: none or two of them are given.
        NotFoundError: there is no such run.
    """
    given = [name for name in ("run", "preset", "recipe") if options[name] is not None]
    if len(given) != 1:
        raise ConfigError("give a run's number, --preset or --recipe, one of the three: stability --preset paper")
    if options["run"] is not None:
        return recipe_from_toml(find_run(options["run"]).recipe_toml)
    return find_preset(options["preset"]) if options["preset"] is not None else read_recipe(options["recipe"])


def _outcome(item: dict[str, Any]) -> list[object]:
    median = "" if item["quartiles"] is None else round(item["quartiles"][1])
    # as text: a seed is a name and no amount
    return [str(item["seed"]), item["size"], item["num_domains"], median, item["sha256"]]


def _domain(item: dict[str, Any]) -> list[object]:
    return [domain_title(item["domain"]), item["least"], round(item["mean"], 1), item["most"]]
