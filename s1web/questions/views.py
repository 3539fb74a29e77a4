"""The page of a question, the fragments that it fetches, its texts as they are, and decisions on its evidence."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from curation.errors import ConflictError, NotFoundError
from s1web.pool import contamination
from s1web.pool.models import Attempt, Grade, Question, Trace
from s1web.questions.court import Court, read_court
from s1web.questions.forms import OverruleForm, ReinstateForm
from s1web.questions.history import read_history
from s1web.questions.nearness import Place, read_likeness, read_place
from s1web.questions.queries import read_question, read_trace_head
from s1web.questions.reading import split_paragraphs, split_parts, split_steps
from s1web.roles import Role, has_role, role_required

HASH_DIGITS = 16
SHORTCUTS = (
    ("j", "Next question of the list"),
    ("k", "Previous question of the list"),
    ("[", "Previous trace"),
    ("]", "Next trace"),
    ("/", "Search in the trace"),
    ("n", "Next hit; N: the one before"),
    ("r", "Mathematics rendered or raw"),
    ("o", "Overrule contamination"),
)
# part of a question -> the field that holds its text
_TEXTS = {name: name for name in ("solution", "answer", "cot", "metadata")} | {"question": "text"}


@require_safe
def detail(request: HttpRequest, question_hash: str) -> HttpResponse:
    if len(question_hash) < HASH_DIGITS:
        return redirect(_address(_only_hash(question_hash), request.GET.urlencode()))
    question = _find(question_hash)
    return _page(request, question, read_court(question))


@require_safe
@vary_on_headers("HX-Request")
def near(request: HttpRequest, question_hash: str) -> HttpResponse:
    question = get_object_or_404(Question.objects.only("question_hash"), question_hash=question_hash)
    context = {"question": question, "likeness": read_likeness(question)}
    return render(request, _template(request, "near"), context)


@require_safe
@vary_on_headers("HX-Request")
def trace(request: HttpRequest, question_hash: str, pk: int) -> HttpResponse:
    """The texts of a trace, a part of them where they are very long."""
    found = get_object_or_404(Trace.objects.select_related("question"), pk=pk, question__question_hash=question_hash)
    paragraphs = split_paragraphs(found.thinking)
    parts = split_parts(split_steps(paragraphs))
    number = _number(request.GET.get("part", ""), len(parts))
    context = {
        "question": found.question,
        "trace": found,
        "steps": parts[number - 1] if parts else [],
        "num_paragraphs": len(paragraphs),
        "part": number,
        "next_part": number + 1 if number < len(parts) else None,
        "num_parts": len(parts),
        # the attempt follows the last of the thinking
        "attempt": split_paragraphs(found.attempt) if number >= len(parts) else [],
    }
    if "HX-Request" not in request.headers:
        context["head"] = read_trace_head(found)
    return render(request, _template(request, "trace"), context)


@require_safe
def text(request: HttpRequest, question_hash: str, name: str, pk: int | None = None) -> HttpResponse:
    """A text as it stands, as plain text that no browser takes for a page."""
    found: str | None
    if pk is None and name in _TEXTS:
        found = Question.objects.filter(question_hash=question_hash).values_list(_TEXTS[name], flat=True).first()
    elif pk is not None and name in ("thinking", "attempt-of-trace"):
        traces = Trace.objects.filter(pk=pk, question__question_hash=question_hash)
        found = traces.values_list("thinking" if name == "thinking" else "attempt", flat=True).first()
    elif pk is not None and name == "attempt":
        attempts = Attempt.objects.filter(pk=pk, question__question_hash=question_hash)
        found = attempts.values_list("text", flat=True).first()
    elif pk is not None and name == "reply":
        grades = Grade.objects.filter(pk=pk, question__question_hash=question_hash)
        found = grades.values_list("raw_reply", flat=True).first()
    else:
        found = None
    if found is None:
        raise Http404
    return HttpResponse(found, content_type="text/plain; charset=utf-8")


@require_POST
@role_required(Role.REVIEWER)
def overrule(request: HttpRequest, question_hash: str) -> HttpResponseBase:
    question = _find(question_hash)
    court = read_court(question)
    form = OverruleForm(court, request.POST)
    if not form.is_valid():
        return _page(request, question, court, form)
    try:
        changed = contamination.overrule(
            question_hash,
            reason=form.cleaned_data["reason"],
            decided_by=request.user.get_username(),
            evidence=form.cleaned_data["evidence"],
        )
    except (NotFoundError, ConflictError) as error:
        form.add_error(None, str(error))
        return _page(request, question, court, form)
    messages.success(request, f"{_pieces(changed)} overruled. It can be made to count again below.")
    return _back(request, question_hash)


@require_POST
@role_required(Role.REVIEWER)
def reinstate(request: HttpRequest, question_hash: str) -> HttpResponseBase:
    question = _find(question_hash)
    form = ReinstateForm(read_court(question), request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return _back(request, question_hash)
    try:
        changed = contamination.reinstate(
            question_hash,
            reason=form.cleaned_data["reason"],
            decided_by=request.user.get_username(),
            evidence=form.cleaned_data["evidence"],
        )
    except (NotFoundError, ConflictError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{_pieces(changed)} counts again.")
    return _back(request, question_hash)


def _page(request: HttpRequest, question: Question, court: Court, form: OverruleForm | None = None) -> HttpResponse:
    query = request.GET if form is None else QueryDict(request.POST.get("list", ""))
    place = read_place(query, question.question_hash)
    fates, has_older_runs = read_history(question)
    may_decide = has_role(request.user, Role.REVIEWER)
    context: dict[str, Any] = {
        "question": question,
        "view": read_question(question),
        "court": court,
        "form": form or (OverruleForm(court) if may_decide else None),
        "may_decide": may_decide,
        "place": place,
        "previous_url": _neighbour(place, place.previous),
        "next_url": _neighbour(place, place.following),
        "fates": fates,
        "has_older_runs": has_older_runs,
        "page_shortcuts": SHORTCUTS,
    }
    return render(request, "questions/question_detail.html", context)


def _find(question_hash: str) -> Question:
    return get_object_or_404(Question.objects.select_related("source"), question_hash=question_hash)


def _only_hash(beginning: str) -> str:
    """The hash of the only question that has this beginning."""
    hashes = Question.objects.filter(question_hash__startswith=beginning).values_list("question_hash", flat=True)[:2]
    if len(hashes) != 1:
        raise Http404
    return hashes[0]


def _template(request: HttpRequest, name: str) -> str:
    """The fragment for the script that asks for it, else a page of its own."""
    return f"questions/_{name}.html" if "HX-Request" in request.headers else f"questions/{name}_detail.html"


def _number(given: str, most: int) -> int:
    """The part that the address asks for, the first where it says none or nonsense."""
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 9 else 1
    return min(max(number, 1), max(most, 1))


def _neighbour(place: Place, question_hash: str | None) -> str | None:
    return _address(question_hash, place.query) if question_hash else None


def _address(question_hash: str, query: str = "") -> str:
    address = reverse("questions:detail", args=[question_hash])
    return f"{address}?{query}" if query else address


def _back(request: HttpRequest, question_hash: str) -> HttpResponseBase:
    return redirect(f"{_address(question_hash, request.POST.get('list', ''))}#contamination")


def _pieces(count: int) -> str:
    return f"{count} piece{'s' if count != 1 else ''} of evidence"
