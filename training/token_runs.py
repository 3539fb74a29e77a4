"""A row as tokens that can be looked at: what each says, whether it carries loss, and what a block cuts off.

Made from the ids that are trained on, not from the text they came from: so a terminal and a page show what the model
gets, whatever formatter, template and tokenizer did on the way.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inference.delimiters import Tokenizer, decode
from training.masking import Example

Part = Literal["prompt", "thinking", "answer", "end", "rest"]
Kind = Literal["prompt", "thinking", "answer", "end", "rest", "cut"]
WITH_LOSS: frozenset[Kind] = frozenset(("thinking", "answer", "end"))
# a character of UTF-8 has four bytes at most, each of them may be a token
_MOST_BYTES = 4


@dataclass(frozen=True, slots=True)
class Token:
    """An id and what it says.

    Attributes:
        text: hostile, as it is the data's own; "" for all but the last of several ids that make one character.
    """

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class TokenRun:
    """Tokens one behind the other that are of one kind.

    Attributes:
        kind: prompt and rest (what a template writes behind the turn) carry no loss; thinking, answer and end do; cut
            is behind the block size.
        part: what they are in the whole row: differs from the kind where they are cut.
        start: place of the first in the row, from 0.
    """

    kind: Kind
    part: Part
    start: int
    tokens: tuple[Token, ...]

    @property
    def has_loss(self) -> bool:
        """Whether the model learns to write them."""
        return self.kind in WITH_LOSS

    @property
    def text(self) -> str:
        """What they say together."""
        return "".join(token.text for token in self.tokens)


def token_runs(example: Example, block_size: int, tokenizer: Tokenizer) -> tuple[TokenRun, ...]:
    """The runs of a row, in their order; joined their tokens are the row's.

    Args:
        example: the whole row, not yet cut.
        block_size: tokens that are kept.
    """
    texts = token_texts(example.ids, tokenizer)
    tokens = [Token(id_, text) for id_, text in zip(example.ids, texts, strict=True)]
    runs: list[TokenRun] = []
    for part, start, end in _parts(example):
        kept = min(max(block_size, start), end)
        kinds: tuple[tuple[Kind, int, int], ...] = ((part, start, kept), ("cut", kept, end))
        runs += [TokenRun(kind, part, low, tuple(tokens[low:high])) for kind, low, high in kinds if low < high]
    return tuple(runs)


def _parts(example: Example) -> Iterator[tuple[Part, int, int]]:
    answer, end = example.first + example.num_thinking, example.last - 1
    yield "prompt", 0, example.first
    yield "thinking", example.first, answer
    yield "answer", answer, end
    yield "end", end, example.last
    yield "rest", example.last, len(example.ids)


def token_texts(ids: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """What each id says; joined, what all of them say.

    An id is decoded behind the one before it, as some tokenizers drop the space that a text begins with. A character
    of several ids stands at the last of them.
    """
    texts: list[str] = []
    before = at = 0
    for place in range(len(ids)):
        shown, whole = decode(tokenizer, ids[before:at]), decode(tokenizer, ids[before : place + 1])
        is_begun = whole.endswith("\ufffd") and place + 1 - at < _MOST_BYTES
        if is_begun and place + 1 < len(ids):
            texts.append("")
            continue
        texts.append(whole[len(shown) :])
        before, at = at, place + 1
    return texts


def harmless(text: str) -> str:
    """The text with all that a terminal or a page would obey, hide or turn written out: `⟨U+202E⟩`.

    A line break stays, behind a mark of its own.
    """
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\n":
        return "⏎\n"
    # controls, formats (bidirectional overrides, joiners), surrogates, private use, unassigned, line and page ends
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return f"⟨U+{ord(character):04X}⟩"
    return character


def row_to_json(number: int, runs: Sequence[TokenRun], block_size: int) -> dict[str, Any]:
    """A row's runs as plain data, with its counts of tokens."""
    return {
        "row": number,
        "block_size": block_size,
        "counts": count_kinds(runs),
        "runs": [
            {
                "kind": run.kind,
                "part": run.part,
                "has_loss": run.has_loss,
                "start": run.start,
                "tokens": [{"id": token.id, "text": token.text} for token in run.tokens],
            }
            for run in runs
        ],
    }


def count_kinds(runs: Sequence[TokenRun]) -> dict[str, int]:
    """Tokens of a row: all, with loss, cut off, and of each kind."""
    counts = {
        "tokens": sum(len(run.tokens) for run in runs),
        "with_loss": sum(len(run.tokens) for run in runs if run.has_loss),
        "prompt": 0,
        "thinking": 0,
        "answer": 0,
        "end": 0,
        "rest": 0,
        "cut": 0,
    }
    for run in runs:
        counts[run.kind] += len(run.tokens)
    return counts
