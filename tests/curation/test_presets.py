import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError
from curation.presets import (
    ANNOTATIONS,
    MAX_SEED,
    METHODS,
    MODELS,
    PRESETS,
    SECTIONS,
    Recipe,
    find_preset,
    recipe_from_toml,
)
from curation.quality import FORMATTING_RULES

PAPER = """\
name = "paper"
size = 1000
seed = 0

[trace]
generator = ""
tokenizer = ""

[decontamination]
decontaminate = true
benchmarks = []
ngram_words = 8

[deduplication]
near_duplicates = false
near_threshold = 0.85

[annotation]
requires = [
    "small_grade",
    "large_grade",
    "trace_grade",
    "domain",
    "trace_length",
]

[formatting]
rules = [
    "formatting.asy",
    "formatting.image_reference",
    "formatting.part_number",
    "formatting.bold_digits",
]

[difficulty]
drop_solved_by = [
    "small",
    "large",
]

[selection]
method = "rank"
take_whole = true
long_math_tokens = 5600
"""


def without_stages(name: str, method: str) -> str:
    """The paper's recipe less difficulty and whole-taken picks: the ablations."""
    text = (
        PAPER.replace('"paper"', f'"{name}"')
        .replace('"rank"', f'"{method}"')
        .replace("whole = true", "whole = false")
    )
    return text.replace('[\n    "small",\n    "large",\n]', "[]")


GOLDEN = {
    "paper": PAPER,
    "released": PAPER.replace('"paper"', '"released"') + "benchmark_weighted_after = 700\n",
    "random": without_stages("random", "random"),
    "diverse": without_stages("diverse", "diverse"),
    "longest": without_stages("longest", "longest"),
    "full": without_stages("full", "full"),
}


