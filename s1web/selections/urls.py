"""Addresses of curation: the recipe's page, runs and their rows, reports, comparisons."""

from django.urls import URLPattern, path

from s1web.selections import reports, runs, views

app_name = "selections"
urlpatterns: list[URLPattern] = [
    path("curate/", views.curate, name="curate"),
    path("curate/preview/", views.preview, name="preview"),
    path("curate/stability/<int:pk>/", reports.stability, name="stability"),
    path("curate/ablations/<int:pk>/", reports.ablations, name="ablations"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/<int:pk>/", runs.run_detail, name="run"),
    path("runs/<int:pk>/rows/", runs.run_rows, name="rows"),
    path("runs/<int:pk>/recipe/", runs.run_recipe, name="recipe"),
    path("runs/<int:pk>/export/", runs.export, name="export"),
    path("compare/", reports.compare_runs, name="compare"),
    path("compare/csv/", reports.compare_csv, name="compare-csv"),
]
