"""The real pool: 57,629 questions of s1's sources, real traces and attempts, the real evaluation sets."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.processes import Project
from tests.twin import slow_recipe as twin

pytestmark = pytest.mark.real_data

BENCHMARKS = {"aime24": "aime24", "math500": "math500", "gpqa": "gpqa_diamond"}
SAMPLE = 3_000
BY_DOMAIN = """
name = "by-domain"
[annotation]
requires = ["domain"]
[formatting]
rules = []
[selection]
method = "diverse"
"""
BY_LENGTH = """
name = "by-length"
size = 300
[trace]
tokenizer = "own"
[decontamination]
benchmarks = ["aime24", "gpqa"]
[annotation]
requires = ["domain", "trace_length"]
[formatting]
rules = []
[selection]
method = "rank"
"""


def read_problems(path: Path) -> list[str]:
    return [json.loads(line)["problem"] for line in path.read_text(encoding="utf-8").split("\n") if line]


@pytest.fixture(scope="module")
def problems(shared_data: Path) -> dict[str, list[str]]:
    return {name: read_problems(shared_data / "eval" / f"{file}.jsonl") for name, file in BENCHMARKS.items()}


@pytest.fixture(scope="module")
def pool(shared_data: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(
        shared_data / "pool.parquet", columns=["question", "source", "subject"]
    ).to_pylist()
    return rows


@pytest.fixture(scope="module")
def tokenizer(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BPE of 3,000 tokens, trained on some of the real traces."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    thinking = pq.read_table(shared_data / "traces.parquet", columns=["thinking_trace"])["thinking_trace"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=3_000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    bpe.train_from_iterator([text[:2_000] for text in thinking.to_pylist()[::8] if text], trainer)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    bpe.save(str(path))
    return path


@pytest.fixture(scope="module")
def outcome(
    shared_data: Path,
    make_project: Callable[[str], Project],
    tokenizer: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What the commands print, one after another on one database."""
    folder = tmp_path_factory.mktemp("recipes")
    recipes = {"by-domain": BY_DOMAIN, "by-length": BY_LENGTH}
    for name, text in recipes.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    steps: dict[str, list[object]] = {
        "pool": ["load_pool", shared_data / "pool.parquet", "--map", "subject=domain"],
        **{
            name: ["load_benchmark", shared_data / "eval" / f"{file}.jsonl", "--name", name]
            for name, file in BENCHMARKS.items()
        },
        "contamination": ["annotate", "contamination"],
        "by-domain": ["curate", "--recipe", folder / "by-domain.toml", "--seed", 3],
        "traces": ["load_pool", shared_data / "traces.parquet", "--existing-only"],
        "attempts": ["load_pool", shared_data / "attempts.parquet", "--existing-only"],
        "lengths": ["annotate", "lengths", "--tokenizer", tokenizer, "--tokenizer-name", "own"],
        "by-length": ["curate", "--recipe", folder / "by-length.toml", "--seed", 3],
    }
    project = make_project("sqlite")
    results = project.json_all(list(steps.values()))
    return {"project": project} | dict(zip(steps, results, strict=True))


def ask(project: Project, expression: str) -> Any:
    """The value of a query over the database, as JSON."""
    script = (
        "import django, json; django.setup(); from django.db.models import *; from s1web.pool.models import *;"
        f"print(json.dumps({expression}))"
    )
    done = project.python("-c", script)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_whole_pool_is_read(outcome: dict[str, Any], pool: list[dict[str, Any]]) -> None:
    loaded = outcome["pool"]
    assert (loaded["read"], loaded["new"], loaded["rejected"]) == (57_629, 54_112, 0)
    assert loaded["new"] == len({twin.question_hash(row["question"]) for row in pool})
    assert loaded["new"] + loaded["updated"] + loaded["unchanged"] == 57_629


def test_contamination_equals_the_slow_recipe_on_a_sample(
    outcome: dict[str, Any], pool: list[dict[str, Any]], problems: dict[str, list[str]]
) -> None:
    assert (outcome["contamination"]["done"], outcome["contamination"]["skipped"]) == (54_112, 0)
    texts = list(dict.fromkeys(row["question"] for row in pool))
    sample = random.Random(0).sample(texts, SAMPLE)
    found: dict[tuple[str, str], set[str]] = {}
    for hash_, name, rule in ask(
        outcome["project"],
        "list(Contamination.objects.values_list('question__question_hash', 'problem__benchmark__name', 'rule'))",
    ):
        found.setdefault((hash_, name), set()).add(rule)
    counts: Counter[str] = Counter()
    for name, texts_of_benchmark in problems.items():
        index = twin.index_ngrams(texts_of_benchmark)
        for text in sample:
            rule = twin.is_contaminated(text, texts_of_benchmark, index)
            assert found.get((twin.question_hash(text), name), set()) == ({rule} if rule else set())
            counts[name] += rule is not None
    # boilerplate shares 8-grams with MATH and AIME in particular
    assert counts["math500"] > 50
    assert counts["aime24"] > 20


