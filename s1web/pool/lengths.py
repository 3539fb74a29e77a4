"""Counting the tokens of traces; a trace is counted once a tokenizer, and a stopped count goes on."""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Avg, Count, Exists, OuterRef, QuerySet, Sum

from curation.errors import ConfigError, ConflictError
from s1web import bulk
from s1web.pool.models import Tokenizer, Trace, TraceLength
from s1web.pool.version import bump
from s1web.progress import Report, ignore

if TYPE_CHECKING:
    from tokenizers import Tokenizer as FastTokenizer

# enough for all cores to be busy, small enough for memory to stay flat
BATCH_CHARACTERS = 2_000_000
FETCH_ROWS = 200


@dataclass
class LengthsResult:
    """What a count did: traces counted now, counted before; tokens counted now."""

    tokenizer: str
    done: int = 0
    skipped: int = 0
    tokens: int = 0
    seconds: float = 0.0


def count_lengths(
    tokenizer: str, *, name: str = "", limit: int | None = None, on_progress: Report | None = None
) -> LengthsResult:
    """Count the thinking tokens of every trace that this tokenizer has not counted (s1 §2.2).

    Args:
        tokenizer: a name on the Hub, a folder, or a tokenizer.json; a fast tokenizer, run on all cores.
        name: the name its counts are kept under; `tokenizer` itself where empty.
        limit: count at most so many traces this time.

    Raises:
        ConfigError: it cannot be loaded.
        ConflictError: the name is taken by another tokenizer's counts.
    """
    started = time.monotonic()
    fast = load_tokenizer(tokenizer)
    stored = _register(name or tokenizer.rstrip("/"), hashlib.sha256(fast.to_str().encode()).hexdigest())
    result = LengthsResult(stored.name)
    with_thinking = Trace.objects.filter(has_thinking=True)
    counted = TraceLength.objects.filter(trace=OuterRef("pk"), tokenizer=stored)
    missing = with_thinking.filter(~Exists(counted))
    # in one query: an import beside this one would come between two
    found = with_thinking.aggregate(all=Count("pk"), missing=Count("pk", filter=~Exists(counted)))
    total = found["missing"]
    result.skipped = found["all"] - total
    total = total if limit is None else min(total, limit)
    report = on_progress or ignore
    report(0, total)
    for pks, texts in _batches(missing, total):
        encodings = fast.encode_batch_fast(texts, add_special_tokens=False)
        counts = [len(encoding) for encoding in encodings]
        counted_now = _store(stored, dict(zip(pks, counts, strict=True)))
        result.done += len(counted_now)
        result.tokens += sum(counted_now.values())
        report(result.done, total, rows=result.done, tokens=result.tokens)
    result.seconds = round(time.monotonic() - started, 3)
    return result


@transaction.atomic
def _store(tokenizer: Tokenizer, counts: dict[int, int]) -> dict[int, int]:
    """Keep a batch's counts whole or not at all; those that another count has stored meanwhile are left out."""
    bulk.take_turn()
    stored = TraceLength.objects.filter(tokenizer=tokenizer, trace_id__in=counts).values_list("trace_id", flat=True)
    known = set(stored)
    fresh = {pk: count for pk, count in counts.items() if pk not in known}
    bulk.insert(
        TraceLength,
        ("trace_id", "tokenizer_id", "tokens"),
        ((pk, tokenizer.pk, count) for pk, count in fresh.items()),
    )
    bump()
    return fresh


def count_missing(name: str) -> tuple[int, float | None]:
    """(traces that the tokenizer of this name has not counted, tokens a trace as far as any are counted)."""
    counted = TraceLength.objects.filter(trace=OuterRef("pk"), tokenizer__name=name)
    missing = Trace.objects.filter(~Exists(counted), has_thinking=True).count()
    own = TraceLength.objects.filter(tokenizer__name=name)
    mean: float | None = (own if own.exists() else TraceLength.objects.all()).aggregate(mean=Avg("tokens"))["mean"]
    return missing, mean


def total_tokens(tokenizer: str) -> int:
    """Tokens counted by this tokenizer over all traces."""
    found: int | None = TraceLength.objects.filter(tokenizer__name=tokenizer).aggregate(sum=Sum("tokens"))["sum"]
    return found or 0


def load_tokenizer(name: str) -> "FastTokenizer":
    """The fast tokenizer of that name, as the transformers library would use it.

    AutoTokenizer is asked even for a folder: for some model types it replaces parts of tokenizer.json, and counts
    must be those that training sees.

    Raises:
        ConfigError: not there, not readable, or without a fast version.
    """
    check_tokenizer(name)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    path = Path(name)
    from tokenizers import Tokenizer as FastTokenizer

    # whatever the libraries raise for names, files and networks, the user sees one line
    try:
        if path.is_file():
            return _uncut(FastTokenizer.from_file(name))
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        from transformers import AutoTokenizer

        loaded = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:
        reason = " ".join(str(error).split())[:240]
        raise ConfigError(
            f"tokenizer {name!r} cannot be loaded: {type(error).__name__}: {reason}; "
            "give a name on the Hub, a folder with tokenizer.json, or that file"
        ) from None
    backend = getattr(loaded, "backend_tokenizer", None)
    if not isinstance(backend, FastTokenizer):
        raise ConfigError(f"tokenizer {name!r} has no fast version (tokenizer.json); counts need one")
    return _uncut(backend)


def check_tokenizer(name: str) -> None:
    """Refuse a path that leads nowhere, without loading a library for it; names on the Hub cannot be judged so.

    Raises:
        ConfigError: nothing is there.
    """
    if Path(name).is_absolute() and not Path(name).exists():
        raise ConfigError(
            f"tokenizer {name!r} cannot be loaded: no such file or folder; "
            "give a name on the Hub, a folder with tokenizer.json, or that file"
        )


def _uncut(fast: "FastTokenizer") -> "FastTokenizer":
    """The tokenizer without the cutting and filling up that a tokenizer.json may ask for."""
    fast.no_truncation()
    fast.no_padding()
    return fast


def _register(name: str, fingerprint: str) -> Tokenizer:
    stored, _ = Tokenizer.objects.get_or_create(name=name, defaults={"fingerprint": fingerprint})
    if stored.fingerprint != fingerprint:
        what = "another tokenizer" if stored.fingerprint else "counts imported from a column"
        raise ConflictError(
            f"tokenizer name {name!r} belongs to {what}; counts of different tokenizers are never mixed: "
            "give this one a name of its own with --tokenizer-name"
        )
    return stored


def _batches(missing: "QuerySet[Trace]", total: int) -> Iterator[tuple[list[int], list[str]]]:
    """Traces in batches of about BATCH_CHARACTERS, at most `total` of them; each fetch is a new, short query."""
    last, num_taken = 0, 0
    pks: list[int] = []
    texts: list[str] = []
    size = 0
    while num_taken < total:
        rows = list(missing.filter(pk__gt=last).order_by("pk").values_list("pk", "thinking")[:FETCH_ROWS])
        if not rows:
            break
        for pk, thinking in rows[: total - num_taken]:
            pks.append(pk)
            texts.append(thinking)
            size += len(thinking)
        num_taken += len(rows[: total - num_taken])
        last = rows[-1][0]
        if size >= BATCH_CHARACTERS:
            yield pks, texts
            pks, texts, size = [], [], 0
    if pks:
        yield pks, texts
