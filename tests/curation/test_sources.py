import pytest

from curation.sources import SOURCES, find_source, is_from
from tests.factories import SOURCE_TYPES

# the specification's table of s1's pool
EXPECTED_ROWS = {
    "NuminaMATH": 30_660,
    "MATH": 11_999,
    "OlympicArena": 4_250,
    "OmniMath": 4_238,
    "AGIEval": 2_385,
    "xword": 999,
    "OlympiadBench": 896,
    "AIME": 890,
    "TheoremQA": 747,
    "USACO": 519,
    "JEEBench": 515,
    "GPQA": 348,
    "SciEval": 227,
    "s1-prob": 182,
    "LiveCodeBench": 151,
    "s1-teasers": 23,
}


def test_the_16_sources_and_their_rows_are_the_papers():
    assert {preset.name: preset.expected_rows for preset in SOURCES} == EXPECTED_ROWS
    assert sum(EXPECTED_ROWS.values()) == 59_029


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("AI-MO/NuminaMath-CoT/olympiads", "NuminaMATH"),
        # of two markers in one name the first preset's counts: NuminaMATH's AIME rows are not the AIME source
        ("AI-MO/NuminaMath-CoT/amc_aime", "NuminaMATH"),
        ("AI-MO/NuminaMath-CoT/math", "NuminaMATH"),
        ("qfq/openaimath/Number Theory", "MATH"),
        ("simplescaling/openaimath/Algebra", "MATH"),
        ("GAIR/OlympicArena/Physics", "OlympicArena"),
        ("KbsdJames/Omni-MATH", "OmniMath"),
        ("omnimath", "OmniMath"),
        ("baber/agieval/math_agieval", "AGIEval"),
        ("0xharib/xword1", "xword"),
        ("Hothan/OlympiadBench/Theorem proof/Math", "OlympiadBench"),
        ("qq8933/AIME_1983_2024", "AIME"),
        ("someone/aime-problems", "AIME"),
        ("TIGER-Lab/TheoremQA/list of float", "TheoremQA"),
        ("USACO", "USACO"),
        ("daman1209arora/jeebench/chem", "JEEBench"),
        ("Idavidrein/gpqa", "GPQA"),
        ("OpenDFM/SciEval/physics/filling/SocraticQA", "SciEval"),
        ("simplescaling/s1-prob", "s1-prob"),
        ("qfq/stats_qual", "s1-prob"),
        ("LiveCodeBench/release_v1", "LiveCodeBench"),
        ("simplescaling/s1-teasers", "s1-teasers"),
        ("qfq/quant", "s1-teasers"),
        # a plain name, in any case
        ("MATH", "MATH"),
        ("math", "MATH"),
        ("Aime", "AIME"),
        ("gpqa", "GPQA"),
        # no source of s1's
        ("", None),
        ("openai/gsm8k", None),
        ("BytedTsinghua-SIA/DAPO-Math-17k", None),
        ("mathematics", None),
        ("nlile/hendrycks-MATH-benchmark", None),
    ],
)
def test_a_source_type_belongs_to_a_source_of_the_paper(source, name):
    found = find_source(source)
    assert (found.name if found else None) == name
    for preset in SOURCES:
        assert is_from(source, preset.name) is (preset.name == name)


@pytest.mark.parametrize("name", EXPECTED_ROWS)
def test_every_source_is_found_by_its_name_and_its_hub_id(name):
    (preset,) = [preset for preset in SOURCES if preset.name == name]
    assert find_source(name) is preset
    assert find_source(name.upper()) is preset
    if preset.hub_id:
        assert find_source(preset.hub_id) is preset
        assert find_source(f"{preset.hub_id}/part") is preset


def test_the_test_pools_hold_every_source():
    assert {preset.name for preset in map(find_source, SOURCE_TYPES) if preset} == set(EXPECTED_ROWS)
    assert sum(find_source(source) is None for source in SOURCE_TYPES) == 2


def test_a_marker_inside_a_longer_word_is_no_marker():
    assert find_source("x/disclaimers") is None
    assert is_from("someone/aime24", "AIME")
