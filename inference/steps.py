"""Steps of thinking: parts between blank lines, in text and in ids (as s1 splits traces into steps)."""

import re

from inference.delimiters import Tokenizer, decode, line_end_ids
from inference.forcing_events import Ids

_STEP = re.compile(r".*?\n[ \t]*\n\s*|.+", re.DOTALL)


def split_steps(text: str) -> tuple[str, ...]:
    """The text's steps, each with the blank line that ends it; joined they are the text. A blank text has none."""
    steps: list[str] = []
    for part in _STEP.findall(text):
        if steps and not part.strip():
            steps[-1] += part
        elif part.strip():
            steps.append(part)
    return tuple(steps)


def blank_line_ids(tokenizer: Tokenizer) -> tuple[Ids, ...]:
    """The id sequences that hold a blank line: single ids, and pairs of an id that ends a line and a newline."""
    # byte-level vocabularies write a newline as Ċ; decoding each id of a large vocabulary would take seconds
    likely = [id_ for token, id_ in tokenizer.get_vocab().items() if "ĊĊ" in token or "\n\n" in token]
    singles = sorted(id_ for id_ in likely if "\n\n" in decode(tokenizer, [id_]))
    line_ends = sorted(line_end_ids(tokenizer) - set(singles))
    newlines = [id_ for id_ in line_ends if decode(tokenizer, [id_]) == "\n"]
    return tuple((id_,) for id_ in singles) + tuple((first, newline) for first in line_ends for newline in newlines)
