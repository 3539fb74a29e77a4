"""The pool: rows, facets, download, clusters, map, agreement of domains."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

from django.http import HttpResponseBase, QueryDict
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from curation.errors import ConfigError, NotFoundError
from s1web.api.base import Operations, checked, paged
from s1web.api.operations import Example, operation
from s1web.api.paging import Pager, PagingQuery, Place, Slice, part_of
from s1web.api.routes.filters import FILTERS, SORT
from s1web.api.scopes import Scope
from s1web.api.shapes import pool as shapes
from s1web.browse import export as exports
from s1web.browse.filters import Listing
from s1web.browse.queries import read_counts, read_page
from s1web.pool.queries import count_pool, count_problems, is_all_compared
from s1web.pool.version import pool_version
from s1web.streaming import stream
from s1web.vectors.models import PoolMap
from s1web.vectors.queries import domain_agreement, domain_methods, list_clusters, map_points

_HARD = (("small", "wrong"), ("large", "wrong"))
_PAGING = ("limit", "cursor")
_ETAG = {"ETag": "Of the pool's state; send it as If-None-Match for a 304 while nothing has changed."}


class PoolFigures(Operations):
    @operation("read_pool", "The pool in figures", scope=Scope.POOL_READ, answer=shapes.Pool, errors=())
    def get(self, request: Request) -> Response:
        """How many questions, traces and sources there are, and what they were compared with."""
        figures, benchmarks = count_pool(), count_problems()
        found = {
            "version": pool_version(),
            "questions": figures.questions,
            "traces": figures.traces,
            "sources": figures.sources,
            "contaminated": figures.contaminated if benchmarks and is_all_compared() else None,
            "benchmarks": [{"name": name, "num_problems": num} for name, num in benchmarks],
        }
        return Response(shapes.Pool(found).data)


class Questions(Operations):
    @operation(
        "list_questions",
        "Rows of the pool",
        scope=Scope.POOL_READ,
        answer=paged(shapes.QuestionRow),
        query=PagingQuery,
        parameters=[*FILTERS, SORT],
        example=Example(query=[*_HARD, ("sort", "-tokens"), ("limit", "2")]),
        headers=_ETAG,
        errors=(400, 404),
    )
    def get(self, request: Request) -> Response:
        """Questions that fulfil all conditions, any value of each, in the order asked for."""
        # before anything is read: what is sent is then never older than its tag
        tag = _etag(request)
        if request.headers.get("If-None-Match") == tag:
            return Response(status=304, headers={"ETag": tag})
        listing, pager = _listing(request, self)
        place = pager.place
        before, after = (place.key, "") if place.is_backward else ("", place.key)
        listing = replace(listing, before=before, after=after)
        page = read_page(listing, pager.limit)
        found = Slice(
            page.rows,
            following=Place(page.after) if page.after else None,
            preceding=Place(page.before, is_backward=True) if page.before else None,
            total=page.total,
        )
        answer = self.page(pager, found, shapes.QuestionRow)
        if not page.is_refreshing:
            answer["ETag"] = tag
        return answer


class QuestionFacets(Operations):
    @operation(
        "count_questions",
        "Facets and the histogram of trace lengths",
        scope=Scope.POOL_READ,
        answer=shapes.Facets,
        parameters=FILTERS,
        example=Example(query=_HARD),
        errors=(400, 404),
    )
    def get(self, request: Request) -> Response:
        """For each value of each facet, how many questions have it and fulfil all other conditions."""
        return Response(shapes.Facets(read_counts(conditions_of(request.query_params).filter)).data)


class QuestionLines(Operations):
    @operation(
        "export_questions",
        "All rows of a filter, with their texts",
        scope=Scope.EXPORTS,
        answer=OpenApiTypes.STR,
        parameters=[*FILTERS, SORT],
        example=Example(query=_HARD),
        streamed=exports.FORMATS["jsonl"],
        errors=(400, 404),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """One JSON object a line: what lists show, whole texts, the question's own trace; sent while it is read."""
        pieces = exports.read_jsonl(conditions_of(request.query_params))
        # what cannot be read is said as a problem, not in the middle of a file
        first = next(pieces, "")
        return stream(
            request._request,
            chain([first], pieces),
            content_type=exports.FORMATS["jsonl"],
            name="questions.jsonl",
        )