def test_the_presets_are_the_contracts():
    assert list(PRESETS) == list(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_preset_is_its_golden_file_and_back(name):
    preset = find_preset(name)
    assert preset.name == name
    assert preset.to_toml() == GOLDEN[name]
    assert recipe_from_toml(GOLDEN[name]) == preset
    assert recipe_from_toml(f'base = "{name}"') == preset


def test_every_option_has_its_section():
    placed = [name for names in SECTIONS.values() for name in names]
    assert sorted(placed) == sorted(field.name for field in dataclasses.fields(Recipe))


names = st.text(min_size=1, max_size=80).filter(lambda text: not set(text) & set("/\\\n\r\t\0"))
texts = st.text(max_size=20)
subsets = {
    "rules": st.lists(st.sampled_from(FORMATTING_RULES), unique=True).map(tuple),
    "drop_solved_by": st.lists(st.sampled_from(MODELS), unique=True).map(tuple),
    "benchmarks": st.lists(texts, max_size=3).map(tuple),
}


@st.composite
def recipes(draw) -> Recipe:
    method = draw(st.sampled_from(METHODS))
    wanted = {"rank": {"domain", "trace_length"}, "diverse": {"domain"}, "longest": {"trace_length"}}.get(
        method, set()
    )
    requires = draw(st.permutations(ANNOTATIONS))
    dropped = draw(st.sets(st.sampled_from(ANNOTATIONS)))
    return Recipe(
        name=draw(names),
        size=draw(st.integers(1, 10**9)),
        seed=draw(st.integers(0, MAX_SEED)),
        generator=draw(texts),
        tokenizer=draw(texts),
        decontaminate=draw(st.booleans()),
        ngram_words=draw(st.integers(5, 1_000)),
        near_duplicates=draw(st.booleans()),
        near_threshold=draw(st.floats(0.5, 1, exclude_min=True)),
        requires=tuple(name for name in requires if name in wanted or name not in dropped),
        method=method,
        take_whole=draw(st.booleans()),
        long_math_tokens=draw(st.integers(0, 10**9)),
        benchmark_weighted_after=draw(st.none() | st.integers(0, 10**9)),
        **{name: draw(values) for name, values in subsets.items()},
    )


@given(recipes())
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_recipe_written_and_read_is_equal(recipe):
    assert recipe_from_toml(recipe.to_toml()) == recipe
    assert Recipe(**{k: tuple(v) if isinstance(v, list) else v for k, v in recipe.to_json().items()}) == recipe


def test_what_a_file_does_not_say_keeps_its_default():
    assert recipe_from_toml("") == Recipe()
    assert recipe_from_toml("# nothing\r\n") == Recipe()


def test_a_recipe_starts_from_a_preset():
    text = 'base = "released"\nsize = 50\n[difficulty]\ndrop_solved_by = ["small"]\n'
    assert recipe_from_toml(text) == dataclasses.replace(PRESETS["released"], size=50, drop_solved_by=("small",))


def test_a_recipe_that_requires_a_domain_alone():
    recipe = recipe_from_toml('[annotation]\nrequires = ["domain"]\n[selection]\nmethod = "diverse"')
    assert recipe.requires == ("domain",)
    assert recipe.method == "diverse"


def test_a_whole_number_is_a_number_too():
    recipe = recipe_from_toml("[deduplication]\nnear_threshold = 1")
    assert recipe.near_threshold == 1.0
    assert type(recipe.near_threshold) is float


DIGITS = "9" * 5_000
TOP_LEVEL = (
    "the recipe's top level; allowed: name, size, seed, base, [trace], [decontamination], [deduplication], "
    "[annotation], [formatting], [difficulty], [selection]"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # not TOML
        ("size = ", "the recipe is not valid TOML: Invalid value (at "),
        ("size = 1\nsize = 2", "the recipe is not valid TOML: Cannot overwrite a value"),
        ("{", "see docs/guide/recipes.md"),
        (f"size = {DIGITS}", "the recipe is not valid TOML: "),
        ("size = " + "[" * 5_000, "the recipe is not valid TOML: "),
        ("\ufeffsize = 1", "the recipe is not valid TOML: "),
        # presets
        (
            'base = "papers"',
            "preset 'papers' is not known; choose one of paper, released, random, diverse, longest, full",
        ),
        ("base = 5", "preset '5' is not known"),
        # unknown keys and sections
        ("sise = 5", f"'sise' is not known in {TOP_LEVEL}"),
        ('"" = 5', f"'' is not known in {TOP_LEVEL}"),
        ("[extra]", f"'extra' is not known in {TOP_LEVEL}"),
        ('method = "rank"', f"'method' is not known in {TOP_LEVEL}"),
        (
            "[selection]\nsize = 5",
            "'size' is not known in [selection]; allowed: method, take_whole, long_math_tokens, ",
        ),
        ('[trace]\nbase = "paper"', "'base' is not known in [trace]; allowed: generator, tokenizer"),
        ("[trace.more]", "'more' is not known in [trace]; allowed: generator, tokenizer"),
        ("trace = 5", "[trace] must be a section of the recipe, not the value 5"),
        ("[[trace]]", "[trace] must be a section of the recipe, not the value [{}]"),
        # wrong types
        ("size = true", "size = True must be a whole number"),
        ("size = 5.0", "size = 5.0 must be a whole number"),
        ('size = "5"', "size = '5' must be a whole number"),
        ("size = 1979-05-27", "size = datetime.date(1979, 5, 27) must be a whole number"),
        ("seed = nan", "seed = nan must be a whole number"),
        ("name = 5", "name = 5 must be a text in quotes"),
        ("[name]", "name = {} must be a text in quotes"),
        ("[selection]\nbenchmark_weighted_after = true", "benchmark_weighted_after = True must be a whole number"),
        ("[selection]\ntake_whole = 1", "take_whole = 1 must be true or false"),
        ('[decontamination]\ndecontaminate = "no"', "decontaminate = 'no' must be true or false"),
        ("[deduplication]\nnear_threshold = true", "near_threshold = True must be a number"),
        ('[deduplication]\nnear_threshold = "0.9"', "near_threshold = '0.9' must be a number"),
        ('[annotation]\nrequires = "domain"', "requires = 'domain' must be a list of texts"),
        ("[formatting]\nrules = [1]", "rules = [1] must be a list of texts"),
        # huge numbers, also those that no float and no decimal text can hold
        (f"size = {'9' * 400}", "... is out of range; give a whole number from 1 to 1000000000"),
        (f"size = 0x{'f' * 9_000}", "size=a value too long to show is out of range"),
        (f"name = 0x{'f' * 9_000}", "name = a value too long to show must be a text in quotes"),
        (f"[formatting]\nrules = [0x{'f' * 9_000}]", "rules = a value too long to show must be a list of texts"),
        (
            f"trace = 0x{'f' * 9_000}",
            "[trace] must be a section of the recipe, not the value a value too long to show",
        ),
        (f"[deduplication]\nnear_threshold = {'9' * 400}", "must be a number"),
        # out of range
        ("size = 0", "size=0 is out of range; give a whole number from 1 to 1000000000"),
        ("size = 1_000_000_001", "size=1000000001 is out of range; give a whole number from 1 to 1000000000"),
        ("seed = -1", "seed=-1 is out of range; give a whole number from 0 to 9223372036854775807"),
        ("seed = 9223372036854775808", "seed=9223372036854775808 is out of range"),
        ("[decontamination]\nngram_words = 4", "ngram_words=4 is out of range; give a whole number from 5 to 1000"),
        ("[decontamination]\nngram_words = 1001", "ngram_words=1001 is out of range"),
        ("[selection]\nlong_math_tokens = -1", "long_math_tokens=-1 is out of range; give a whole number from 0 to"),
        ("[selection]\nbenchmark_weighted_after = -1", "benchmark_weighted_after=-1 is out of range; give a whole"),
        (
            "[deduplication]\nnear_threshold = 0.5",
            "near_threshold=0.5 is not a similarity; give a number above 0.5, at most 1",
        ),
        ("[deduplication]\nnear_threshold = 1.01", "near_threshold=1.01 is not a similarity"),
        ("[deduplication]\nnear_threshold = nan", "near_threshold=nan is not a similarity"),
        ("[deduplication]\nnear_threshold = inf", "near_threshold=inf is not a similarity"),
        # choices
        (
            '[selection]\nmethod = "best"',
            "method='best' is not known; choose one of rank, diverse, random, longest, full",
        ),
        (
            '[annotation]\nrequires = ["domain", "trace"]',
            "requires holds 'trace'; allowed: small_grade, large_grade, trace_grade, domain, trace_length",
        ),
        ('[formatting]\nrules = ["asy"]', "rules holds 'asy'; allowed: formatting.asy, formatting.image_reference, "),
        ('[difficulty]\ndrop_solved_by = ["7B"]', "drop_solved_by holds '7B'; allowed: small, large"),
        # a draw needs what it draws by
        (
            '[annotation]\nrequires = ["trace_length"]',
            "method='rank' draws by domain, but requires=['trace_length'] lacks it; "
            'add "domain" to requires, or choose method random, longest or full',
        ),
        (
            '[annotation]\nrequires = []\n[selection]\nmethod = "diverse"',
            "method='diverse' draws by domain, but requires=[] lacks it",
        ),
        (
            '[annotation]\nrequires = ["domain"]',
            "method='rank' goes by trace length, but requires=['domain'] lacks it; "
            'add "trace_length" to requires, or choose method diverse, random or full',
        ),
        (
            '[annotation]\nrequires = ["domain"]\n[selection]\nmethod = "longest"',
            "method='longest' goes by trace length, but requires=['domain'] lacks it",
        ),
        # names become file names
        ('name = ""', "name='' cannot name a recipe; give 1 to 80 characters without slashes"),
        ('name = "../up"', "name='../up' cannot name a recipe"),
        ('name = "a\\\\b"', r"name='a\\b' cannot name a recipe"),
        ('name = "a\\nb"', r"name='a\nb' cannot name a recipe"),
        ('name = "a\\u0000b"', r"name='a\x00b' cannot name a recipe"),
        (f'name = "{"n" * 81}"', "cannot name a recipe; give 1 to 80 characters"),
    ],
    ids=lambda value: value[:40],
)
def test_an_error_says_what_came_what_is_allowed_and_what_to_do(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        recipe_from_toml(text)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 600


def test_an_unknown_preset_is_refused():
    with pytest.raises(ConfigError, match="preset 'Paper' is not known; choose one of paper, released, random, "):
        find_preset("Paper")


@pytest.mark.parametrize("size", [True, 5.0, "5", None])
def test_a_recipe_is_checked_when_built_in_code_too(size):
    with pytest.raises(ConfigError, match=re.escape(f"size={size!r} is out of range")):
        Recipe(size=size)
