"""What jobs work on: a pool with a benchmark and tokenizers."""

from pathlib import Path

import pytest

from tests.s1web.tokenizers import write_tokenizer


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory) -> str:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(scope="session")
def slow_tokenizer(tmp_path_factory) -> str:
    """Takes several seconds over a text of millions of characters, in one call of its library."""
    return write_tokenizer(tmp_path_factory.mktemp("slow") / "tokenizer.json", is_slow=True)


@pytest.fixture
def files(tmp_path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder
