"""Looking at the pool: pages, facets, search and what they are read from, beside the same pages by the ORM alone.

`python -m benchmarks.browse` measures inside a process of the project, on the pool of its settings; prints JSON.
"""

import gzip
import json
import os
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import psutil

from benchmarks import pools
from benchmarks.cases import fresh_database
from benchmarks.measure import manage, run

if TYPE_CHECKING:
    from s1web.browse.filters import Filter

SHORT_TOKENS = 60
NUM_REQUESTS = 60
# the plain way takes seconds where ours takes milliseconds
NUM_BASELINE = 5


def measure(folder: Path, num_rows: int, num_short: int, *, pool: Path | None = None) -> dict[str, Any]:
    """Browse a pool with full traces, and a larger one with short ones; 0 leaves that one out.

    Args:
        pool: parquet files to use instead of the first. The generated one is made of the demo's few words, each in
            nearly every row: what is searched there is harder than in a pool of real texts.
    """
    figures = {"full_traces": _pool(folder / "full", num_rows, pools.TRACE_TOKENS, pool)}
    if num_short:
        figures["short_traces"] = _pool(folder / "short", num_short, SHORT_TOKENS)
    return figures


def _pool(folder: Path, num_rows: int, mean_tokens: int, pool: Path | None = None) -> dict[str, Any]:
    pool = pool or pools.write_pool(folder / "pool", num_rows, with_traces=True, mean_tokens=mean_tokens)
    environment = fresh_database(folder / "database")
    manage(environment, "load_pool", str(pool))
    return browse(environment)


def browse(environment: dict[str, str]) -> dict[str, Any]:
    """Index the pool of these settings, then browse it in one fresh process."""
    indexed = manage(environment, "annotate", "search")
    done = indexed.output["done"]
    return {
        "text_index": {
            "questions": done,
            "seconds": indexed.seconds,
            "questions_per_second": round(done / indexed.seconds),
            "peak_mb": indexed.peak_mb,
        },
        **run([sys.executable, "-m", "benchmarks.browse"], environment).output,
    }


def _inside() -> dict[str, Any]:
    from s1web.browse import store
    from s1web.browse.building import build_columns
    from s1web.browse.filters import Filter, Listing
    from s1web.browse.queries import neighbours, read_counts, read_page

    rng = random.Random(0)
    rss = psutil.Process().memory_info().rss
    build = _spread([build_columns for _ in range(3)])
    store.looked()
    opened = _spread([lambda: store.Store().look()])
    columns = store.looked().columns
    # every filter is another one, so that no result is there from before
    filters = _filters(rng, columns.domain_labels)
    pages = [Listing(conditions, "tokens", is_descending=True) for conditions in filters]
    deep = [_deep(rng, columns, Listing(conditions, "tokens")) for conditions in _filters(rng, columns.domain_labels)]
    queries = _queries(rng)
    searches = [Listing(Filter(search=query)) for query in queries]
    read_page(Listing())
    figures = {
        "rows": len(columns),
        "columns": {
            "build_ms": build,
            "open_ms": opened["median"],
            "bytes_per_row": columns.num_bytes / len(columns),
        },
        "first_page_ms": _spread([lambda: read_page(Listing())] * NUM_REQUESTS),
        "filtered_and_sorted_ms": _spread([partial(read_page, asked) for asked in pages]),
        "deep_page_ms": _spread([partial(read_page, asked) for asked in deep]),
        "deepest_page_unfiltered_ms": _spread(
            [lambda: read_page(Listing(after=str(columns.pk[-60])))] * NUM_REQUESTS
        ),
        "search_ms": _spread([partial(read_page, asked) for asked in searches]),
        "facets_ms": _spread([partial(read_counts, asked) for asked in _filters(rng, columns.domain_labels)]),
        "place_of_a_question_ms": _spread(
            [partial(neighbours, asked, columns.hash_of(rng.randrange(len(columns)))) for asked in pages]
        ),
    }
    figures["whole_page_ms"] = _whole_pages(
        {
            "first": [Listing()] * NUM_REQUESTS,
            "filtered_and_sorted": [
                Listing(conditions, "tokens", is_descending=True)
                for conditions in _filters(rng, columns.domain_labels)
            ],
            "deep": [
                _deep(rng, columns, Listing(conditions, "tokens"))
                for conditions in _filters(rng, columns.domain_labels)
            ],
            "search": [Listing(Filter(search=query)) for query in _queries(rng)],
        }
    )
    hits = [read_page(asked).total for asked in searches]
    figures["search_hits"] = {"median": statistics.median(hits), "most": max(hits)}
    figures["memory_mb"] = round((psutil.Process().memory_info().rss - rss) / 2**20, 1)
    figures["baseline_orm"] = _baseline(filters, queries)
    return figures


