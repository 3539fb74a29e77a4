"""The page of the map without a browser: what it says at each stage, its answers, and what it refuses."""

import gzip
import re

import numpy as np
import pytest
from django.test import Client

from s1web.atlas import layers as layers_of
from s1web.browse.columns import Columns
from s1web.pool.models import Question
from s1web.pool.version import bump
from s1web.vectors.arrays import write_values
from s1web.vectors.models import Cluster, Clustering, ClusterMember, PoolMap, VectorModel
from tests.s1web.jobs.conftest import SignedIn
from tests.s1web.pools import load_rows

HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def client(signed_in: SignedIn) -> Client:
    return signed_in("viewer")


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/map/?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


# --- what comes first ------------------------------------------------------------


def test_an_empty_pool_asks_for_questions(client: Client, signed_in: SignedIn):
    assert "The pool is empty" in page(client)
    assert "load_pool PATH" in page(client)
    assert '/jobs/new/load_pool/"' not in page(client)
    assert '/jobs/new/load_pool/"' in page(signed_in("curator"))


def test_a_pool_without_vectors_asks_for_them(client: Client, signed_in: SignedIn, pool: None):
    assert "python manage.py annotate embeddings" in page(client)
    assert '/jobs/new/annotate_embeddings/"' in page(signed_in("curator"))
    assert "atlas.js" not in page(client)


def test_vectors_without_a_map_ask_for_one(client: Client, mapped: Columns):
    PoolMap.objects.all().delete()
    bump()
    assert "no map of them was drawn yet" in page(client)
    assert "python manage.py annotate map" in page(client)
    # the clusters can be read all the same
    assert Cluster.objects.all()[0].title in page(client)


def test_a_map_whose_file_is_gone_is_to_be_drawn_again(client: Client, mapped: Columns, artifact_dir):
    bump()
    for path in artifact_dir.glob("vectors/*/map/*.npy"):
        path.unlink()
    assert "gone or damaged" in page(client)
    answer = client.get("/map/points/")
    assert answer.status_code == 404
    assert "make it again with: python manage.py annotate map" in answer.content.decode()


def test_a_map_of_other_questions_is_to_be_drawn_anew(client: Client, pool: None):
    VectorModel.objects.create(key="k", name="n", precision="fast", dimension=8, used_at="2026-01-01T00:00:00Z")
    model = VectorModel.objects.get()
    digest = write_values(model, "map", np.array(["0" * 16], "S16"), np.array([[0.5, 0.5]], np.float32))
    PoolMap.objects.create(model=model, method="m", seed=0, num_questions=1, digest=digest)
    bump()
    assert "None of the questions of the newest map is in the pool any more" in page(client)
    assert client.get("/map/near/?x=1&y=1").status_code == 404


def test_a_map_without_clusters_asks_for_them(client: Client, mapped: Columns):
    Clustering.objects.all().delete()
    bump()
    html = page(client)
    assert "python manage.py annotate clusters" in html
    assert 'id="atlas"' in html


def test_a_pool_without_runs_has_one_layer_and_no_columns_for_the_others(
    client: Client, mapped: Columns, monkeypatch
):
    monkeypatch.setattr(layers_of, "_newest_hard_run", lambda: None)
    monkeypatch.setattr(layers_of, "newest_selections", lambda limit: [])
    html = page(client)
    assert re.findall(r'name="layer" value="(\w+)"', html) == ["pool"]
    assert 'name="chosen"' not in html
    assert "Selected to pool" not in html


# --- the page ------------------------------------------------------------


def test_every_cluster_leads_to_its_questions(client: Client, mapped: Columns):
    html = page(client)
    for cluster in Cluster.objects.all():
        assert f'href="/pool/?cluster={cluster.number}"' in html
        assert client.get(f"/pool/?cluster={cluster.number}").status_code == 200


def test_a_filter_stays_in_every_link_and_can_be_taken_away(client: Client, mapped: Columns):
    html = page(client, "small=wrong&colour=source&layer=pool")
    assert 'href="/pool/?cluster=0&amp;small=wrong"' in html
    assert 'data-points="/map/points/?small=wrong"' in html
    assert 'data-pool="/pool/?small=wrong"' in html
    assert '<input type="hidden" name="small" value="wrong">' in html
    num_wrong = Question.objects.filter(small_grade=False).count()
    assert f"{num_wrong} of {len(mapped)} questions match ; the others are faint ." in text_of(html)
    assert 'class="chip" href="?layer=pool&amp;colour=source"' in html
    assert re.findall(r'value="(\w+)" checked', html) == ["pool"]
    assert '<option value="source" selected>' in html


