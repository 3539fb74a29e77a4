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
    pieces: list[bytes] = []
    for part in parts:
        if part is None:
            pieces.append(b"-;")
            continue
        data = part.encode()
        pieces.append(b"%d;" % len(data))
        if len(data) < _LARGE:
            pieces.append(data)
        else:
            # small pieces go into the hash in one call; a large one is not copied for that
            digest.update(b"".join(pieces))
            digest.update(data)
            pieces.clear()
    digest.update(b"".join(pieces))
    return int.from_bytes(digest.digest()[:8], "big", signed=True)
