"""Text normalisation shared by decontamination and deduplication."""

import re

_TOKENS = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+")


def words(text: str) -> list[str]:
    """Split into the words that decontamination compares: lower-cased, whitespace collapsed (s1 §2.1).

    Whitespace is Unicode's, so a no-break space or U+2028 separates words too; punctuation stays on its word.
    """
    return text.lower().split()


def bare_tokens(text: str) -> list[str]:
    """Words and numbers alone, lower-cased: what is left when spacing, punctuation and LaTeX signs are ignored."""
    return _TOKENS.findall(text.lower())
