"""The 16 sources of s1's pool (s1 §2.1, table 7 of the paper): who they are, how many rows, which columns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SourcePreset:
    """One of s1's sources.

    Attributes:
        name: as the paper writes it.
        markers: lower-case texts, one of which stands alone in the `source_type` of its rows.
        expected_rows: rows in s1's pool of 59,029.
        hub_id: data set on the Hub it comes from, or "" where there is none.
        licence: as its card states it, else "unknown".
        columns: its own column name -> our field, where the general names do not fit.
    """

    name: str
    markers: tuple[str, ...]
    expected_rows: int
    hub_id: str = ""
    licence: str = "unknown"
    columns: Mapping[str, str] = field(default_factory=dict)


SOURCES: tuple[SourcePreset, ...] = (
    SourcePreset("NuminaMATH", ("numinamath",), 30_660, "AI-MO/NuminaMath-CoT", "apache-2.0"),
    SourcePreset("MATH", ("openaimath",), 11_999, "qfq/openaimath", "mit"),
    SourcePreset("OlympicArena", ("olympicarena",), 4_250, "GAIR/OlympicArena"),
    SourcePreset("OmniMath", ("omni-math", "omnimath"), 4_238, "KbsdJames/Omni-MATH", "apache-2.0"),
    SourcePreset("AGIEval", ("agieval",), 2_385, "baber/agieval", "mit", {"query": "question"}),
    SourcePreset("xword", ("xword",), 999, "0xharib/xword1", columns={"input": "question", "output": "solution"}),
    SourcePreset("OlympiadBench", ("olympiadbench",), 896, "Hothan/OlympiadBench", "apache-2.0"),
    SourcePreset("AIME", ("aime",), 890, "qq8933/AIME_1983_2024"),
    SourcePreset("TheoremQA", ("theoremqa",), 747, "TIGER-Lab/TheoremQA", "mit"),
    SourcePreset("USACO", ("usaco",), 519),
    SourcePreset("JEEBench", ("jeebench",), 515, "daman1209arora/jeebench", "mit", {"gold": "answer"}),
    SourcePreset("GPQA", ("gpqa",), 348, "Idavidrein/gpqa", "cc-by-4.0", {"Correct Answer": "answer"}),
    SourcePreset("SciEval", ("scieval",), 227, "OpenDFM/SciEval"),
    SourcePreset("s1-prob", ("s1-prob", "stats_qual"), 182, "simplescaling/s1-prob"),
    SourcePreset("LiveCodeBench", ("livecodebench",), 151, "", columns={"question_content": "question"}),
    SourcePreset("s1-teasers", ("s1-teasers", "qfq/quant"), 23, "simplescaling/s1-teasers"),
)

_BY_NAME = {preset.name.lower(): preset for preset in SOURCES}
# a marker stands alone: "disclaimers" is not from AIME, "aime24" is
_PATTERNS = [
    (preset, re.compile("|".join(rf"(?<![a-z]){re.escape(marker)}(?![a-z])" for marker in preset.markers)))
    for preset in SOURCES
]


def find_source(source: str) -> SourcePreset | None:
    """The preset that a row's `source_type` belongs to, by its name or a marker in it; None where none does."""
    lowered = source.lower()
    if lowered in _BY_NAME:
        return _BY_NAME[lowered]
    return next((preset for preset, pattern in _PATTERNS if pattern.search(lowered)), None)


def is_from(source: str, name: str) -> bool:
    """Whether a row's `source_type` belongs to the named source: "qq8933/AIME_1983_2024" is from "AIME"."""
    preset = find_source(source)
    return preset is not None and preset.name == name
