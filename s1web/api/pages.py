"""The documentation, the schema, and the page on which users make and revoke tokens."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from rest_framework.request import Request
from rest_framework.response import Response

from curation.errors import S1WebError
from s1web.api import document
from s1web.api.base import Operations
from s1web.api.forms import TokenForm
from s1web.api.operations import Example, Operation
from s1web.api.paging import DEFAULT_LIMIT, MAX_LIMIT
from s1web.api.scopes import Scope
from s1web.api.tokens import make_token, revoke_token, tokens_of
from s1web.signin import MAX_FAILURES, WINDOW_SECONDS


@require_safe
def documentation(request: HttpRequest) -> HttpResponse:
    context = {
        "topics": document.topics(),
        "scopes": list(Scope),
        "default_limit": DEFAULT_LIMIT,
        "max_limit": MAX_LIMIT,
        "max_failures": MAX_FAILURES,
        "window_minutes": WINDOW_SECONDS // 60,
    }
    return render(request, "api/documentation.html", context)


class Schema(Operations):
    """The schema, for tools; whoever is let in may read it."""

    schema = None

    def get(self, request: Request) -> Response:
        return Response(document.schema())

    get.operation = Operation(None, Example(), is_streamed=False)  # type: ignore[attr-defined]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The user's tokens, and the form of a new one; sent, it answers with the token, which no later page shows."""
    user = cast(User, request.user)
    if request.method != "POST":
        return _tokens(request, TokenForm(user))
    form = TokenForm(user, request.POST)
    if form.is_valid():
        try:
            token, text = make_token(user, form.cleaned_data["name"], form.cleaned_data["scopes"], form.ends_at())
        except S1WebError as error:
            form.add_error(None, str(error))
        else:
            return _tokens(request, TokenForm(user), made=token, text=text)
    return _tokens(request, form)


@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponseBase:
    try:
        token = revoke_token(cast(User, request.user), pk)
    except S1WebError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Token {token.name} was revoked: it is not let in any more.")
    return redirect("api:tokens")


def _tokens(request: HttpRequest, form: TokenForm, **made: Any) -> HttpResponse:
    found = tokens_of(cast(User, request.user))
    context = {
        "form": form,
        "usable": [token for token in found if token.is_usable],
        "ended": [token for token in found if not token.is_usable],
        **made,
    }
    return render(request, "api/tokens.html", context)
