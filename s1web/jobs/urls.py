"""Addresses of jobs and workers; those that end in `rows` or `now` are fragments of the page above them."""

from django.urls import URLPattern, path

from s1web.jobs import actions, views

app_name = "jobs"
urlpatterns: list[URLPattern] = [
    path("jobs/", views.job_list, name="list"),
    path("jobs/rows/", views.job_rows, name="rows"),
    path("jobs/meter/", views.meter, name="meter"),
    path("jobs/new/", views.kind_list, name="new"),
    path("jobs/new/<slug:kind>/", views.new_job, name="new-of-kind"),
    path("jobs/<int:pk>/", views.job_detail, name="detail"),
    path("jobs/<int:pk>/now/", views.job_now, name="now"),
    path("jobs/<int:pk>/log/", views.job_log, name="log"),
    path("jobs/<int:pk>/record/", views.job_record, name="record"),
    path("workers/", views.worker_list, name="workers"),
    path("workers/rows/", views.worker_rows, name="worker-rows"),
    # one address for each thing that can be done to a job: jobs:cancel, jobs:pause, ...
    *(
        path(f"jobs/<int:pk>/{name.replace('_', '-')}/", actions.act, {"name": name}, name=name.replace("_", "-"))
        for name in actions.ACTIONS
    ),
]
