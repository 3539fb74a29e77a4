"""A recipe as a form, field by field, and as the text that says the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from curation.borders import stage_of_field
from curation.errors import ConfigError
from curation.presets import ANNOTATIONS, MAX_SEED, METHODS, MODELS, Recipe, recipe_from_toml
from curation.quality import FORMATTING_RULES
from s1web.pool.models import Benchmark, Tokenizer
from s1web.selections.services import MAX_NAME, check_name

MAX_TOML = 100_000
_LARGEST = 10**9
_METHODS = {
    "rank": "domain, then 2^-rank by trace length",
    "diverse": "domain, then any question alike",
    "random": "every question alike",
    "longest": "the longest traces",
    "full": "all that pass",
}
_ANNOTATIONS = {
    "small_grade": "grade of the 7B attempt",
    "large_grade": "grade of the 32B attempt",
    "trace_grade": "grade of the trace's attempt",
    "domain": "domain",
    "trace_length": "trace length",
}
_RULES = {
    "formatting.asy": "[asy] drawing, unless from AIME",
    "formatting.image_reference": "![Image] reference",
    "formatting.part_number": "numbered part, such as p12.",
    "formatting.bold_digits": "bold run with a digit",
}
_GROUPS = {
    "Recipe": ("name", "size", "seed", "selection_name"),
    "Selection": ("method", "take_whole", "long_math_tokens", "benchmark_weighted_after"),
    "Difficulty": ("drop_solved_by",),
    "Formatting": ("rules",),
    "Annotation": ("requires",),
    "Decontamination": ("decontaminate", "benchmarks", "ngram_words"),
    "Near duplicates": ("near_duplicates", "near_threshold"),
    "Traces": ("generator", "tokenizer"),
}
# what most people change
_OPEN = ("Recipe", "Selection", "Difficulty")
_MODELS = {"small": "the 7B model", "large": "the 32B model"}


def _boxes(
    label: str, names: tuple[str, ...], titles: Mapping[str, str], help_text: str
) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label,
        required=False,
        choices=[(name, titles.get(name, name)) for name in names],
        widget=forms.CheckboxSelectMultiple,
        help_text=help_text,
    )


def _number(label: str, low: int, high: int, help_text: str, *, required: bool = True) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=low, max_value=high, help_text=help_text, required=required)


@dataclass(frozen=True)
class Group:
    """Fields that belong together; `says` is what they amount to now."""

    title: str
    fields: tuple[forms.BoundField, ...]
    says: str
    is_open: bool


class RecipeForm(forms.Form):
    """Every field of a recipe. Valid, it has `recipe`, and `selection_name` as typed."""

    name = forms.CharField(label="Recipe's name", max_length=80, help_text="Runs and selections are named after it.")
    size = _number("Size", 1, _LARGEST, "Questions to select; the method full takes all.")
    seed = _number("Seed", 0, MAX_SEED, "Another seed draws other questions from the same pool.")
    selection_name = forms.CharField(
        label="Selection's name",
        required=False,
        max_length=MAX_NAME,
        help_text="Empty: made of recipe, size and seed.",
    )
    method = forms.ChoiceField(
        label="Method",
        choices=[(name, f"{name} · {_METHODS.get(name, name)}") for name in METHODS],
        help_text="How questions are drawn from those that pass.",
    )
    take_whole = forms.BooleanField(
        label="Take benchmark-like questions whole",
        required=False,
        help_text="GPQA, AIME and long MATH questions with a correct trace come first.",
    )
    long_math_tokens = _number("Long MATH trace", 0, _LARGEST, "Tokens above which a MATH question is one of these.")
    benchmark_weighted_after = _number(
        "Weighted domains after",
        0,
        _LARGEST,
        "So many selected, domains are drawn by the benchmarks' shares; empty: never.",
        required=False,
    )
    drop_solved_by = _boxes(
        "Too easy if solved by", MODELS, _MODELS, "A correct attempt of any of these drops a question."
    )
    rules = _boxes("Rules", FORMATTING_RULES, _RULES, "A question that one of these hits is dropped.")
    requires = _boxes("Required", ANNOTATIONS, _ANNOTATIONS, "A question that lacks one of these is dropped.")
    decontaminate = forms.BooleanField(
        label="Drop what overlaps with evaluation questions", required=False, help_text="By shared runs of words."
    )
    benchmarks = forms.MultipleChoiceField(
        label="Benchmarks",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Compared with; none ticked: all that are loaded.",
    )
    ngram_words = _number("Shared words", 5, 1_000, "So many in a row are an overlap; s1: 8.")
    near_duplicates = forms.BooleanField(
        label="Drop near duplicates", required=False, help_text="Not part of s1; takes about a minute at its size."
    )
    near_threshold = forms.FloatField(
        label="Similarity",
        help_text="From which on two questions are near duplicates; above 0.5, at most 1.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    generator = forms.CharField(
        label="Generator",
        required=False,
        max_length=500,
        help_text="Whose traces count; empty: each question's first.",
        widget=forms.TextInput(attrs={"list": "generators"}),
    )
    tokenizer = forms.ChoiceField(
        label="Tokenizer", required=False, help_text="Whose lengths count; the first: the one that counted most."
    )
    mode = forms.CharField(required=False, widget=forms.HiddenInput)
    toml = forms.CharField(
        label="Recipe as TOML",
        required=False,
        max_length=MAX_TOML,
        widget=forms.Textarea(attrs={"rows": 36, "spellcheck": "false", "class": "mono"}),
        help_text='base = "paper" starts from a preset; what is left out keeps its default.',
    )

    recipe: Recipe

    def __init__(self, data: Any = None, *, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial, label_suffix="")
        given = self._given("benchmarks")
        loaded = list(Benchmark.objects.order_by("name").values_list("name", flat=True))
        # what is not loaded stays ticked, and is said by the preview
        self._choices("benchmarks").choices = [(name, name) for name in dict.fromkeys([*loaded, *given])]
        counted = list(Tokenizer.objects.order_by("name").values_list("name", flat=True))
        self._choices("tokenizer").choices = [
            ("", "the one that counted most traces"),
            *((name, name) for name in dict.fromkeys([*counted, *self._given("tokenizer")])),
        ]
        for name, field in self.fields.items():
            field.widget.attrs["data-stage"] = stage_of_field(name)

    @property
    def is_toml(self) -> bool:
        """Whether the text counts, not the fields."""
        return bool(self["mode"].value() == "toml")

    @classmethod
    def of(cls, recipe: Recipe, *, mode: str = "fields", selection_name: str = "") -> "RecipeForm":
        """The form filled in with a recipe."""
        values = recipe.to_json() | {"toml": recipe.to_toml(), "mode": mode, "selection_name": selection_name}
        return cls(initial=values)

    def clean_selection_name(self) -> str:
        name: str = self.cleaned_data["selection_name"]
        try:
            check_name(name)
        except ConfigError:
            raise ValidationError("A name holds no slashes.") from None
        return name

    def clean(self) -> None:
        values = super().clean() or self.cleaned_data
        if self.is_toml:
            # the fields were not shown, so nothing of theirs counts
            self._errors = type(self.errors)(
                {name: self.errors[name] for name in self.errors if name in ("toml", "selection_name")}
            )
            self._set(lambda: recipe_from_toml(values.get("toml", "")), "toml")
        elif not self.errors:
            names = [name for name in Recipe.__dataclass_fields__ if name in self.fields]
            given: dict[str, Any] = {name: tuple(v) if isinstance(v := values[name], list) else v for name in names}
            self._set(lambda: Recipe(**given), None)

    def _set(self, make: Any, field: str | None) -> None:
        try:
            self.recipe = make()
        except ConfigError as error:
            # a recipe's errors start with the field that they are about
            named = str(error).partition("=")[0].partition(" ")[0]
            self.add_error(field or (named if named in self.fields else None), str(error))

    @property
    def groups(self) -> list[Group]:
        """The fields in the order of the stages, what most people change first."""
        value = {name: self[name].value() for name in self.fields}
        ticked = {name: len(value[name] or ()) for name in ("requires", "rules", "benchmarks")}
        solvers = " or ".join(_MODELS[name] for name in value["drop_solved_by"] or () if name in _MODELS)
        where = f"{ticked['benchmarks']} benchmarks" if ticked["benchmarks"] else "all benchmarks"
        says = {
            "Recipe": "",
            "Selection": str(value["method"]),
            "Difficulty": f"solved by {solvers}" if solvers else "off",
            "Formatting": f"{ticked['rules']} of {len(FORMATTING_RULES)} rules",
            "Annotation": f"{ticked['requires']} of {len(ANNOTATIONS)} required",
            "Decontamination": f"{where}, {value['ngram_words']} words" if value["decontaminate"] else "off",
            "Near duplicates": f"from {value['near_threshold']}" if value["near_duplicates"] else "off",
            "Traces": value["generator"] or "each question's first",
        }
        return [self._group(title, says[title]) for title in _GROUPS]

    def _group(self, title: str, says: str) -> Group:
        fields = tuple(self[name] for name in _GROUPS[title])
        has_errors = self.is_bound and any(field.errors for field in fields)
        return Group(title, fields, says, title in _OPEN or has_errors)

    def _given(self, name: str) -> list[str]:
        value = self[name].value()
        return [str(item) for item in value or ()] if isinstance(value, list | tuple) else [value] if value else []

    def _choices(self, name: str) -> Any:
        return self.fields[name]
