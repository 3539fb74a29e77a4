"""The court of contamination: each piece of evidence with both texts, what they share, and what was decided."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from curation.text import span_of_words
from s1web.pool.models import Contamination, ContaminationRuling, Question
from s1web.questions.showing import excerpt, light

# of a longer text this much is shown to either side of what is shared
AROUND_CHARACTERS = 1_500
# a question may overlap with every problem of a benchmark of near-copies
MAX_PIECES = 30


@dataclass(frozen=True)
class Piece:
    """One piece of evidence.

    Attributes:
        question, problem: the texts as HTML, the shared words lit; none are where the text no longer has them.
        is_overruled: it does not count.
        rulings: its history, the newest first.
    """

    evidence: Contamination
    question: SafeString
    problem: SafeString
    is_overruled: bool
    rulings: tuple[ContaminationRuling, ...]


@dataclass(frozen=True)
class Court:
    """Everything that stands against a question.

    Attributes:
        pieces: the longest shared words first, MAX_PIECES at most.
        num_pieces: how many there are.
        num_standing: of those shown, the ones that count.
    """

    pieces: tuple[Piece, ...]
    num_pieces: int

    @property
    def num_standing(self) -> int:
        return sum(not piece.is_overruled for piece in self.pieces)


def read_court(question: Question) -> Court:
    """The evidence against a question; three queries."""
    everything = Contamination.objects.filter(question=question)
    found = list(everything.select_related("problem__benchmark").order_by("-num_words", "problem_id")[:MAX_PIECES])
    num_pieces = len(found) if len(found) < MAX_PIECES else everything.count()
    rulings = _rulings(found)
    return Court(tuple(_piece(question, evidence, rulings[evidence.pk]) for evidence in found), num_pieces)


def lit_text(text: str, offset: int, num_words: int) -> SafeString:
    """A text with so many of its words from the one at `offset` on lit; a long one is cut around them."""
    shown, span = excerpt(text, span_of_words(text, offset, num_words), AROUND_CHARACTERS)
    return light(shown, [span] if span else [])


def _rulings(found: Sequence[Contamination]) -> dict[int, list[ContaminationRuling]]:
    rulings: dict[int, list[ContaminationRuling]] = defaultdict(list)
    for ruling in ContaminationRuling.objects.filter(contamination__in=[e.pk for e in found]).order_by("-pk"):
        rulings[ruling.contamination_id].append(ruling)
    return rulings


def _piece(question: Question, evidence: Contamination, rulings: Sequence[ContaminationRuling]) -> Piece:
    return Piece(
        evidence=evidence,
        question=lit_text(question.text, evidence.question_offset, evidence.num_words),
        problem=lit_text(evidence.problem.text, evidence.problem_offset, evidence.num_words),
        is_overruled=evidence.decision == Contamination.Decision.OVERRULED,
        rulings=tuple(rulings),
    )
