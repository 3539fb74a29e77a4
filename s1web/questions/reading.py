"""Long texts in pieces that a browser can lay out and a reader can point at: paragraphs, steps, parts; pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# a paragraph without an end is cut: layout of one block is not linear in its length
MAX_PARAGRAPH = 8_000
# what a step holds at most, and what it holds at least before another one begins
STEP_CHARACTERS, MIN_STEP_CHARACTERS = 4_000, 800
# a formula with blank lines inside stays in one paragraph up to this length
MAX_FORMULA = 4_000
# what one answer of the server carries of a trace: three times a trace of 30,000 tokens
PART_CHARACTERS = 400_000
TITLE_CHARACTERS = 90

# words by which models begin another line of thought
_TURN = re.compile(
    r"\W{0,3}(?:but )?(?:wait|hmm+|alternatively|actually|okay|ok|so,? now|now|next|first(?:ly)?|second(?:ly)?"
    r"|third(?:ly)?|finally|therefore|in (?:summary|conclusion)|to (?:summarize|verify|check)|let me|let's|let us"
    r"|another|case|step \d|part \d|#)\b|#{1,6} ",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some lines of a text.

    Attributes:
        number: its place, from 1.
        start: of its first character in the text.
        is_continued: it goes on where the one before was cut for its length.
    """

    number: int
    start: int
    text: str
    is_continued: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Paragraphs that are folded together."""

    number: int
    paragraphs: tuple[Paragraph, ...]

    @property
    def first(self) -> int:
        return self.paragraphs[0].number

    @property
    def last(self) -> int:
        return self.paragraphs[-1].number

    @property
    def title(self) -> str:
        """How it begins, in one line."""
        line = " ".join(self.paragraphs[0].text[: 4 * TITLE_CHARACTERS].split())
        return line if len(line) <= TITLE_CHARACTERS else f"{line[:TITLE_CHARACTERS].rstrip()}…"

    @property
    def height(self) -> int:
        """About how high it is shown, in steps of 200 px from 1 to 10: the page's styles make room for so much."""
        lines = sum(len(paragraph.text) // 80 + 1 for paragraph in self.paragraphs)
        return min(max((lines * 26 + len(self.paragraphs) * 8 + 124) // 200, 1), 10)

    @property
    def num_characters(self) -> int:
        return sum(len(paragraph.text) for paragraph in self.paragraphs)


def split_paragraphs(text: str) -> list[Paragraph]:
    """The paragraphs of a text: what blank lines separate; nothing but white space between them is left out."""
    found: list[Paragraph] = []
    for start, stop in _join_formulas(text, list(_blocks(text))):
        for place, (begin, end) in enumerate(_cut(text, start, stop)):
            found.append(Paragraph(len(found) + 1, begin, text[begin:end], is_continued=place > 0))
    return found


def split_steps(paragraphs: Sequence[Paragraph]) -> list[Step]:
    """Paragraphs in groups; a new one begins where the thought turns, or where the one before is long."""
    steps: list[Step] = []
    group: list[Paragraph] = []
    size = 0
    for paragraph in paragraphs:
        is_turn = not paragraph.is_continued and _TURN.match(paragraph.text) is not None
        if group and (size + len(paragraph.text) > STEP_CHARACTERS or (is_turn and size >= MIN_STEP_CHARACTERS)):
            steps.append(Step(len(steps) + 1, tuple(group)))
            group, size = [], 0
        group.append(paragraph)
        size += len(paragraph.text)
    if group:
        steps.append(Step(len(steps) + 1, tuple(group)))
    return steps


def split_parts(steps: Sequence[Step], size: int = PART_CHARACTERS) -> list[list[Step]]:
    """Steps in parts of at most so many characters, a step at least each."""
    parts: list[list[Step]] = []
    room = 0
    for step in steps:
        if not parts or step.num_characters > room:
            parts.append([])
            room = size
        parts[-1].append(step)
        room -= step.num_characters
    return parts


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each run of lines that are not blank, without the white space after it."""
    place, start, stop = 0, -1, -1
    for line in text.splitlines(keepends=True):
        if line.strip():
            start = place if start < 0 else start
            stop = place + len(line.rstrip())
        elif start >= 0:
            yield start, stop
            start = -1
        place += len(line)
    if start >= 0:
        yield start, stop


def _join_formulas(text: str, blocks: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Blocks put together where a displayed formula runs over the blank line between them."""
    place = 0
    while place < len(blocks):
        start, stop = blocks[place]
        place += 1
        other = place
        while other < len(blocks) and _is_open(text[start:stop]) and blocks[other][1] - start <= MAX_FORMULA:
            stop = blocks[other][1]
            other += 1
        if other > place and not _is_open(text[start:stop]):
            place = other
        else:
            # nothing closes it: it is no formula
            stop = blocks[place - 1][1]
        yield start, stop


def _is_open(text: str) -> bool:
    if len(text) > MAX_FORMULA:
        return False
    return text.count("\\[") > text.count("\\]") or text.count("$$") % 2 == 1


def _cut(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """A block in pieces of at most MAX_PARAGRAPH: at the last line's end, else the last space, else anywhere."""
    while stop - start > MAX_PARAGRAPH:
        edge = start + MAX_PARAGRAPH
        cut = text.rfind("\n", start + MAX_PARAGRAPH // 2, edge) + 1
        cut = cut or text.rfind(" ", start + MAX_PARAGRAPH // 2, edge) + 1 or edge
        yield start, cut
        start = cut
    yield start, stop
