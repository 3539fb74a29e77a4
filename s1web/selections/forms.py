"""The form of a curation."""

from dataclasses import replace
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from curation.errors import ConfigError
from curation.presets import MAX_SEED, PRESETS, Recipe, find_preset, recipe_from_toml
from s1web.forms import JobForm, Params
from s1web.selections.services import MAX_NAME, check_name
from s1web.selections.work import MAX_SEEDS, NUM_SEEDS

_OWN = "own"
_MAX_RECIPE = 100_000
_WHAT: dict[str, str] = {
    "paper": "s1's paper: hard, diverse, long traces",
    "released": "s1's released notebook",
    "random": "uniformly",
    "diverse": "evenly over domains",
    "longest": "the longest traces",
    "full": "all that pass",
}


class CurationForm(JobForm):
    summary = "A selection from the pool, by a recipe."
    hint = (
        "The same pool, recipe and seed give the same selection. "
        "Questions that were not compared with the benchmarks yet are compared first."
    )
    advanced: ClassVar[tuple[str, ...]] = ("recipe", "seed", "name")

    preset = forms.ChoiceField(
        label="Recipe",
        choices=[
            *((name, f"{name} · {_WHAT.get(name, 'preset')}") for name in PRESETS),
            (_OWN, "a recipe of your own, under More options"),
        ],
        initial="paper",
    )
    size = forms.IntegerField(
        label="Size", required=False, min_value=1, max_value=10**9, help_text="Questions; empty: the recipe's, 1,000."
    )
    recipe = forms.CharField(
        label="Own recipe",
        required=False,
        max_length=_MAX_RECIPE,
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false", "class": "mono"}),
        help_text='TOML; base = "paper" starts from a preset, what is left out keeps its default.',
    )
    seed = forms.IntegerField(
        label="Seed", required=False, min_value=0, max_value=MAX_SEED, help_text="Empty: the recipe's, 0."
    )
    name = forms.CharField(
        label="Name of the selection",
        required=False,
        max_length=MAX_NAME,
        help_text="Empty: made of recipe, size and seed.",
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        try:
            check_name(name)
        except ConfigError:
            raise ValidationError("A name holds no slashes.") from None
        return name

    def clean(self) -> None:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        text = values.get("recipe", "").strip()
        preset = values.get("preset")
        if preset == _OWN and not text and "recipe" not in self.errors:
            self.add_error("recipe", "Write or paste the recipe, or choose a preset above.")
        elif preset and preset != _OWN and text:
            self.add_error("preset", "Choose your own recipe here, or empty it below: one of the two counts.")
        if self.errors:
            return
        given = {name: values[name] for name in ("size", "seed") if values[name] is not None}
        try:
            recipe = recipe_from_toml(text) if preset == _OWN else find_preset(str(preset))
            self._recipe: Recipe = replace(recipe, **given)
        except ConfigError as error:
            self.add_error("recipe" if preset == _OWN else None, str(error))

    def to_params(self) -> Params:
        return {"recipe": self._recipe.to_toml(), "name": self.cleaned_data["name"]}

    @classmethod
    def from_params(cls, params: Params) -> Params:
        try:
            recipe = recipe_from_toml(params.get("recipe", ""))
        except ConfigError:
            return {}
        values = {"size": recipe.size, "seed": recipe.seed, "name": params.get("name", "")}
        preset = PRESETS.get(recipe.name)
        if preset is not None and replace(preset, size=recipe.size, seed=recipe.seed) == recipe:
            return values | {"preset": recipe.name}
        return values | {"preset": _OWN, "recipe": params["recipe"]}


class SeedStabilityForm(CurationForm):
    summary = "How much of a selection is the recipe's doing and how much the seed's."
    hint = "Draws the recipe with many seeds, from its own upwards, and compares what comes out; selects nothing."
    advanced: ClassVar[tuple[str, ...]] = ("recipe", "seed")

    name = None  # type: ignore[assignment]
    num_seeds = forms.IntegerField(label="Seeds", min_value=2, max_value=MAX_SEEDS, initial=NUM_SEEDS)

    def to_params(self) -> Params:
        return {"recipe": self._recipe.to_toml(), "num_seeds": self.cleaned_data["num_seeds"]}

    @classmethod
    def from_params(cls, params: Params) -> Params:
        return super().from_params(params) | {"num_seeds": params.get("num_seeds", NUM_SEEDS)}
