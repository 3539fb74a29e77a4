"""The map: its answers in a process of the project, and how fast a browser paints all its points; invented places.

`python -m benchmarks.atlas` measures inside a process of the project, on the pool of its settings; prints JSON.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import django
import numpy as np

from benchmarks import pools
from benchmarks.browse import SHORT_TOKENS
from benchmarks.cases import fresh_database
from benchmarks.measure import ROOT, manage, python, run

NUM_CLUSTERS = 50
NUM_REQUESTS = 30
NUM_FRAMES = 60
_START_SECONDS = 60.0
SIZES = {"1280x800": (1280, 800, 1), "1280x800 at two pixels a point": (1280, 800, 2), "390x844": (390, 844, 2)}
_SIGN_IN = """
import json, os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "s1web.settings"
django.setup()
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
client = Client()
client.force_login(User.objects.get_or_create(username="viewer")[0])
name = settings.SESSION_COOKIE_NAME
print(json.dumps({"name": name, "value": client.cookies[name].value}))
"""
# moves the map a little in each frame, as a hand does, and keeps how long each took to paint
_PAN = """async ([frames]) => {
  const stage = document.querySelector(".atlas__stage");
  const over = document.querySelector(".atlas__over");
  const box = over.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const point = (type, dx) => over.dispatchEvent(new PointerEvent(
    type, { pointerId: 1, clientX: x + dx, clientY: y, bubbles: true, isPrimary: true }));
  over.setPointerCapture = () => {};
  point("pointerdown", 0);
  const painted = [], between = [];
  let before = performance.now();
  for (let frame = 0; frame < frames; frame += 1) {
    point("pointermove", 5 + 60 * Math.sin(frame / 8));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    painted.push(Number(stage.dataset.frameMs));
    between.push((performance.now() - before) / 2);
    before = performance.now();
  }
  point("pointerup", 0);
  return { painted, between };
}"""


def measure(folder: Path, num_rows: int) -> dict[str, Any]:
    """A pool of so many rows with invented places and clusters, and a selection of it."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = pools.write_pool(folder / "pool", num_rows, with_traces=True, mean_tokens=SHORT_TOKENS)
    environment = fresh_database(folder / "database")
    manage(environment, "load_pool", str(pool))
    manage(environment, "load_benchmark", str(pools.write_benchmark(folder / "benchmark.jsonl")), "--name", "all")
    manage(environment, "annotate", "contamination")
    manage(environment, "curate", "--preset", "paper")
    figures: dict[str, Any] = run([sys.executable, "-m", "benchmarks.atlas"], environment).output
    return {"rows": num_rows, **figures, "painting": paint(environment)}


def scatter(num_clusters: int = NUM_CLUSTERS, *, seed: int = 0) -> None:
    """Give all questions of the pool an invented place and cluster, without a vector; for looks and tests of size."""
    from django.conf import settings
    from django.utils import timezone

    from s1web import bulk
    from s1web.pool.models import Question
    from s1web.pool.version import bump
    from s1web.vectors.arrays import write_values
    from s1web.vectors.models import Cluster, Clustering, ClusterMember, PoolMap, VectorModel

    known = sorted(Question.objects.values_list("question_hash", "pk"))
    rng = np.random.Generator(np.random.PCG64(seed))
    # clusters of many sizes, which lie on one another at their rims
    drawn = rng.choice(num_clusters, size=len(known), p=rng.dirichlet(np.full(num_clusters, 2.0)))
    # no cluster is empty
    drawn[:num_clusters] = np.arange(num_clusters)
    # numbered by falling size, as clusters are
    numbers = np.argsort(np.argsort(-np.bincount(drawn, minlength=num_clusters)))[drawn]
    centres = rng.uniform(0.12, 0.88, size=(num_clusters, 2))
    spread = 0.02 + 0.05 * rng.random((num_clusters, 1))
    places = centres[numbers] + spread[numbers] * rng.normal(size=(len(known), 2))
    model = VectorModel.objects.create(
        key=f"invented-{seed}",
        name=settings.EMBEDDING_MODEL,
        precision=settings.EMBEDDING_PRECISION,
        dimension=8,
        used_at=timezone.now(),
    )
    hashes = np.array([name for name, _ in known], "S16")
    digest = write_values(model, "map", hashes, np.clip(places, 0, 1).astype(np.float32))
    PoolMap.objects.create(model=model, method="invented", seed=seed, num_questions=len(known), digest=digest)
    digest = write_values(model, "clusters", hashes, numbers.astype(np.int32))
    clustering = Clustering.objects.create(
        model=model, k=num_clusters, seed=seed, inertia=1.0, num_questions=len(known), digest=digest
    )
    words = ("triangle", "circle", "prime", "modulo", "integral", "matrix", "graph", "orbit", "bond", "vowel", "lens")
    sizes = np.bincount(numbers, minlength=num_clusters).tolist()
    made = [
        Cluster.objects.create(
            clustering=clustering,
            number=number,
            size=size,
            title=", ".join(words[(number * step + step) % len(words)] for step in (1, 3, 5, 9)),
        )
        for number, size in enumerate(sizes)
    ]
    members = ((pk, made[number].pk) for (_, pk), number in zip(known, numbers.tolist(), strict=True))
    bulk.insert(ClusterMember, ("question_id", "cluster_id"), members)
    bump()


