"""Work on vectors as functions of JSON: a command runs them in place, a worker as a job."""

from dataclasses import asdict
from typing import Any

from django.conf import settings

from curation.clustering import NUM_CLUSTERS, NUM_ITERATIONS
from curation.errors import ConfigError, NotFoundError
from curation.nearest_description import METHOD
from s1web.plans import Plan
from s1web.pool.models import Question
from s1web.progress import Report
from s1web.vectors.clusters import make_clusters
from s1web.vectors.domains import FILL, KEEP, UNFILL, label_domains
from s1web.vectors.duplicates import MIN_COSINE, check_min_cosine, find_similar_pairs
from s1web.vectors.embedding import count_missing, current_model, embed_pool
from s1web.vectors.maps import draw_map
from s1web.vectors.search import prepare_current

Params = dict[str, Any]
# characters that a token stands for in questions of s1's kind
_CHARACTERS_PER_TOKEN = 3.0
MAX_CLUSTERS = 2_000
MAX_SEED = 2**31 - 1


def embeddings(params: Params, report: Report) -> Params:
    """Embed the texts that have no vector.

    Args:
        params: optional limit.
    """
    _check_limit(params)
    result = asdict(embed_pool(params.get("limit"), report))
    prepare_current()
    return _annotated() | result


def plan_embeddings(params: Params) -> Plan:
    """How many texts have no vector; a model that is not there is known now."""
    _check_limit(params)
    missing, characters = count_missing()
    total = missing if params.get("limit") is None else min(missing, params["limit"])
    spends = {"rows": float(total), "tokens": float(round(total * characters / _CHARACTERS_PER_TOKEN))}
    notes = () if total else ("every text has its vector already: there is nothing to do",)
    title = f"Embed questions with {settings.EMBEDDING_MODEL} ({settings.EMBEDDING_PRECISION})"
    return Plan(title, total, "questions", spends, notes=notes)


def clusters(params: Params, report: Report) -> Params:
    """Cluster the pool.

    Args:
        params: optional k, seed.
    """
    k, seed = _k(params), _seed(params)
    return _annotated() | asdict(make_clusters(k, seed=seed, on_progress=report))


def plan_clusters(params: Params) -> Plan:
    """All questions, whatever was done before."""
    k, seed = _k(params), _seed(params)
    return _plan(f"Make {k:,} clusters, {NUM_ITERATIONS} iterations, seed {seed}")


def pool_map(params: Params, report: Report) -> Params:
    """Draw the map.

    Args:
        params: optional seed.
    """
    return _annotated() | asdict(draw_map(seed=_seed(params), on_progress=report))


def plan_map(params: Params) -> Plan:
    """All questions twice: searched and placed."""
    return _plan(f"Draw the map, seed {_seed(params)}", passes=2)


def neighbours(params: Params, report: Report) -> Params:
    """Find pairs of questions that say nearly the same.

    Args:
        params: optional min_cosine.
    """
    return _annotated() | asdict(find_similar_pairs(_min_cosine(params), report))


def plan_neighbours(params: Params) -> Plan:
    """All questions, against all."""
    return _plan(f"Find pairs of questions with a cosine of at least {_min_cosine(params)}")


def domains(params: Params, report: Report) -> Params:
    """Label domains by nearest description.

    Args:
        params: optional fill: `fill`, `unfill` or `keep`.
    """
    return _annotated() | asdict(label_domains(_fill(params), report))


def plan_domains(params: Params) -> Plan:
    """All questions that have a vector."""
    does = {FILL: ", and fill those that are empty", UNFILL: ", and take back what was filled", KEEP: ""}
    return _plan(f"Label domains by {METHOD}{does[_fill(params)]}")


def _plan(title: str, passes: int = 1) -> Plan:
    # no refusal: the job may well wait for the one that makes them
    try:
        note = f"vectors of {current_model().key}"
    except NotFoundError as error:
        note = str(error)
    total = Question.objects.count()
    return Plan(title, passes * total, "questions", {"rows": float(total)}, notes=(note,))


def _annotated() -> Params:
    return {"done": 0, "skipped": 0, "failed": 0, "requests": 0, "tokens": 0, "seconds": 0.0}


def _check_limit(params: Params) -> None:
    limit = params.get("limit")
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit {limit} leaves nothing to do; give 1 or more, or leave it out")


def _k(params: Params) -> int:
    k = params.get("k")
    if k is None:
        return NUM_CLUSTERS
    if not isinstance(k, int) or not 1 <= k <= MAX_CLUSTERS:
        raise ConfigError(f"-k {k} cannot be used; give 1 to {MAX_CLUSTERS:,} clusters")
    return k


def _seed(params: Params) -> int:
    seed = params.get("seed") or 0
    if not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"--seed {seed} cannot be used; give 0 to {MAX_SEED}")
    return seed


def _min_cosine(params: Params) -> float:
    given = params.get("min_cosine")
    min_cosine = MIN_COSINE if given is None else float(given)
    check_min_cosine(min_cosine)
    return min_cosine


def _fill(params: Params) -> str:
    fill = params.get("fill") or KEEP
    if fill not in (FILL, UNFILL, KEEP):
        raise ConfigError(f"fill={fill!r} is unknown; choose {FILL}, {UNFILL} or {KEEP}")
    return str(fill)
