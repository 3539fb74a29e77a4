"""The user's saved views of the pool."""

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from s1web.api.base import Operations, paged
from s1web.api.operations import Example, operation
from s1web.api.paging import PagingQuery, part_of
from s1web.api.scopes import Scope
from s1web.api.shapes import pool as shapes
from s1web.browse.filters import Listing
from s1web.browse.services import delete_view, save_view, saved_views

VIEW = OpenApiParameter("name", str, OpenApiParameter.PATH, description="Name of a view of one's own.")


class Views(Operations):
    @operation(
        "list_views",
        "One's own saved views",
        scope=Scope.POOL_READ,
        answer=paged(shapes.SavedView),
        query=PagingQuery,
    )
    def get(self, request: Request) -> Response:
        """By name."""
        pager = self.pager()
        return self.page(pager, part_of(saved_views(request.user), pager), shapes.SavedView)

    @operation(
        "save_view",
        "Save a view",
        scope=Scope.VIEWS_WRITE,
        answer=shapes.SavedView,
        status=201,
        body=shapes.NewView,
        example=Example(body={"name": "hard", "query": "small=wrong&large=wrong&sort=-tokens"}),
    )
    def post(self, request: Request) -> Response:
        """Under a name; another one of that name is replaced."""
        asked = self.body(shapes.NewView)
        view = save_view(request.user, asked["name"], Listing.parse(QueryDict(asked["query"])))
        return Response(shapes.SavedView(view).data, status=201)


class ViewDetail(Operations):
    @operation(
        "delete_view",
        "Delete a view",
        scope=Scope.VIEWS_WRITE,
        status=204,
        parameters=[VIEW],
        example=Example(path={"name": "hard"}),
        errors=(404,),
    )
    def delete(self, request: Request, name: str) -> Response:
        """One's own alone."""
        delete_view(request.user, name)
        return Response(status=204)
