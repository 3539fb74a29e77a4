"""The rows and the facets of the pool page as markup: what its view hands to their templates."""

from typing import Any

from django.template.loader import get_template
from django.urls import reverse
from django.utils.safestring import SafeString

from curation.domains import domain_title
from s1web.browse.columns import Columns
from s1web.browse.counting import Counts
from s1web.browse.filters import Listing
from s1web.browse.queries import Page
from s1web.browse.showing import facets, heads, histogram, short_source

_ANY = "0" * 16
# of a question's text on its line; the whole beginning shows on hover
_LINE_CHARACTERS = 160
_REVIEWS = {"keep": "done", "drop": "paused", "unsure": "queued", None: ""}
_CONTAMINATION = {"none": "no overlap", "overruled": "overruled", "ngram": "n-gram", "short": "short", None: ""}


def rows_markup(page: Page, listing: Listing, columns: Columns, *, may_decide: bool) -> SafeString:
    """The rows of a page, as rows of a table."""
    query = listing.query(after="", before="")
    context = {
        "rows": page.rows,
        "shown": [head.name for head in heads(listing)],
        "may_decide": may_decide,
        "question_url": reverse("questions:detail", args=[_ANY]) + (f"?{query}" if query else ""),
        "any_hash": _ANY,
        "line": _LINE_CHARACTERS,
        "titles": domain_title,
        "clusters": columns.cluster_titles,
        "rules": _rules,
        "short_source": short_source,
        "contamination": _CONTAMINATION,
        "reviews": _REVIEWS,
    }
    return _render("browse/rows.html", context)


def facets_markup(listing: Listing, counts: Counts, columns: Columns, selections: list[str]) -> SafeString:
    """What the list can be filtered by, as fields of a form; written once for all pages of a list."""
    key = ("facets", listing.query(after="", before=""), tuple(selections))
    return columns.recent.get(key, lambda: _facets(listing, counts, columns.tokenizer, selections))


def _facets(listing: Listing, counts: Counts, tokenizer: str, selections: list[str]) -> SafeString:
    conditions = listing.filter
    ends = (conditions.min_tokens, conditions.max_tokens)
    context = {
        "bars": histogram(listing, counts),
        "range": "" if ends == (None, None) else "-".join("" if end is None else str(end) for end in ends),
        "tokenizer": tokenizer,
        "num_without_length": counts.num_without_length,
        "facets": facets(counts),
        "short_source": short_source,
        "selections": selections,
        "selection": conditions.selection[0] if conditions.selection else "",
    }
    return _render("browse/facets.html", context)


def _render(name: str, context: dict[str, Any]) -> SafeString:
    # escaped by the template already
    return SafeString(get_template(name).render(context))


def _rules(quality: tuple[str, ...]) -> str:
    return ", ".join(rule.partition(".")[2].replace("_", " ") for rule in quality)
