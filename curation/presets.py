"""Recipes: s1's published selections as presets, and one's own as a TOML file."""

import dataclasses
import tomllib
from dataclasses import dataclass
from typing import Any

import tomli_w

from curation.decontamination import NGRAM_WORDS, SHORT_WORDS
from curation.errors import ConfigError
from curation.quality import FORMATTING_RULES

ANNOTATIONS = ("small_grade", "large_grade", "trace_grade", "domain", "trace_length")
METHODS = ("rank", "diverse", "random", "longest", "full")
MODELS = ("small", "large")
# s1's figures: target size; where the released notebook changes its domain draw; what makes a MATH trace long
SIZE, BENCHMARK_WEIGHTED_AFTER, LONG_MATH_TOKENS = 1_000, 700, 5_600
MAX_SEED = 2**63 - 1

# sections of the file and the fields of `Recipe` that stand in each
SECTIONS: dict[str, tuple[str, ...]] = {
    "": ("name", "size", "seed"),
    "trace": ("generator", "tokenizer"),
    "decontamination": ("decontaminate", "benchmarks", "ngram_words"),
    "deduplication": ("near_duplicates", "near_threshold"),
    "annotation": ("requires",),
    "formatting": ("rules",),
    "difficulty": ("drop_solved_by",),
    "selection": ("method", "take_whole", "long_math_tokens", "benchmark_weighted_after"),
}


def _check_number(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name}={_shown(value)} is out of range; give a whole number from {low} to {high}")


