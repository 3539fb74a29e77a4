"""What every operation shares: who may ask, strict parameters, JSON in and out, problems for whatever goes wrong."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import IO, Any

from django.http import HttpRequest, QueryDict
from drf_spectacular.openapi import AutoSchema
from rest_framework import exceptions, serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from curation.errors import ConfigError
from s1web.api.auth import SessionOfPages, TokenAuthentication, demand
from s1web.api.paging import Pager, PagingQuery, Slice
from s1web.api.problems import answer_exception

# module of routes -> what its operations are about
TOPICS = {
    "pool": "Pool",
    "questions": "Questions",
    "review": "Review",
    "views": "Saved views",
    "selections": "Runs and selections",
    "comparing": "Preview and comparison",
    "jobs": "Jobs",
}
# as JSON writes it, not where a text holds a backslash and these letters
_NULL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_MAX_NESTING = "the body is nested too deeply; send the object that the documentation shows"


class AlwaysJson(BaseContentNegotiation):
    """Whatever is accepted, JSON is sent: there is nothing else."""

    def select_parser(self, request: Request, parsers: list[BaseParser]) -> BaseParser | None:
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        return parsers[0] if kind == "application/json" else None

    def select_renderer(
        self, request: Request, renderers: list[JSONRenderer], format_suffix: str | None = None
    ) -> tuple[JSONRenderer, str]:
        return renderers[0], renderers[0].media_type


class JsonBody(BaseParser):
    """A JSON object whose texts the database can hold."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        # through Django's own limit on the size of a body
        raw = stream.body if isinstance(stream, HttpRequest) else stream.read()
        try:
            found = json.loads(raw, parse_constant=_refuse_constant)
            found_again = json.dumps(found, ensure_ascii=False)
            found_again.encode()
        except RecursionError:
            raise exceptions.ParseError(_MAX_NESTING) from None
        except UnicodeError:
            raise exceptions.ParseError("the body is no text in UTF-8; send JSON in UTF-8") from None
        except ValueError as error:
            raise exceptions.ParseError(f"the body is no JSON: {error}") from None
        if _NULL.search(found_again):
            raise exceptions.ParseError("the body holds the character U+0000, which no database keeps; leave it out")
        if not isinstance(found, dict):
            raise exceptions.ParseError("the body is no JSON object; send {...}")
        return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


class Documented(AutoSchema):
    """Operations are grouped by the module that they stand in."""

    def get_tags(self) -> list[str]:
        return [TOPICS[type(self.view).__module__.rpartition(".")[2]]]


class Operations(APIView):
    """The operations of one address; each handler is declared by `operation`."""

    authentication_classes = (TokenAuthentication, SessionOfPages)
    permission_classes = ()
    throttle_classes = ()
    renderer_classes = (JSONRenderer,)
    parser_classes = (JsonBody,)
    content_negotiation_class = AlwaysJson
    metadata_class = None
    versioning_class = None

    def get_exception_handler(self) -> Callable[[Exception, Mapping[str, Any]], Response]:
        return answer_exception

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        handler = getattr(self, str(request.method).lower(), None)
        declared = getattr(handler, "operation", None)
        demand(request, declared.scope if declared else None, declared.role if declared else None)
        if declared is None:
            raise exceptions.MethodNotAllowed(str(request.method))
        for name, value in _values(request.query_params, kwargs):
            if "\0" in value:
                raise ConfigError(f"{name} holds the character U+0000, which nothing here is named by; leave it out")

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers.setdefault("Cache-Control", "private, no-cache")
        return final

    def query(self, serializer: type[serializers.Serializer]) -> dict[str, Any]:
        """The parameters behind the question mark.

        Raises:
            ValidationError: one that is none, or a value that it cannot have.
        """
        return checked(serializer, self.request.query_params)

    def body(self, serializer: type[serializers.Serializer]) -> dict[str, Any]:
        """The body's fields, likewise."""
        return checked(serializer, self.request.data)

    def pager(self, query: Mapping[str, Any] | None = None) -> Pager:
        given = query if query is not None else self.query(PagingQuery)
        return Pager(self.request, given["limit"], given["cursor"])

    def page(self, pager: Pager, page: Slice, serializer: type[serializers.Serializer]) -> Response:
        """A page of a list."""
        body = pager.envelope(page)
        return Response(body | {"items": serializer(page.items, many=True).data})


class NothingHere(Operations):
    """Every other address below the API's own."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        APIView.initial(self, request, *args, **kwargs)
        demand(request, None)
        raise exceptions.NotFound("there is nothing at this address; /api/v1/openapi.json lists what there is")


def checked(serializer: type[serializers.Serializer], given: Any) -> dict[str, Any]:
    """What was given, read by a serializer; a name that it does not have is refused, not ignored."""
    reader = serializer(data=given)
    unknown = [name for name in given if name not in reader.fields]
    if unknown:
        allowed = ", ".join(reader.fields) or "none"
        raise exceptions.ValidationError(
            {f"{name!s:.60}": f"is not known here; there are {allowed}" for name in unknown}
        )
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)


@cache
def paged(serializer: type[serializers.Serializer]) -> type[serializers.Serializer]:
    """The page of a list, for the schema."""
    name = serializer.__name__
    fields = {
        "items": serializer(many=True, help_text="In the list's order."),
        "next": serializers.CharField(allow_null=True, help_text="Address of the next page; null at the end."),
        "previous": serializers.CharField(
            allow_null=True,
            help_text="Address of the page before; null at the beginning, and in lists that only go on.",
        ),
        "total": serializers.IntegerField(allow_null=True, help_text="Items of the whole list; null is not counted."),
    }
    return type(f"{name}Page", (serializers.Serializer,), fields)


def _values(query: QueryDict, path: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, values in query.lists():
        yield "a parameter's name", name
        for value in values:
            yield name, value
    for name, value in path.items():
        yield name, str(value)
