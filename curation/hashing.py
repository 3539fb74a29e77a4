"""Identities by content: of a question, of an ordered selection, of a row."""

import hashlib
from collections.abc import Iterable


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
    """Signed 64-bit BLAKE2b digest of the parts, each with its length, so that ("ab", None) is not ("a", "b").

    Returns:
        An integer in [-2**63, 2**63), which every database stores as a big integer.
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if part is None:
            digest.update(b"-;")
        else:
            data = part.encode()
            digest.update(b"%d;" % len(data))
            digest.update(data)
    return int.from_bytes(digest.digest(), "big", signed=True)
