"""One declaration for each operation: the scope that it demands and what the schema says of it are the same."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from s1web.api.problems import MEDIA_TYPE, Problem
from s1web.api.scopes import Scope
from s1web.roles import Role

Handler = Callable[..., Any]
BY_KIND = "by the kind of job"
_ALWAYS = (401, 403, 429)
_SAID = {
    400: "A parameter, a cursor or the body cannot be used.",
    401: "No token, or one that is not known, ended or was revoked.",
    403: "The token lacks the scope, or its user the role.",
    404: "Nothing of that name is there.",
    409: "It cannot be done as things stand.",
    429: "Too many unknown tokens from this address.",
    503: "What is needed is being made, or the database is busy; ask again.",
}


@dataclass(frozen=True)
class Example:
    """A request that works, for the documentation and for the test that sends it.

    Attributes:
        path: parameter of the path -> value.
        query: names and values behind the question mark.
        body: what is sent as JSON.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
    body: Any = None

    def address(self, path: str, **values: str) -> str:
        """The request's path and query; `values` replace parameters of the path."""
        for name, value in {**self.path, **values}.items():
            path = path.replace("{" + name + "}", value)
        return f"{path}?{urlencode(self.query)}" if self.query else path

    def curl(self, method: str, path: str) -> str:
        """The request as a command for a shell that knows the site's address and a token."""
        parts = ["curl"]
        if method != "GET":
            parts.append(f"-X {method}")
        parts.append('-H "Authorization: Bearer $S1WEB_TOKEN"')
        if self.body is not None:
            parts.append(f"-H 'Content-Type: application/json' -d {shlex.quote(json.dumps(self.body))}")
        return " ".join([*parts, f'"$S1WEB{self.address(path)}"'])


@dataclass(frozen=True)
class Operation:
    """What is known of an operation apart from its schema.

    Attributes:
        role: a higher one than its scope's; None: that one is enough.
    """

    scope: Scope | None
    example: Example
    is_streamed: bool
    role: Role | None = None


def operation(
    name: str,
    summary: str,
    *,
    scope: Scope | None,
    role: Role | None = None,
    answer: Any = None,
    status: int = 200,
    query: type[serializers.Serializer] | None = None,
    parameters: Sequence[OpenApiParameter] = (),
    body: type[serializers.Serializer] | None = None,
    example: Example | None = None,
    errors: Sequence[int] = (400,),
    headers: Mapping[str, str] | None = None,
    streamed: str = "",
) -> Callable[[Handler], Handler]:
    """Declare a handler of a view; its docstring is the description.

    Args:
        scope: None: the handler demands it, by the kind of a job.
        role: what it takes where that is more than the scope does.
        answer: serializer of the body; None: it has none.
        query: what stands behind the question mark, if a serializer reads it.
        errors: statuses beside 401, 403 and 429.
        headers: of the answer, name -> what it says.
        streamed: the media type of an answer that is sent line by line.
    """
    shown = example or Example()
    documented = [
        OpenApiParameter(header, str, OpenApiParameter.HEADER, description=said, response=[status])
        for header, said in (headers or {}).items()
    ]
    failures = {
        (code, MEDIA_TYPE): OpenApiResponse(
            Problem, _SAID[code], examples=[OpenApiExample(HTTPStatus(code).phrase, _problem(code, scope))]
        )
        for code in sorted({*errors, *_ALWAYS})
    }
    ok = OpenApiResponse(answer, HTTPStatus(status).phrase)
    responses: dict[Any, Any] = {(status, streamed) if streamed else status: ok, **failures}

    def declare(handler: Handler) -> Handler:
        said = " ".join((handler.__doc__ or "").split())
        handler.operation = Operation(scope, shown, bool(streamed), role)  # type: ignore[attr-defined]
        return extend_schema(
            operation_id=name,
            summary=summary,
            description=said,
            parameters=[*([query] if query else []), *parameters, *documented],
            request=body,
            responses=responses,
            examples=[OpenApiExample("Example", shown.body, request_only=True)] if shown.body is not None else None,
            extensions={
                "x-scope": scope.value if scope else BY_KIND,
                "x-role": (role or scope.role).value if scope else BY_KIND,
                "x-example": shown,
            },
        )(handler)

    return declare


def _problem(status: int, scope: Scope | None) -> dict[str, Any]:
    needed = scope.value if scope else Scope.CURATE.value
    details = {
        400: "limit: Ensure this value is less than or equal to 500.",
        401: "this needs a user; send Authorization: Bearer s1w_..., a token made at /api/tokens/",
        403: f"this needs the scope {needed}; the token has others: make another at /api/tokens/",
        404: "the pool has no question 'ffffffffffffffff'; give the 16 hex digits of its hash",
        409: "job 7 is done; only what is planned can be confirmed",
        429: "too many unknown tokens from this address; wait 5 minutes",
        503: "reading the pool for 2 s already, which goes on; ask again in a moment",
    }
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": details[status],
    }
