"""Addresses of the pool page."""

from django.urls import URLPattern, path

from s1web.browse import views

app_name = "browse"
urlpatterns: list[URLPattern] = [
    path("pool/", views.pool, name="pool"),
    path("pool/export.<slug:format>", views.export, name="export"),
    path("pool/decide/", views.decide_on, name="decide"),
    path("pool/changes/", views.changes, name="changes"),
    path("pool/changes/<int:pk>/undo/", views.undo_change, name="undo"),
    path("pool/views/save/", views.save_view, name="save-view"),
    path("pool/views/delete/", views.delete_view, name="delete-view"),
]
