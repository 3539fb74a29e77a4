"""Jobs on vectors from the pages: what a form asks becomes the parameters, and what came of it is shown."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from s1web.jobs.kinds import find_kind
from s1web.jobs.models import Job
from s1web.progress import ignore
from s1web.roles import set_role
from tests.factories import make_job


@pytest.fixture
def curator(db: None) -> Client:
    user = User.objects.create(username="curator")
    set_role(user, "curator")
    client = Client()
    client.force_login(user)
    return client


def planned(client: Client, kind: str, **values: object) -> Job:
    answer = client.post(reverse("jobs:new-of-kind", args=[kind]), values)
    assert answer.status_code == 302, answer.content.decode()
    return Job.objects.get(pk=int(answer["Location"].rstrip("/").rpartition("/")[2]))


@pytest.mark.parametrize(
    ("kind", "values", "params"),
    [
        ("annotate_embeddings", {}, {"limit": None}),
        ("annotate_embeddings", {"limit": "7"}, {"limit": 7}),
        ("annotate_clusters", {"k": "3", "seed": "5"}, {"k": 3, "seed": 5}),
        ("annotate_map", {"seed": "1"}, {"seed": 1}),
        ("annotate_neighbours", {"min_cosine": "0.9"}, {"min_cosine": 0.9}),
        ("annotate_domains", {"fill": "unfill"}, {"fill": "unfill"}),
        ("annotate_search", {"limit": "7"}, {"limit": 7}),
    ],
)
def test_what_was_filled_in_is_what_runs(small_pool: object, curator: Client, kind, values, params) -> None:
    job = planned(curator, kind, **values)
    assert (job.kind, job.state, job.params) == (kind, "planned", params)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("annotate_clusters", {"k": "0", "seed": "0"}),
        ("annotate_clusters", {"k": "2001", "seed": "0"}),
        ("annotate_map", {"seed": "-1"}),
        ("annotate_neighbours", {"min_cosine": "0.5"}),
        ("annotate_neighbours", {"min_cosine": "1.01"}),
        ("annotate_domains", {"fill": "nonsense"}),
    ],
)
def test_what_cannot_run_is_refused_on_the_form(small_pool: object, curator: Client, kind, values) -> None:
    answer = curator.post(reverse("jobs:new-of-kind", args=[kind]), values)
    assert answer.status_code in (200, 422)
    assert "field__error" in answer.content.decode()
    assert not Job.objects.exists()


def test_what_computes_with_vectors_can_follow_what_makes_them(small_pool: object, curator: Client) -> None:
    job = planned(curator, "annotate_embeddings", then=["annotate_clusters", "annotate_domains"])
    children = job.children.order_by("pk")
    assert [(child.kind, child.state, child.waits_for_parent) for child in children] == [
        ("annotate_clusters", "planned", True),
        ("annotate_domains", "planned", True),
    ]
    assert curator.post(reverse("jobs:confirm", args=[job.pk])).status_code == 302
    assert {child.state for child in job.children.all()} == {"queued"}


@pytest.mark.parametrize(
    ("kind", "params", "shown"),
    [
        ("annotate_embeddings", {}, {"texts embedded": "0", "embedded before": "50"}),
        ("annotate_clusters", {"k": 4}, {"questions in clusters": "48", "clusters": "4"}),
        ("annotate_map", {}, {"questions placed": "48", "without a vector": "0"}),
        ("annotate_neighbours", {"min_cosine": 0.99}, {"questions compared": "48", "without a vector": "0"}),
        ("annotate_domains", {}, {"questions labelled": "48", "domains filled": "0"}),
        ("annotate_search", {}, {"questions indexed": "48", "indexed before": "0"}),
    ],
)
def test_the_page_of_a_done_job_says_what_came_of_it(vectors: object, curator: Client, kind, params, shown) -> None:
    result = find_kind(kind).load_work()(params, ignore)
    job = make_job("done", kind=kind, result=result)
    page = curator.get(reverse("jobs:detail", args=[job.pk])).content.decode()
    found = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page))
    assert shown.items() <= found.items()
    for cluster in result.get("clusters", []):
        assert cluster["title"] in page
