"""Addresses of the map."""

from django.urls import URLPattern, path

from s1web.atlas import views

app_name = "atlas"
urlpatterns: list[URLPattern] = [
    path("map/", views.page, name="map"),
    path("map/points/", views.points, name="points"),
    path("map/near/", views.near, name="near"),
]
