"""The map where there is none yet, or nothing to paint: each state fits, is accessible, and says what to do."""

import random
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import (
    SIZES,
    THEMES,
    Site,
    Visitor,
    assert_accessible,
    assert_no_sideways_scroll,
    running_site,
)
from tests.factories import make_rows
from tests.processes import Project
from tests.s1web.pools import write_lines

_AGAIN = """
import django
django.setup()
from benchmarks.atlas import scatter
from s1web.jobs.models import Job
from s1web.pool.models import Question
from s1web.pool.version import bump
from s1web.vectors.arrays import write_values
from s1web.vectors.models import Cluster, Clustering, ClusterMember, PoolMap, VectorModel
import numpy as np
for model in (ClusterMember, Cluster, Clustering, PoolMap, VectorModel):
    model.objects.all().delete()
scatter(4)
"""
_LIBRARY = "umap-learn is not installed; install the extra that brings it: pip install s1web[embeddings]"
_TOO_FEW = "4 questions with a vector make no map; embed at least 10"
# state -> what makes it of a pool on a map in four clusters, the address, and what is said there
STATES = {
    "nothing embedded": ("VectorModel.objects.all().delete()", "/map/", "Embed the questions first."),
    "no map": ("PoolMap.objects.all().delete()", "/map/", "no map of them was drawn yet"),
    "a damaged map": ('PoolMap.objects.update(digest="gone")', "/map/", "is gone or damaged"),
    "a map of other questions": (
        'model = VectorModel.objects.get(); hashes = np.array(["f" * 16], dtype="S16")\n'
        'PoolMap.objects.update(digest=write_values(model, "map", hashes, np.array([[0.5, 0.5]], np.float32)))',
        "/map/",
        "is in the pool any more",
    ),
    "no clusters": ("Clustering.objects.all().delete()", "/map/", "None were found yet."),
    "a filter that leaves nothing": ("", "/map/?small=right&large=wrong&tokens=999999-", "0 of 60 questions match"),
    "an area without points": ("", "/map/?area=0_0-1_0-1_1", "0 questions"),
    "a layer without points": ("", "/map/?layer=hard", "No question is in a layer that is on."),
    "an address that is wrong": ("", "/map/?small=maybe&colour=cluster", "small='maybe' is not known"),
    "a selection that is not there": ("", "/map/?chosen=none", "no selection 'none'"),
}
# what a failed job of the map says on its own page
REFUSALS = {"the library is missing": _LIBRARY, "too few questions": _TOO_FEW}


@pytest.fixture(scope="module")
def live_site(make_project: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A pool of sixty questions, none of them hard by a run, whose map each state takes something from."""
    folder = tmp_path_factory.mktemp("states")
    project = make_project("sqlite")
    assert project.run("migrate", "--verbosity", "0").returncode == 0
    project.json("load_pool", write_lines(folder / "pool.jsonl", make_rows(random.Random(3), 60, repeated=0)))
    with running_site(project, folder) as site:
        yield site


@pytest.fixture(scope="module")
def empty_site(make_project: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    project = make_project("sqlite")
    assert project.run("migrate", "--verbosity", "0").returncode == 0
    with running_site(project, tmp_path_factory.mktemp("empty")) as site:
        yield site


def put(site: Site, change: str) -> str:
    """Change the database of a site; what was printed."""
    done = site.project.python("-c", f"{_AGAIN}\n{change}\nbump()")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def look_at(visitor: Visitor, address: str, said: str, role: str = "viewer") -> Page:
    """The page in both themes and at both widths."""
    page = visitor.open(address, role=role)
    expect(page.locator("main")).to_contain_text(said)
    if page.locator("#atlas").count():
        page.wait_for_selector(".atlas__stage[data-state=ready][data-frame-ms]")
    for theme in THEMES:
        for size in SIZES.values():
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size(size)  # type: ignore[arg-type]
            assert_accessible(page)
            assert_no_sideways_scroll(page)
    return page


@pytest.mark.parametrize("state", STATES)
def test_a_map_without_something_says_so_and_can_be_read_by_everybody(visitor: Visitor, state: str) -> None:
    change, address, said = STATES[state]
    put(visitor.site, change)
    look_at(visitor, address, said)
    visitor.complaints = [line for line in visitor.complaints if "status of 400" not in line]


@pytest.mark.parametrize("role", ["viewer", "curator"])
def test_an_empty_pool_has_no_map(browser, empty_site: Site, role: str) -> None:
    someone = Visitor(browser, empty_site)
    look_at(someone, "/map/", "The pool is empty.", role)
    someone.close()
    assert not someone.complaints


def test_whoever_may_is_led_to_the_job_that_draws_it(visitor: Visitor) -> None:
    put(visitor.site, STATES["no map"][0])
    page = look_at(visitor, "/map/", "no map of them was drawn yet", "curator")
    page.get_by_role("link", name="Draw the map").click()
    expect(page).to_have_url(f"{visitor.site.address}/jobs/new/annotate_map/")
    assert_accessible(page)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_map_that_could_not_be_drawn_says_why_on_its_job(visitor: Visitor, refusal: str) -> None:
    made = (
        f"Job.objects.create(kind='annotate_map', title='Draw the map', state='failed', error={REFUSALS[refusal]!r})"
    )
    number = put(visitor.site, f"print({made}.pk)")
    look_at(visitor, f"/jobs/{number}/", REFUSALS[refusal])
