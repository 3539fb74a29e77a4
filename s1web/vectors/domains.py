"""Domains by nearest description: a label beside imported and judged ones, which fills what is empty if asked."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import F

from curation.errors import ConflictError
from curation.hashing import question_hash
from curation.nearest_description import METHOD, descriptions, nearest_descriptions
from s1web import bulk
from s1web.pool.models import Question
from s1web.pool.version import bump
from s1web.progress import Report, ignore
from s1web.vectors.arrays import EmbeddedPool, embedded_pool
from s1web.vectors.embedding import store_of
from s1web.vectors.encoder import find_model, load_encoder
from s1web.vectors.models import DomainLabel, VectorModel
from s1web.vectors.queries import domain_agreement

IMPORTED = "imported"
FILL, UNFILL, KEEP = "fill", "unfill", "keep"


@dataclass
class DomainsResult:
    """What a run did: questions labelled, questions left out as they have no vector.

    Attributes:
        filled: questions whose domain is the label of this method, as they had none.
        agreement: with the imported domains, as `Agreement.to_json` says it.
    """

    done: int
    skipped: int
    method: str
    filled: int = 0
    agreement: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)


def label_domains(fill: str = KEEP, on_progress: Report | None = None) -> DomainsResult:
    """Label every question that has a vector with the domain whose description is nearest.

    Args:
        fill: `fill` gives questions without a domain theirs by this method; `unfill` takes back what was so given;
            `keep` does neither, and brings what was given in line with the new labels.

    Raises:
        NotFoundError: no question has a vector.
        ConflictError: the model is not the one any more that made the vectors.
    """
    started = time.monotonic()
    report = on_progress or ignore
    result = DomainsResult(0, 0, METHOD)
    pool = embedded_pool()
    report(0, len(pool))
    described = _describe(pool.model, result.warnings)
    codes = np.array(list(descriptions()))
    places, cosines = nearest_descriptions(pool.vectors, described)
    result.done, result.skipped = len(pool), pool.num_missing
    result.filled = _store(pool, codes[places], cosines, fill)
    report(len(pool), len(pool), rows=len(pool))
    result.agreement = domain_agreement(IMPORTED, METHOD).to_json()
    if pool.num_missing:
        result.warnings.append(f"{pool.num_missing:,} questions have no vector yet; annotate embeddings makes them")
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _describe(model: VectorModel, warnings: list[str]) -> np.ndarray:
    """Vectors of the descriptions, in their order; kept among the others, so that the model is asked once."""
    texts = list(descriptions().values())
    hashes = [question_hash(text) for text in texts]
    store = store_of(model)
    rows = store.load().rows(hashes)
    if (rows < 0).any():
        found = find_model()
        if found.key != model.key:
            # its files changed since: vectors of two models never meet
            raise ConflictError(
                f"the vectors are of {model.key}, and {found.name} is now {found.key}; run annotate embeddings first"
            )
        store.add(hashes, load_encoder(found, warnings).encode(texts).vectors)
        rows = store.load().rows(hashes)
    return np.ascontiguousarray(store.load().vectors[rows])


@transaction.atomic
def _store(pool: EmbeddedPool, codes: np.ndarray, cosines: np.ndarray, fill: str) -> int:
    """Replace the labels of this method and the imported ones; returns how many domains are filled now."""
    bulk.take_turn()
    given = _filled()
    labels = dict(zip(pool.pks.tolist(), codes.tolist(), strict=True))
    empty = set(Question.objects.filter(domain="").values_list("pk", flat=True)) if fill == FILL else set()
    filled = set() if fill == UNFILL else {pk for pk in given.keys() | empty if pk in labels}
    changed = {pk: labels[pk] for pk in filled if given.get(pk) != labels[pk]}
    changed |= {pk: "" for pk in given if pk not in filled}
    bulk.update(Question, ("domain",), ((code, pk) for pk, code in sorted(changed.items())))
    imported = Question.objects.exclude(domain="").values_list("pk", "domain").iterator(chunk_size=20_000)
    own = [(pk, IMPORTED, domain, None, False) for pk, domain in imported if pk not in filled]
    DomainLabel.objects.filter(method__in=[IMPORTED, METHOD])._raw_delete(using=DomainLabel.objects.db)
    fields = ("question_id", "method", "code", "score", "is_filled")
    bulk.insert(DomainLabel, fields, own)
    bulk.insert(
        DomainLabel,
        fields,
        (
            (pk, METHOD, code, round(float(cosine), 4), pk in filled)
            for (pk, code), cosine in zip(labels.items(), cosines, strict=True)
        ),
    )
    bump()
    return len(filled)


def _filled() -> dict[int, str]:
    """Question -> domain that this method gave it, where it still stands."""
    standing = DomainLabel.objects.filter(method=METHOD, is_filled=True, question__domain=F("code"))
    return dict(standing.values_list("question_id", "code"))