class Clusters(Operations):
    @operation(
        "list_clusters",
        "Clusters of the pool",
        scope=Scope.POOL_READ,
        answer=paged(shapes.Cluster),
        query=PagingQuery,
    )
    def get(self, request: Request) -> Response:
        """The newest clustering, the largest first; empty where none was made. Rows: /questions?cluster=NUMBER."""
        pager = self.pager()
        return self.page(pager, part_of(list_clusters(), pager), shapes.Cluster)


class Map(Operations):
    @operation("read_map", "The newest map", scope=Scope.POOL_READ, answer=shapes.PoolMap, errors=(404,))
    def get(self, request: Request) -> Response:
        """How the map was drawn, and of how many questions."""
        return Response(shapes.PoolMap(_newest_map()).data)


class MapPoints(Operations):
    @operation(
        "export_map",
        "Every point of the newest map",
        scope=Scope.POOL_READ,
        answer=shapes.MapPoint,
        streamed=exports.FORMATS["jsonl"],
        errors=(404,),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """One JSON object a line, for each question that has a place; near questions lie near each other."""
        _newest_map()
        points = map_points()
        assert points is not None
        lines = _point_lines(points.hashes, points.values)
        return stream(request._request, lines, content_type=exports.FORMATS["jsonl"], name="map.jsonl")


class Domains(Operations):
    @operation(
        "list_domain_methods",
        "Methods that labelled domains",
        scope=Scope.POOL_READ,
        answer=paged(shapes.DomainMethod),
        query=PagingQuery,
    )
    def get(self, request: Request) -> Response:
        """Each with how many questions it labelled."""
        pager = self.pager()
        return self.page(pager, part_of(domain_methods(), pager), shapes.DomainMethod)


class DomainAgreement(Operations):
    @operation(
        "compare_domain_methods",
        "How far two methods agree on domains",
        scope=Scope.POOL_READ,
        answer=shapes.Agreement,
        query=shapes.AgreementQuery,
        example=Example(query=[("first", "imported"), ("second", "nearest description")]),
        errors=(400, 404),
    )
    def get(self, request: Request) -> Response:
        """Over the questions that both have labelled."""
        asked = self.query(shapes.AgreementQuery)
        known = [name for name, _ in domain_methods()]
        for name in asked.values():
            if name not in known:
                there = ", ".join(map(repr, known)) or "none yet"
                raise NotFoundError(f"no method {name[:60]!r} labelled domains (there: {there}); see /api/v1/domains")
        return Response(shapes.Agreement(domain_agreement(asked["first"], asked["second"]).to_json()).data)


def _newest_map() -> PoolMap:
    newest = PoolMap.objects.order_by("-pk").first()
    if newest is None:
        raise NotFoundError("no map was drawn yet; submit a job of kind annotate_map")
    return newest


def _point_lines(hashes: Any, values: Any) -> Iterator[str]:
    for start in range(0, len(hashes), 1_000):
        some = zip(hashes[start : start + 1_000].tolist(), values[start : start + 1_000].tolist(), strict=True)
        yield "".join(
            json.dumps({"question_hash": name.decode(), "x": round(x, 5), "y": round(y, 5)}) + "\n"
            for name, (x, y) in some
        )


def _listing(request: Request, view: Operations) -> tuple[Listing, Pager]:
    """What is asked for, and the page of it."""
    paging = QueryDict(mutable=True)
    for name in _PAGING:
        if name in request.query_params:
            paging.setlist(name, request.query_params.getlist(name))
    return conditions_of(request.query_params), view.pager(checked(PagingQuery, paging))


def conditions_of(query: QueryDict) -> Listing:
    """The filter and the order.

    Raises:
        ConfigError: a name that is none, or a value that it cannot have.
    """
    given = query.copy()
    for name in ("after", "before", "columns"):
        if name in given:
            raise ConfigError(f"{name} is of the pages alone; take `next` or `previous` of an answer instead")
    for name in _PAGING:
        given.pop(name, None)
    return Listing.parse(given)


def _etag(request: Request) -> str:
    state = f"{pool_version()}\n{request.get_full_path()}"
    return f'W/"{hashlib.sha256(state.encode()).hexdigest()[:32]}"'
