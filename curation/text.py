"""Text normalisation shared by decontamination and deduplication."""

import re
from collections.abc import Iterator
from itertools import islice

# numbers, words, and the signs by which two formulas differ
_TOKENS = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[-+*/<>=^±×÷√∑∏∫∂∇∈∉⊂⊃∪∩≤≥≠≈≡→∞]")
_WORD = re.compile(r"\S+")


def words(text: str) -> list[str]:
    """Split into the words that decontamination compares: lower-cased, whitespace collapsed (s1 §2.1).

    Whitespace is Unicode's, so a no-break space or U+2028 separates words too; punctuation stays on its word.
    """
    return text.lower().split()


def word_spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) in characters of each of `words(text)`, in the text as it stands.

    Lower-casing can make a word longer ("İ" becomes two characters) but never splits or joins words.
    """
    return (match.span() for match in _WORD.finditer(text))


def span_of_words(text: str, offset: int, num_words: int) -> tuple[int, int] | None:
    """(start, end) in characters of so many words from the one at `offset` on; None where the text has fewer."""
    if offset < 0 or num_words < 1:
        return None
    spans = list(islice(word_spans(text), offset, offset + num_words))
    return (spans[0][0], spans[-1][1]) if len(spans) == num_words else None


def bare_tokens(text: str) -> list[str]:
    """Words, numbers and operators, lower-cased: what is left without spacing, punctuation and LaTeX's own signs."""
    return _TOKENS.findall(text.lower())