def paint(environment: dict[str, str]) -> dict[str, Any] | str:
    """Milliseconds of a frame while the map is moved, on this machine's processor alone."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return "not measured: chromium is not installed"
    from playwright.sync_api import sync_playwright

    figures: dict[str, Any] = {}
    cookie = python(environment, _SIGN_IN).output
    with _server(environment) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        for label, (width, height, ratio) in SIZES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                device_scale_factor=ratio,
            )
            context.add_cookies([{"name": cookie["name"], "value": cookie["value"], "url": address}])
            page = context.new_page()
            started = time.perf_counter()
            page.goto(f"{address}/map/")
            page.wait_for_selector(".atlas__stage[data-state=ready][data-frame-ms]", timeout=60_000)
            ready = time.perf_counter() - started
            whole = page.evaluate(_PAN, [NUM_FRAMES])
            page.get_by_role("button", name="Zoom in").click(click_count=3)
            near = page.evaluate(_PAN, [NUM_FRAMES])
            figures[label] = {
                "points": int(page.locator(".atlas__stage").get_attribute("data-shown") or 0),
                "page_to_points_ms": round(1_000 * ready),
                "paint_ms": _spread(whole["painted"]),
                "paint_zoomed_ms": _spread(near["painted"]),
                "frame_ms": _spread(whole["between"]),
            }
            context.close()
        browser.close()
    return figures


@contextmanager
def _server(environment: dict[str, str]) -> Iterator[str]:
    """The site on a free port of this machine; its address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "s1web.asgi:application", "--port", str(port), "--log-level", "error"],
        cwd=ROOT,
        env=os.environ | environment,
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _inside() -> dict[str, Any]:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    from curation.polygons import inside
    from s1web.browse import store
    from s1web.browse.filters import Listing
    from s1web.browse.places import places_of
    from s1web.browse.queries import read_page

    settings.ALLOWED_HOSTS.append("testserver")
    scatter()
    client = Client()
    client.force_login(User.objects.create_user("benchmark"))
    first = _milliseconds([partial(client.get, "/map/"), partial(client.get, "/map/points/")])
    answer = client.get("/map/points/", headers={"Accept-Encoding": "gzip"})
    places = places_of(store.looked().columns)
    areas = [_circle(place) for place in range(NUM_REQUESTS)]
    same = partial(client.get, "/map/points/", headers={"If-None-Match": answer["ETag"]})
    assert same().status_code == 304
    filtered = [f"/map/points/?tokens={n + 20}-{n + 90}" for n in range(NUM_REQUESTS)]
    near = [f"/map/near/?x={n * 997}&y={n * 1009}" for n in range(NUM_REQUESTS)]
    return {
        "first_page_and_points_ms": [round(value, 1) for value in first],
        "page_ms": _spread(_milliseconds([partial(client.get, "/map/")] * NUM_REQUESTS)),
        "page_kb": round(len(client.get("/map/").content) / 1024, 1),
        "points_kb": {
            "raw": round(len(client.get("/map/points/").content) / 1024, 1),
            "gzip": round(len(answer.content) / 1024, 1),
        },
        "points_unchanged_ms": _spread(_milliseconds([same] * NUM_REQUESTS)),
        "points_of_a_new_filter_ms": _spread(_milliseconds([partial(client.get, path) for path in filtered])),
        "near_ms": _spread(_milliseconds([partial(client.get, path) for path in near])),
        "inside_60_corners_ms": _spread(_milliseconds([partial(inside, places.steps, area) for area in areas])),
        "inside_plain_ms": _spread(_milliseconds([partial(_plain, places.steps, area) for area in areas])),
        "pool_page_of_an_area_ms": _spread(
            _milliseconds([partial(read_page, Listing.parse(_query(area))) for area in areas])
        ),
    }


def _circle(place: int) -> tuple[tuple[int, int], ...]:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = 100 + 10 * place
    return tuple(
        (int(500 + radius * np.cos(angle)), int(500 + radius * np.sin(angle) * 0.9)) for angle in angles.tolist()
    )


def _plain(steps: np.ndarray, polygon: tuple[tuple[int, int], ...]) -> int:
    """Every border against every place, the plain way."""
    x, y = steps[:, 0] / 65_535 * 1_000, steps[:, 1] / 65_535 * 1_000
    odd = np.zeros(len(steps), bool)
    for place, (x1, y1) in enumerate(polygon):
        x2, y2 = polygon[(place + 1) % len(polygon)]
        if y1 != y2:
            odd ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return int(odd.sum())


def _query(polygon: tuple[tuple[int, int], ...]) -> Any:
    from django.http import QueryDict

    return QueryDict("area=" + "-".join(f"{x}_{y}" for x, y in polygon))


def _milliseconds(calls: list[Callable[[], object]]) -> list[float]:
    taken = []
    for call in calls:
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1_000)
    return taken


def _spread(taken: list[float]) -> dict[str, float]:
    ordered = sorted(taken)
    late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return {"median": round(statistics.median(ordered), 2), "p95": round(late, 2), "most": round(ordered[-1], 2)}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s1web.settings")
    django.setup()
    print(json.dumps(_inside()))
