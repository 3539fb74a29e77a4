"""Addresses of the API, of its documentation and of tokens."""

from django.urls import URLPattern, URLResolver, include, path

from s1web.api import pages
from s1web.api.addresses import ROOT, operations
from s1web.api.base import NothingHere

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", pages.documentation, name="documentation"),
    path("api/tokens/", pages.tokens, name="tokens"),
    path("api/tokens/<number:pk>/revoke/", pages.revoke, name="revoke"),
    path(f"{ROOT}openapi.json", pages.Schema.as_view(), name="openapi"),
    path(ROOT, include(operations)),
    path(ROOT, NothingHere.as_view()),
    path(f"{ROOT}<path:rest>", NothingHere.as_view()),
]
