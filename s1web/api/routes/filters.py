"""The conditions of lists of questions, as parameters of the schema; `Listing.parse` reads them."""

from collections.abc import Sequence

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from s1web.browse.columns import GRADES, QUALITY_RULES, REVIEWS
from s1web.browse.filters import ANNOTATIONS, CONTAMINATION, NONE, SORTS
from s1web.pool.search.words import FIELDS


def _many(name: str, said: str, example: str, allowed: Sequence[str] = ()) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        {"type": "array", "items": {"type": "string", **({"enum": list(allowed)} if allowed else {})}},
        OpenApiParameter.QUERY,
        description=said,
        examples=[OpenApiExample(name, [example], parameter_only=(name, "query"))],
    )


def _one(name: str, said: str, example: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, str, OpenApiParameter.QUERY, description=said, examples=[OpenApiExample(name, example)]
    )


FILTERS = [
    _many("source", "Names of sources.", "AI-MO/NuminaMath-CoT/olympiads"),
    _many("domain", "Domains as annotated; empty: without one.", "11"),
    _many("cot_type", "Types; empty: without one.", "math"),
    _many("cluster", f"Numbers of clusters, or {NONE}.", "3"),
    _many("small", "Grade of the small model's attempt.", "wrong", tuple(GRADES)),
    _many("large", "Grade of the large model's attempt.", "wrong", tuple(GRADES)),
    _many("trace", "Grade of the trace.", "right", tuple(GRADES)),
    _one("tokens", "Range of the trace's length: FROM-TO, FROM- or -TO.", "4096-8191"),
    _many("quality", f"Formatting rules that hit, or {NONE}.", NONE, (*QUALITY_RULES, NONE)),
    _many("contamination", "Overlap with the benchmarks.", "none", CONTAMINATION),
    _many("review", f"What was decided in review, or {NONE}.", "keep", (*REVIEWS, NONE)),
    _many("missing", "Annotations that are absent.", "domain", ANNOTATIONS),
    _many("selected", "Whether any selection holds it.", "yes", ("yes", "no")),
    _many("selection", "Names of selections that hold it.", "paper-1000-seed0"),
    _many("not_selection", "Names of selections that do not hold it.", "paper-1000-seed0"),
    _one("q", 'Words, "phrases" and LaTeX fragments; -word: without it.', '"prime numbers" -\\frac'),
    _many("in", "Where the words are looked for; without it everywhere.", "question", FIELDS),
    _one("near", "Hash of a question that they are to be like; the 200 nearest.", "490bc942a261d446"),
    _one("area", "A polygon on the newest map, as the map's page writes it.", ""),
]
SORT = _one(
    "sort",
    f"One of {', '.join(SORTS)}; near with `near`, position with one `selection`; - before it turns it round. "
    "What has no value comes last.",
    "-tokens",
)