def _check_choices(name: str, values: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    for value in values:
        if value not in allowed:
            raise ConfigError(f"{name} holds {value!r}; allowed: {', '.join(allowed)}")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a selection, apart from the pool itself; checked when built.

    Attributes:
        size: questions to select; `full` takes all that are left.
        generator: whose traces to use; "" is each question's first trace.
        tokenizer: whose counts of trace tokens to use; "" is the one that counted most traces.
        decontaminate: whether questions that overlap with evaluation questions are dropped.
        benchmarks: names of the evaluation sets to compare with; empty is all that are loaded.
        ngram_words: words of a shared n-gram (s1: 8).
        near_duplicates: whether near duplicates are dropped too; not part of s1.
        near_threshold: Jaccard similarity from which on a question is a near duplicate.
        requires: annotations without which a question is dropped.
        rules: formatting rules that apply.
        drop_solved_by: models whose correct attempt makes a question too easy; empty leaves the stage out.
        method: rank (domain, then 2**-rank by trace length), diverse (domain, then uniformly), random (uniformly),
            longest, full.
        take_whole: whether s1's benchmark-like picks are taken before the first draw.
        long_math_tokens: a MATH question is benchmark-like where its trace is longer than this.
        benchmark_weighted_after: once so many are selected, domains are drawn by the benchmarks' distribution
            (released notebook: 700); None: never.
    """

    name: str = "custom"
    size: int = SIZE
    seed: int = 0
    generator: str = ""
    tokenizer: str = ""
    decontaminate: bool = True
    benchmarks: tuple[str, ...] = ()
    ngram_words: int = NGRAM_WORDS
    near_duplicates: bool = False
    near_threshold: float = 0.85
    requires: tuple[str, ...] = ANNOTATIONS
    rules: tuple[str, ...] = FORMATTING_RULES
    drop_solved_by: tuple[str, ...] = ()
    method: str = "rank"
    take_whole: bool = False
    long_math_tokens: int = LONG_MATH_TOKENS
    benchmark_weighted_after: int | None = None

    def __post_init__(self) -> None:
        _check_number("size", self.size, 1, 10**9)
        _check_number("seed", self.seed, 0, MAX_SEED)
        _check_number("ngram_words", self.ngram_words, SHORT_WORDS + 1, 1_000)
        _check_number("long_math_tokens", self.long_math_tokens, 0, 10**9)
        if self.benchmark_weighted_after is not None:
            _check_number("benchmark_weighted_after", self.benchmark_weighted_after, 0, 10**9)
        if not 0.5 < self.near_threshold <= 1:
            raise ConfigError(
                f"near_threshold={_shown(self.near_threshold)} is not a similarity; "
                "give a number above 0.5, at most 1"
            )
        if self.method not in METHODS:
            raise ConfigError(f"method={self.method!r} is not known; choose one of {', '.join(METHODS)}")
        _check_choices("requires", self.requires, ANNOTATIONS)
        _check_choices("rules", self.rules, FORMATTING_RULES)
        _check_choices("drop_solved_by", self.drop_solved_by, MODELS)
        if self.method in ("rank", "diverse") and "domain" not in self.requires:
            raise ConfigError(
                f"method={self.method!r} draws by domain, but requires={list(self.requires)} lacks it; "
                'add "domain" to requires, or choose method random, longest or full'
            )
        if self.method in ("rank", "longest") and "trace_length" not in self.requires:
            raise ConfigError(
                f"method={self.method!r} goes by trace length, but requires={list(self.requires)} lacks it; "
                'add "trace_length" to requires, or choose method diverse, random or full'
            )
        if not self.name or len(self.name) > 80 or any(c in self.name for c in "/\\\n\r\t\0"):
            raise ConfigError(
                f"name={_shown(self.name)} cannot name a recipe; give 1 to 80 characters without slashes"
            )

    def to_toml(self) -> str:
        """The recipe as a file that `recipe_from_toml` reads back to an equal one; what is None is left out."""
        values = {name: _plain(value) for name, value in dataclasses.asdict(self).items() if value is not None}
        document: dict[str, Any] = {}
        for section, names in SECTIONS.items():
            table = {name: values[name] for name in names if name in values}
            if section:
                document[section] = table
            else:
                document.update(table)
        return tomli_w.dumps(document)

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain JSON values, field by field."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}


PRESETS: dict[str, Recipe] = {
    "paper": Recipe(name="paper", drop_solved_by=MODELS, take_whole=True),
    "released": Recipe(
        name="released",
        drop_solved_by=MODELS,
        take_whole=True,
        benchmark_weighted_after=BENCHMARK_WEIGHTED_AFTER,
    ),
    "random": Recipe(name="random", method="random"),
    "diverse": Recipe(name="diverse", method="diverse"),
    "longest": Recipe(name="longest", method="longest"),
    "full": Recipe(name="full", method="full"),
}


def find_preset(name: str) -> Recipe:
    """The preset of that name.

    Raises:
        ConfigError: there is none.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(f"preset {name!r} is not known; choose one of {', '.join(PRESETS)}") from None


def recipe_from_toml(text: str) -> Recipe:
    """Read a recipe file; `base = "paper"` starts from a preset, anything absent keeps its default.

    Raises:
        ConfigError: not TOML, an unknown section or key, or a value of the wrong kind.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of too many digits, lists nested too deep
        raise ConfigError(f"the recipe is not valid TOML: {error}; see docs/guide/recipes.md") from None
    base_name = document.pop("base", None)
    base = Recipe() if base_name is None else find_preset(str(base_name))
    kinds = {item.name: item for item in dataclasses.fields(Recipe)}
    values: dict[str, Any] = {}
    for section, names in SECTIONS.items():
        table = document if not section else document.pop(section, {})
        if not isinstance(table, dict):
            raise ConfigError(f"[{section}] must be a section of the recipe, not the value {_shown(table)}")
        for key in [key for key in table if section or not key or key not in SECTIONS]:
            if key not in names:
                where = f"[{section}]" if section else "the recipe's top level"
                others = () if section else ("base", *(f"[{other}]" for other in SECTIONS if other))
                raise ConfigError(f"{key!r} is not known in {where}; allowed: {', '.join([*names, *others])}")
            values[key] = _typed(key, table[key], kinds[key].type)
    return dataclasses.replace(base, **values)


def _shown(value: Any) -> str:
    """The value as it stands in an error line, cut to what a line can hold."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python writes no number of more than 4,300 digits
        return "a value too long to show"
    return text if len(text) <= 200 else text[:197] + "..."


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _typed(key: str, value: Any, kind: Any) -> Any:
    """The TOML value as the field's type, or an error that names both."""
    if kind == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise ConfigError(f"{key} = {_shown(value)} must be a list of texts")
    if kind is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    expected = {bool: bool, str: str, float: float}.get(kind, int)
    if type(value) is not expected:
        raise ConfigError(f"{key} = {_shown(value)} must be {_KIND_NAMES[expected]}")
    return value


_KIND_NAMES = {bool: "true or false", str: "a text in quotes", float: "a number", int: "a whole number"}
