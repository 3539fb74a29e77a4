"""A tiny model with random weights, saved once; a small benchmark; the command that evaluates one on the other."""

import json
from pathlib import Path

import pytest

from tests.inference.models import make_tokenizer, random_model

TEMPLATE = "Q: {problem}\n"
NUM_PROBLEMS = 8


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    random_model().save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def write_sums(path: Path, count: int = NUM_PROBLEMS, **changes: object) -> Path:
    rows = [{"id": f"p{n:02d}", "problem": f"{n} + 1 = ?", "answer": str(n + 1)} | changes for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def sums(tmp_path) -> Path:
    return write_sums(tmp_path / "sums.jsonl")


@pytest.fixture
def settings_file(tmp_path) -> Path:
    """What the tests' runs have in common: answers of a few tokens, graded without a process of its own."""
    path = tmp_path / "common.json"
    path.write_text(json.dumps({"grading": {"math_verify": False}, "template": TEMPLATE}))
    return path


@pytest.fixture
def words(tiny_model, sums, settings_file):
    """The words of an evaluation."""
    return [
        *("evaluate", "--config", settings_file, "--model", tiny_model, "--benchmark", sums),
        *("--method", "budget_forcing", "--max-thinking-tokens", 12, "--set", "forcing.max_answer_tokens=8"),
    ]
