"""Errors as `application/problem+json` (RFC 9457): a line that says what came, what is allowed, what to do."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.response import Response

from curation.errors import ConflictError, NotFoundError, S1WebError
from s1web.errors import error_line, is_passing
from s1web.selections.kept import Waiting

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 2
_MAX_DETAIL = 2_000
_FAULT = "a fault in the program; the server's log says more, and the same request may well fail again"


class Problem(serializers.Serializer):
    type = serializers.CharField(help_text="Always about:blank: the status says which kind of problem it is.")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField(help_text="The status of the answer.")
    detail = serializers.CharField(help_text="What came, what is allowed, what to do.")
    errors = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="One line for each field that cannot be used."
    )


def problem(
    status: int, detail: str, *, errors: Iterable[str] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that says what is wrong."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _sendable(detail),
    }
    lines = [_sendable(line) for line in errors]
    if lines:
        body["errors"] = lines
    return Response(body, status=status, headers=dict(headers or {}), content_type=MEDIA_TYPE)


def answer_exception(error: Exception, context: Mapping[str, Any]) -> Response:
    """Whatever a view raised, as a problem; nothing of a fault in the program but that there is one."""
    if isinstance(error, S1WebError):
        return problem(_status_of(error), error_line(error))
    if isinstance(error, exceptions.ValidationError):
        lines = list(_lines(error.detail))
        return problem(400, "; ".join(lines), errors=lines)
    if isinstance(error, exceptions.APIException):
        return problem(error.status_code, _text(error.detail), headers=_headers(error))
    if isinstance(error, Http404):
        return problem(404, "there is nothing at this address; /api/v1/openapi.json lists what there is")
    if isinstance(error, PermissionDenied):
        return problem(403, str(error))
    if isinstance(error, RequestDataTooBig):
        return problem(413, "the body is too large; send less than 2.5 MB")
    if isinstance(error, SuspiciousOperation):
        return problem(400, "the request cannot be read; send it as the documentation says")
    if isinstance(error, Waiting):
        line = f"{error.what} for {error.seconds:.0f} s already, which goes on; ask again in a moment"
        return problem(503, line, headers={"Retry-After": str(_RETRY_SECONDS)})
    if is_passing(error):
        return problem(503, error_line(error), headers={"Retry-After": str(_RETRY_SECONDS)})
    request = context.get("request")
    log.error("fault at %s", getattr(request, "path", "?"), exc_info=error)
    return problem(500, _FAULT)


def _status_of(error: S1WebError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    return 409 if isinstance(error, ConflictError) else 400


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(int(error.wait))
    return headers


def _lines(detail: Any, name: str = "") -> Iterator[str]:
    """One line for each field that is wrong."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            known = "" if key == "non_field_errors" else str(key)
            yield from _lines(value, ".".join(part for part in (name, known) if part))
    elif isinstance(detail, list | tuple):
        for item in detail:
            yield from _lines(item, name)
    else:
        yield f"{name}: {_text(detail)}" if name else _text(detail)


def _text(detail: Any) -> str:
    return " ".join(str(detail).split())


def _sendable(text: str) -> str:
    """What was sent may be quoted in it, and be no text that UTF-8 can hold."""
    return text[:_MAX_DETAIL].encode(errors="replace").decode()
