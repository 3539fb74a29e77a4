"""Text normalisation shared by decontamination and deduplication."""

import re

# numbers, words, and the signs by which two formulas differ
_TOKENS = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[-+*/<>=^±×÷√∑∏∫∂∇∈∉⊂⊃∪∩≤≥≠≈≡→∞]")


def words(text: str) -> list[str]:
    """Split into the words that decontamination compares: lower-cased, whitespace collapsed (s1 §2.1).

    Whitespace is Unicode's, so a no-break space or U+2028 separates words too; punctuation stays on its word.
    """
    return text.lower().split()


def bare_tokens(text: str) -> list[str]:
    """Words, numbers and operators, lower-cased: what is left without spacing, punctuation and LaTeX's own signs."""
    return _TOKENS.findall(text.lower())
