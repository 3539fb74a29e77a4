"""The pool page: a list of questions, what to filter it by, and what can be done with all that is left."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from curation.errors import ConfigError, ConflictError, NotFoundError, S1WebError
from s1web.browse import cells, services, showing
from s1web.browse import export as exports
from s1web.browse.deciding import UnseenError, decide_on_filter, decide_on_picked
from s1web.browse.filters import Listing
from s1web.browse.queries import read_counts, read_page
from s1web.browse.store import looked
from s1web.pool.search.words import FIELDS
from s1web.review import queries as review
from s1web.review.rights import may_undo
from s1web.review.services import NOT_REVIEWED, STATES, undo_as
from s1web.roles import Role, has_role, role_required
from s1web.selections.queries import newest_selections
from s1web.streaming import stream

SHORTCUTS = (
    ("j", "Next row; k: the one before"),
    ("Enter", "Open the row"),
    ("x", "Pick the row; with Shift all from the last picked one"),
    ("/", "Search"),
    ("n", "Next page; p: the one before"),
)
_NUM_SELECTIONS = 50


@require_safe
def pool(request: HttpRequest) -> HttpResponse:
    try:
        listing = Listing.parse(request.GET)
        look = looked()
        page = read_page(listing, look=look)
        counts = read_counts(listing.filter, look)
    except (ConfigError, NotFoundError) as error:
        return _refused(request, error)
    newest = [selection.name for selection in newest_selections(_NUM_SELECTIONS)]
    selections = [*newest, *(name for name in listing.filter.selection if name not in newest)]
    may_decide = has_role(request.user, Role.REVIEWER)
    context: dict[str, Any] = {
        "listing": listing,
        "conditions": listing.filter,
        "page": page,
        "last": page.first + len(page.rows) - 1,
        "rows": cells.rows_markup(page, listing, look.columns, may_decide=may_decide),
        "facets": cells.facets_markup(listing, counts, look.columns, selections),
        "heads": showing.heads(listing),
        "chips": showing.chips(listing, showing.labels(counts)),
        "columns": showing.shown_choices(listing),
        # what a form of filters keeps: its order; the place belongs to the filter that was
        "order": _order(listing),
        "fields": [(name, name in listing.filter.search_in) for name in FIELDS],
        "query": listing.query(after="", before=""),
        "previous_url": "?" + listing.query(before=page.before, after="") if page.before else None,
        "next_url": "?" + listing.query(after=page.after, before="") if page.after else None,
        "here": request.get_full_path(),
        "views": services.saved_views(request.user),  # type: ignore[arg-type]
        "last_change": review.last_change_of(request.user),  # type: ignore[arg-type]
        "may_decide": may_decide,
        "may_decide_all": has_role(request.user, Role.CURATOR),
        "may_export": has_role(request.user, Role.OPERATOR),
        "states": [state for state in STATES if state],
        "page_shortcuts": SHORTCUTS,
    }
    return render(request, "browse/pool.html", context)


def _order(listing: Listing) -> str:
    sort = QueryDict(listing.query()).get("sort")
    return sort or ""


def _refused(request: HttpRequest, error: S1WebError) -> HttpResponse:
    context = {"error": str(error), "typed": request.GET.get("q", ""), "page_shortcuts": SHORTCUTS}
    return render(request, "browse/refused.html", context, status=400)


@require_safe
@role_required(Role.OPERATOR)
def export(request: HttpRequest, format: str) -> HttpResponseBase:
    if format not in exports.FORMATS:
        raise Http404
    try:
        listing = Listing.parse(request.GET)
        pieces = exports.read_csv(listing) if format == "csv" else exports.read_jsonl(listing)
        first = next(pieces, "")
    except (ConfigError, NotFoundError) as error:
        return _refused(request, error)
    return stream(request, _again(first, pieces), content_type=exports.FORMATS[format], name=f"questions.{format}")


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


@require_POST
@role_required(Role.REVIEWER)
def decide_on(request: HttpRequest) -> HttpResponseBase:
    """Give a review state to the picked rows, or to all of a filter once its number was seen."""
    state, query = request.POST.get("state", ""), request.POST.get("list", "")
    state = NOT_REVIEWED if state == "none" else state
    user: Any = request.user
    try:
        listing = replace(Listing.parse(QueryDict(query)), after="", before="")
        if request.POST.get("scope") == "all":
            change = decide_on_filter(listing, state, user=user, confirmed=_confirmed(request))
            query = listing.query()
        else:
            change = decide_on_picked(request.POST.getlist("row"), state, user=user)
    except UnseenError as unseen:
        return _ask(request, listing, state, unseen.total)
    except S1WebError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{_questions(change.num_questions)}: {state or 'not reviewed'}.")
    return redirect(f"{reverse('browse:pool')}?{query}")


def _confirmed(request: HttpRequest) -> int | None:
    """How many questions the page said that they are."""
    text = request.POST.get("confirmed", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _ask(request: HttpRequest, listing: Listing, state: str, total: int) -> HttpResponse:
    """The page that says how many questions they are, and asks for a yes."""
    context = {
        "state": state,
        "sent_state": request.POST.get("state", ""),
        "total": total,
        "query": listing.query(),
        "has_changed": "confirmed" in request.POST,
        "chips": showing.chips(listing, showing.labels(read_counts(listing.filter))),
    }
    return render(request, "browse/confirm.html", context)


@require_safe
def changes(request: HttpRequest) -> HttpResponse:
    context = {"changes": [(change, may_undo(request.user, change)) for change in review.newest_changes()]}
    return render(request, "browse/changes.html", context)


@require_POST
@role_required(Role.REVIEWER)
def undo_change(request: HttpRequest, pk: int) -> HttpResponseBase:
    try:
        change = undo_as(request.user, pk)  # type: ignore[arg-type]
    except NotFoundError as error:
        raise Http404(str(error)) from None
    except ConflictError as error:
        messages.error(request, str(error))
    else:
        kept = change.num_questions - change.num_restored
        more = f"; {kept:,} changed again since and stay" if kept else ""
        messages.success(request, f"{_questions(change.num_restored)} as before{more}.")
    return redirect(_back(request))


@require_POST
def save_view(request: HttpRequest) -> HttpResponseBase:
    query = request.POST.get("list", "")
    try:
        view = services.save_view(request.user, request.POST.get("name", ""), Listing.parse(QueryDict(query)))  # type: ignore[arg-type]
    except ConfigError as error:
        messages.error(request, str(error))
        return redirect(f"{reverse('browse:pool')}?{query}")
    messages.success(request, f"Saved as {view.name}.")
    return redirect(f"{reverse('browse:pool')}?{view.query}")


@require_POST
def delete_view(request: HttpRequest) -> HttpResponseBase:
    try:
        services.delete_view(request.user, request.POST.get("name", ""))  # type: ignore[arg-type]
    except NotFoundError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The view is deleted.")
    return redirect(f"{reverse('browse:pool')}?{request.POST.get('list', '')}")


def _back(request: HttpRequest) -> str:
    """The page of this app that the form was on."""
    if request.POST.get("from") == "changes":
        return reverse("browse:changes")
    return f"{reverse('browse:pool')}?{request.POST.get('list', '')}"


def _questions(count: int) -> str:
    return f"{count:,} question{'s' if count != 1 else ''}"