def test_questions_that_came_after_the_map_are_counted(client: Client, mapped: Columns, tmp_path):
    load_rows(tmp_path, [{"question": "Late one?"}, {"question": "Late two?"}], "later")
    assert "2 questions have no place yet" in text_of(page(client))


def test_a_chosen_selection_is_the_one_that_is_compared(client: Client, mapped: Columns):
    html = page(client, "chosen=first")
    assert '<option value="first" selected>' in html
    assert "share of the selection first" in text_of(html)
    assert 'data-points="/map/points/?chosen=first"' in html


def test_a_selection_that_is_not_among_the_newest_can_be_chosen(client: Client, mapped: Columns, monkeypatch):
    monkeypatch.setattr(layers_of, "NUM_SELECTIONS", 1)
    assert '<option value="first"' not in page(client)
    assert '<option value="first" selected>' in page(client, "chosen=first")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("colour=red", "allowed are cluster, domain, source, length, verdict"),
        ("chosen=nowhere", "nowhere"),
        ("source=nowhere", "is not in the pool"),
        ("area=5_5", "area has 1 corners"),
        ("q=%22", ""),
    ],
)
def test_what_cannot_be_shown_is_said_with_the_way_back(client: Client, mapped: Columns, query, says):
    answer = client.get(f"/map/?{query}")
    html = answer.content.decode()
    assert answer.status_code == 400
    assert says in text_of(html)
    assert 'href="/map/"' in html
    points = client.get(f"/map/points/?{query}")
    assert points.status_code in (400, 404)
    assert points["Content-Type"].startswith("text/plain")


def test_hostile_titles_and_texts_are_text(client: Client, mapped: Columns):
    Cluster.objects.update(title=HOSTILE)
    Question.objects.update(text=HOSTILE)
    bump()
    assert "<script>alert" not in page(client)
    near = client.get("/map/near/?x=1&y=1").content.decode()
    assert "<script>" not in near
    assert near.count("&lt;script&gt;alert(1)") == 2


@pytest.mark.parametrize("query", ["", "small=wrong&chosen=first"])
def test_the_page_takes_eight_queries_whatever_is_asked_for(
    client: Client, mapped: Columns, django_assert_num_queries, query
):
    page(client, query)
    # who asks (3), the pool's version, run, selections, is anything embedded, is there a map
    with django_assert_num_queries(8):
        page(client, query)


# --- the points ------------------------------------------------------------


def test_points_come_compressed_to_those_who_read_that_and_once(client: Client, mapped: Columns):
    plain = client.get("/map/points/")
    packed = client.get("/map/points/", headers={"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in plain
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert packed["Vary"].count("Accept-Encoding") == 1
    assert packed["Cache-Control"] == "private, no-cache"
    again = client.get("/map/points/", headers={"If-None-Match": packed["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    refused = client.get("/map/points/", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert refused.content == plain.content


def test_points_are_new_when_the_pool_has_changed(client: Client, mapped: Columns):
    tag = client.get("/map/points/")["ETag"]
    bump()
    answer = client.get("/map/points/", headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer["ETag"] != tag


# --- one point ------------------------------------------------------------


def test_a_point_leads_to_its_question(client: Client, mapped: Columns):
    html = client.get("/map/near/?x=30000&y=30000").content.decode()
    (address,) = re.findall(r'href="(/questions/\w+/)"', html)
    assert client.get(address).status_code == 200


def test_questions_at_one_place_are_told_apart_and_counted(client: Client, mapped: Columns):
    model = VectorModel.objects.get()
    names = sorted(Question.objects.values_list("question_hash", flat=True))
    digest = write_values(model, "map", np.array(names, "S16"), np.full((len(names), 2), 0.5, np.float32))
    PoolMap.objects.create(model=model, method="m", seed=1, num_questions=len(names), digest=digest)
    bump()
    html = client.get("/map/near/?x=0&y=0").content.decode()
    assert html.count("Open the question") == 3
    assert f"{len(names)} questions lie at this place." in html


@pytest.mark.parametrize("query", ["", "x=1", "x=1&y=-1", "x=1&y=65536", "x=1&y=1.5", "x=a&y=1", "x=1&y=1&chosen=no"])
def test_a_place_that_is_none_is_refused_in_one_line(client: Client, mapped: Columns, query):
    answer = client.get(f"/map/near/?{query}")
    assert answer.status_code in (400, 404)
    assert answer.content.decode().count("\n") == 1


@pytest.mark.parametrize("address", ["/map/", "/map/points/", "/map/near/"])
def test_nothing_of_the_map_can_be_sent_to(client: Client, db, address):
    assert client.post(address).status_code == 405


def test_members_of_other_clusterings_are_in_no_row(client: Client, mapped: Columns):
    ClusterMember.objects.filter(cluster__number=0).delete()
    bump()
    html = text_of(page(client))
    assert "no cluster" in html
