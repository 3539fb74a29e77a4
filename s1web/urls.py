"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path

from s1web import signin, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.overview, name="overview"),
    path("sign-in/", signin.SignInView.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("health/", views.health, name="health"),
    path("", include("s1web.browse.urls")),
    path("", include("s1web.atlas.urls")),
    path("", include("s1web.selections.urls")),
    path("", include("s1web.jobs.urls")),
    path("", include("s1web.questions.urls")),
    path("", include("s1web.api.urls")),
]
