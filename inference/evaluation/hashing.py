"""What a model and a tokenizer are: hashes of their files."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

_WEIGHTS = ("*.safetensors", "config.json", "generation_config.json")
_TOKENIZER = ("tokenizer*", "special_tokens_map.json", "vocab.*", "merges.txt", "chat_template*", "added_tokens.json")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def local_folder(name_or_path: str) -> Path | None:
    """Where the files of a model are on this machine: its folder, or the Hub's cache; None where they are not."""
    path = Path(name_or_path)
    if path.is_dir():
        return path
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name_or_path, local_files_only=True))
    except Exception:  # whatever the client library raises for names and caches: the files are not here
        return None


def model_sha256(folder: Path) -> str:
    """Of weights and configuration, 64 hexadecimal digits."""
    return _digest(folder, _WEIGHTS)


def tokenizer_sha256(folder: Path) -> str:
    """Of vocabulary, special tokens and chat template, 64 hexadecimal digits."""
    return _digest(folder, _TOKENIZER)


def _digest(folder: Path, patterns: Iterable[str]) -> str:
    """Of names and contents, in the names' order."""
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    lines = [f"{path.name} {_file_sha256(path)}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _file_sha256(path: Path) -> str:
    # the Hub's cache names large files by this very hash, so that they need not be read again
    stored = path.resolve().name
    if path.is_symlink() and _SHA256.fullmatch(stored):
        return stored
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
