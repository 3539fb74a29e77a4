"""Identities by content: of a question, of an ordered selection, of a row."""

import hashlib
from collections.abc import Iterable

_LARGE = 1024


def question_hash(question: str) -> str:
    """First 16 hex digits of SHA-256 of the question's UTF-8 text, unnormalised: its identity everywhere.

    Raises:
        UnicodeEncodeError: the text holds a lone surrogate and so has no UTF-8 form.
    """
    return hashlib.sha256(question.encode()).hexdigest()[:16]


def selection_sha256(hashes: Iterable[str]) -> str:
    """SHA-256 (hex) of the ordered question hashes joined by a newline, without one at the end."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def digest64(*parts: str | None) -> int:
    """First 64 bits, signed, of SHA-256 of the parts, each with its length, so that ("ab", None) is not ("a", "b").

    Returns:
        An integer in [-2**63, 2**63), which every database stores as a big integer.
    """
    digest = hashlib.sha256()
    pieces: list[str] = []
    for part in parts:
        if part is None:
            pieces.append("-;")
        elif (size := len(part)) < _LARGE:
            pieces.append(f"{size};{part}")
        else:
            # small pieces are encoded and hashed together; a large one is not copied for that
            digest.update("".join(pieces).encode())
            digest.update(f"{size};".encode())
            digest.update(part.encode())
            pieces.clear()
    digest.update("".join(pieces).encode())
    return int.from_bytes(digest.digest()[:8], "big", signed=True)