def _whole_pages(asked: dict[str, list[Any]]) -> dict[str, Any]:
    """The page as the server answers it to who is signed in, facets included; its bytes, plain and compressed."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    from s1web.roles import Role, set_role

    settings.ALLOWED_HOSTS = ["testserver"]
    user, _ = User.objects.get_or_create(username="benchmark")
    set_role(user, Role.CURATOR)
    client = Client()
    client.force_login(user)

    def get(listing: Any) -> bytes:
        answer = client.get(f"/pool/?{listing.query()}")
        if answer.status_code != 200:
            raise RuntimeError(f"{listing.query()}: {answer.status_code}")
        return answer.content

    first = get(asked["first"][0])
    figures: dict[str, Any] = {
        name: _spread([partial(get, listing) for listing in listings]) for name, listings in asked.items()
    }
    return figures | {"bytes": len(first), "bytes_compressed": len(gzip.compress(first, 6))}


def _filters(rng: random.Random, domains: Sequence[str]) -> list["Filter"]:
    """Two to four conditions each, weak ones and strong ones."""
    from s1web.browse.filters import Filter

    found = []
    for number in range(NUM_REQUESTS):
        low = rng.randrange(0, 3_000)
        conditions = Filter(small=("wrong",), min_tokens=low, max_tokens=low + rng.randrange(500, 50_000))
        if number % 2:
            conditions = replace(conditions, large=("missing", "wrong"))
        if number % 3 == 0:
            conditions = replace(conditions, domain=tuple(sorted(rng.sample(domains, min(5, len(domains))))))
        found.append(conditions)
    return found


def _deep(rng: random.Random, columns: Any, listing: Any) -> Any:
    """A page from the middle or later, by the key of any row there."""
    from s1web.browse.filters import Filter
    from s1web.browse.ordering import order

    every = order(columns, replace(listing, filter=Filter()))
    return replace(listing, after=every.key(int(every.rows[rng.randrange(len(every) // 2, len(every))])))


def _queries(rng: random.Random) -> list[str]:
    """Words, pairs of words, phrases and chunks with signs, as they stand in random questions."""
    from s1web.pool.models import Question

    texts = list(Question.objects.order_by("question_hash").values_list("text", flat=True)[: 4 * NUM_REQUESTS])
    queries: dict[str, None] = {}
    for number, text in enumerate(texts):
        words = re.findall(r"[^\W\d_]{3,}", text)
        chunks = [chunk for chunk in text.split() if len(re.findall(r"\w+", chunk)) > 1]
        if len(words) < 5:
            continue
        start = rng.randrange(len(words) - 3)
        kind = number % 4
        if kind == 3 and chunks:
            query = rng.choice(chunks)[:200].lstrip("-")
        elif kind == 2:
            query = " ".join(re.findall(r"\w+", text)[start : start + 3])
            query = f'"{query}"'
        else:
            query = " ".join(rng.sample(words, kind + 1))
        queries[query] = None
    return list(islice(queries, NUM_REQUESTS))


def _baseline(filters: Sequence["Filter"], queries: Sequence[str]) -> dict[str, Any]:
    """The same pages by the ORM: a count, and OFFSET and LIMIT; LIKE for words; a count a facet."""
    from django.db.models import Count, F, OuterRef, Q, Subquery
    from django.db.models.functions import Substr

    from s1web.pool.models import Question, TraceLength
    from s1web.selections.snapshot import choose_tokenizer

    tokenizer = choose_tokenizer("")
    length = TraceLength.objects.filter(trace=OuterRef("trace_id"), tokenizer=tokenizer).values("tokens")
    questions = Question.objects.annotate(tokens=Subquery(length))

    def rows(conditions: "Filter") -> Any:
        found = questions.filter(small_grade=False, tokens__gte=conditions.min_tokens or 0)
        found = found.filter(tokens__lte=conditions.max_tokens)
        if conditions.large:
            found = found.filter(Q(large_grade=False) | Q(large_grade=None))
        return found.filter(domain__in=conditions.domain) if conditions.domain else found

    def page(found: Any, offset: int = 0) -> None:
        found.count()
        shown = found.values("pk", "question_hash", "tokens", "domain", start=Substr("text", 1, 300))
        list(shown[offset : offset + 50])

    def search(query: str) -> Any:
        words = query.strip('"')
        fields = ("text", "solution", "trace__thinking", "trace__attempt")
        wanted = Q()
        for field in fields:
            wanted |= Q(**{f"{field}__icontains": words})
        return questions.filter(wanted).order_by("pk")

    def facets(conditions: "Filter") -> None:
        for name in ("source", "domain", "cot_type", "small_grade", "large_grade", "trace_grade", "quality_flags"):
            list(rows(conditions).order_by().values(name).annotate(num=Count("pk")))

    some = filters[:NUM_BASELINE]
    ordered = [rows(conditions).order_by(F("tokens").desc(nulls_last=True), "-pk") for conditions in some]
    return {
        "first_page_ms": _spread([lambda: page(questions.order_by("pk"))] * NUM_BASELINE),
        "filtered_and_sorted_ms": _spread([partial(page, found) for found in ordered]),
        "deepest_page_unfiltered_ms": _spread(
            [lambda: page(questions.order_by("pk"), Question.objects.count() - 60)] * NUM_BASELINE
        ),
        "facets_ms": _spread([partial(facets, conditions) for conditions in some[:3]]),
        "search_ms": _spread([partial(lambda query: page(search(query)), query) for query in queries[:3]]),
    }


def _spread(calls: Sequence[Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of each call: median, 95th of a hundred, the longest."""
    taken = []
    for call in calls:
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1_000)
    taken.sort()
    late = taken[min(len(taken) - 1, int(len(taken) * 0.95))]
    return {"median": round(statistics.median(taken), 2), "p95": round(late, 2), "most": round(taken[-1], 2)}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s1web.settings")
    django.setup()
    print(json.dumps(_inside()))