def test_a_recipe_that_requires_a_domain_alone_draws_as_the_slow_recipe_does(
    outcome: dict[str, Any], pool: list[dict[str, Any]], problems: dict[str, list[str]]
) -> None:
    merged: dict[str, dict[str, Any]] = {}
    for row in pool:
        kept = merged.setdefault(twin.question_hash(row["question"]), dict(row, domain=None))
        kept["domain"] = kept["domain"] or (row["subject"] or "").strip() or None
    evaluation = [text for texts in problems.values() for text in texts]
    index = twin.index_ngrams(evaluation)
    clean = {
        hash_: row for hash_, row in merged.items() if not twin.is_contaminated(row["question"], evaluation, index)
    }
    # no question has a trace yet: a domain's questions stand in the order of their hashes
    rows = [
        {"question_hash": hash_, "domain": row["domain"], "gemini_length": 0, "source_type": row["source"]}
        for hash_, row in clean.items()
        if row["domain"]
    ]
    expected = twin.select_by_domains(rows, "diverse", 1_000, 3)
    found = outcome["by-domain"]
    assert found["hashes"] == expected
    assert found["size"] == 1_000
    assert [(stage["stage"], stage["in"], stage["out"]) for stage in found["ledger"]] == [
        ("pool", 57_629, 54_112),
        ("decontamination", 54_112, len(clean)),
        ("annotation", len(clean), len(rows)),
        ("formatting", len(rows), len(rows)),
        ("selection", len(rows), 1_000),
    ]


def test_traces_and_attempts_load_onto_the_pool(outcome: dict[str, Any], shared_data: Path) -> None:
    known = {row["question"] for row in pq.read_table(shared_data / "pool.parquet", columns=["question"]).to_pylist()}
    for name, num_rows in (("traces", 8_068), ("attempts", 15_900)):
        loaded = outcome[name]
        questions = pq.read_table(shared_data / f"{name}.parquet", columns=["question"])["question"].to_pylist()
        strangers = sum(text not in known for text in questions)
        assert (loaded["read"], loaded["new"], loaded["rejected"]) == (num_rows, 0, strangers)
        assert loaded["updated"] > 0
    # an attachment is no question's row
    assert outcome["by-length"]["ledger"][0]["in"] == 57_629


def test_lengths_are_the_tokenizers_own(outcome: dict[str, Any], tokenizer: Path) -> None:
    from tokenizers import Tokenizer

    counted = outcome["lengths"]
    assert (counted["failed"], counted["skipped"]) == (0, 0)
    assert counted["done"] == ask(outcome["project"], "Trace.objects.filter(has_thinking=True).count()")
    sample = ask(
        outcome["project"],
        "list(TraceLength.objects.filter(trace_id__in="
        "list(Trace.objects.order_by('digest').values_list('pk', flat=True)[:200]))"
        ".values_list('trace__thinking', 'tokens'))",
    )
    bpe = Tokenizer.from_file(str(tokenizer))
    assert len(sample) > 150
    for thinking, tokens in sample:
        assert tokens == len(bpe.encode(thinking, add_special_tokens=False).ids)


def test_a_recipe_over_rows_with_traces_draws_by_length_within_domain(
    outcome: dict[str, Any],
    shared_data: Path,
    pool: list[dict[str, Any]],
    problems: dict[str, list[str]],
    tokenizer: Path,
) -> None:
    from tokenizers import Tokenizer

    bpe = Tokenizer.from_file(str(tokenizer))
    domains: dict[str, str | None] = {}
    for row in pool:
        hash_ = twin.question_hash(row["question"])
        domains[hash_] = domains.get(hash_) or (row["subject"] or "").strip() or None
    # a question's trace is its first with thinking
    first: dict[str, str] = {}
    texts: dict[str, str] = {}
    for row in pq.read_table(shared_data / "traces.parquet", columns=["question", "thinking_trace"]).to_pylist():
        hash_ = twin.question_hash(row["question"])
        if hash_ in domains and row["thinking_trace"]:
            first.setdefault(hash_, row["thinking_trace"])
            texts[hash_] = row["question"]
    evaluation = problems["aime24"] + problems["gpqa"]
    index = twin.index_ngrams(evaluation)
    rows = [
        {
            "question_hash": hash_,
            "domain": domains[hash_],
            "gemini_length": len(bpe.encode(thinking, add_special_tokens=False).ids),
            "source_type": "",
        }
        for hash_, thinking in first.items()
        if domains[hash_] and not twin.is_contaminated(texts[hash_], evaluation, index)
    ]
    found = outcome["by-length"]
    assert set(found["hashes"]) <= {row["question_hash"] for row in rows}
    # where no trace is right nothing is taken whole, and `paper` is the draw by rank alone
    expected = twin.select_by_domains([row | {"isgeminicorrect": False} for row in rows], "paper", 300, 3)
    assert found["hashes"] == expected
    assert len(found["hashes"]) == min(300, len(rows)) > 100
    annotation = next(stage for stage in found["ledger"] if stage["stage"] == "annotation")
    assert annotation["out"] == len(rows)
