"""A pool with everything that the API can be asked for, and clients that hold tokens."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from curation.demo.pool import DemoPool
from curation.presets import PRESETS
from s1web.api.models import ApiToken
from s1web.api.scopes import Scope
from s1web.api.tokens import make_token
from s1web.browse import store
from s1web.browse.filters import Listing
from s1web.browse.services import save_view
from s1web.browse.store import Store
from s1web.pool.contamination import overrule
from s1web.pool.models import Question, Trace
from s1web.pool.version import bump
from s1web.review.services import decide
from s1web.roles import has_role
from s1web.selections.models import CurationRun
from s1web.selections.services import curate
from s1web.selections.work import seed_stability
from s1web.vectors.arrays import write_values
from s1web.vectors.embedding import store_of
from s1web.vectors.models import Cluster, Clustering, ClusterMember, DomainLabel, PoolMap, VectorModel
from tests.factories import make_job
from tests.s1web.jobs.conftest import MakeUser, make_user, signed_in

# fixtures
__all__ = ["make_user", "signed_in"]

ROOT = "/api/v1/"


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Nothing that an earlier test left in this process: no columns, no count of wrong tokens."""
    made = Store()
    monkeypatch.setattr(store, "_store", made)
    cache.clear()
    yield made
    cache.clear()


class Caller(Client):
    """A program that sends a token with every request, and takes JSON."""

    def __init__(self, token: str) -> None:
        super().__init__(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)

    def send(self, method: str, address: str, body: Any = None) -> Any:
        path = address if address.startswith("/") else ROOT + address
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        return getattr(self, method.lower())(path, **sent)

    def read(self, address: str) -> Any:
        """What an address answers; it has to be there."""
        answer = self.send("GET", address)
        assert answer.status_code == 200, answer.content
        return answer.json()


MakeCaller = Callable[..., Caller]


@pytest.fixture
def caller(make_user: MakeUser) -> MakeCaller:
    """Makes a client with a new token of a role's user: with these scopes, or with all that the role may have."""

    def make(role: str = "viewer", scopes: Sequence[str] | None = None, **values: Any) -> Caller:
        user = make_user(role)
        granted = scopes if scopes is not None else [scope.value for scope in Scope if has_role(user, scope.role)]
        token, text = make_token(user, "test", granted)
        if values:
            ApiToken.objects.filter(pk=token.pk).update(**values)
        return Caller(text)

    return make


@dataclass(frozen=True)
class World:
    """What there is to ask for; `names` are values for parameters of paths."""

    runs: tuple[CurationRun, CurationRun]
    names: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def world(demo_pool: DemoPool, make_user: MakeUser) -> World:
    """The demo pool with two runs, clusters, a map, labels of two methods, jobs, a report of stability."""
    paper = curate(replace(PRESETS["paper"], size=30)).run
    drawn = curate(replace(PRESETS["random"], size=30)).run
    _invent_vectors()
    recipe = replace(PRESETS["paper"], size=10).to_toml()
    result = seed_stability({"recipe": recipe, "num_seeds": 3}, lambda *_done, **_spent: None)
    ended = timezone.now()
    make_job("done", kind="seed_stability", result=result, ended_at=ended, plan={"unit": "seeds"})
    queued = make_job("queued", kind="curate", created_by=make_user("admin"))
    group = make_job("queued", kind="curate", title="ablations", params={"recipe": PRESETS["paper"].to_toml()})
    make_job("queued", kind="curate", parent=group, params={"recipe": PRESETS["random"].to_toml()})
    save_view(make_user("admin"), "hard", Listing())
    accused = list(Question.objects.filter(contaminated=True).order_by("pk")[:2])
    overrule(accused[1].question_hash, reason="a common phrase", decided_by="ada")
    change = decide([[accused[0].pk]], "drop", user=make_user("reviewer"))
    trace = Trace.objects.select_related("question").order_by("pk").first()
    assert trace is not None
    names = {
        "question_hash": trace.question.question_hash,
        "trace_id": str(trace.pk),
        "run_id": str(paper.pk),
        "name": paper.selection.name,
        "job_id": str(queued.pk),
        "view": "hard",
        "change_id": str(change.pk),
        "overrule_evidence": accused[0].question_hash,
        "reinstate_evidence": accused[1].question_hash,
    }
    return World((paper, drawn), names)


def _invent_vectors() -> None:
    """Vectors, two clusters, a map and labels for every question, as far from sense as they may be."""
    questions = list(Question.objects.order_by("pk"))
    hashes = [question.question_hash for question in questions]
    model = VectorModel.objects.create(
        key="invented",
        name=settings.EMBEDDING_MODEL,
        precision=settings.EMBEDDING_PRECISION,
        dimension=8,
        used_at=timezone.now(),
    )
    rng = np.random.Generator(np.random.PCG64(0))
    vectors = rng.normal(size=(len(hashes), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store_of(model).add(hashes, vectors)
    clustering = Clustering.objects.create(
        model=model, k=2, seed=0, inertia=1, num_questions=len(hashes), digest="invented"
    )
    clusters = [
        Cluster.objects.create(clustering=clustering, number=number, size=len(hashes) // 2, title=f"words {number}")
        for number in range(2)
    ]
    for place, question in enumerate(questions):
        ClusterMember.objects.create(question=question, cluster=clusters[place % 2])
        for method in ("imported", "nearest description"):
            DomainLabel.objects.create(question=question, method=method, code="11" if place % 3 else "05", score=0.5)
    order = np.argsort(np.array(hashes, dtype="S16"))
    values = rng.random(size=(len(hashes), 2)).astype(np.float32)
    digest = write_values(model, "map", np.array(hashes, dtype="S16")[order], values[order])
    PoolMap.objects.create(model=model, method="invented", seed=0, num_questions=len(hashes), digest=digest)
    bump()
