"""What lies near a question: its place in the list one came from, and what is like it."""

from dataclasses import dataclass

from django.db.models.functions import Substr
from django.http import QueryDict

from curation.errors import NotFoundError, S1WebError
from s1web.browse import queries as browse
from s1web.browse.filters import Listing
from s1web.pool.models import Question
from s1web.vectors.queries import similar_questions
from s1web.vectors.search import NearProblem, nearest, nearest_problems

NUM_NEIGHBOURS, NUM_PROBLEMS = 10, 5
_TEXT_CHARACTERS = 300


@dataclass(frozen=True)
class Place:
    """Where a question stands in a list.

    Attributes:
        query: the list's conditions and order, for addresses.
        problem: why there is no place, in a line.
    """

    query: str = ""
    place: int | None = None
    total: int = 0
    previous: str | None = None
    following: str | None = None
    problem: str = ""


@dataclass(frozen=True)
class Like:
    """A question like another.

    Attributes:
        distance: 1 - cosine of their vectors: 0 is the same direction.
        is_pair: near enough to be stored as a near-duplicate.
    """

    question_hash: str
    text: str
    source: str
    distance: float
    is_pair: bool


@dataclass(frozen=True)
class Likeness:
    """What is like a question; `problem` says why that is not known, and what to do."""

    questions: tuple[Like, ...] = ()
    problems: tuple[tuple[NearProblem, float], ...] = ()
    problem: str = ""


def read_place(query: QueryDict, question_hash: str) -> Place:
    """The question's place in the list that the address describes; the whole pool where it says nothing."""
    try:
        listing = Listing.parse(query)
        found = browse.neighbours(listing, question_hash)
    except S1WebError as error:
        return Place(problem=str(error))
    return Place(
        query=listing.query(after="", before=""),
        place=found.place,
        total=found.total,
        previous=found.previous,
        following=found.following,
    )


def read_likeness(question: Question) -> Likeness:
    """The nearest questions and evaluation questions, by their vectors."""
    try:
        near = nearest(question.question_hash, NUM_NEIGHBOURS)
        problems = nearest_problems(question.question_hash, NUM_PROBLEMS)
    except NotFoundError as error:
        return Likeness(problem=str(error))
    pairs = {similar.question for similar in similar_questions(question.pk)}
    texts = {
        pk: (text, source)
        for pk, text, source in Question.objects.filter(pk__in=[item.question for item in near])
        .annotate(beginning=Substr("text", 1, _TEXT_CHARACTERS))
        .values_list("pk", "beginning", "source__name")
    }
    return Likeness(
        questions=tuple(
            Like(item.question_hash, *texts[item.question], _distance(item.cosine), item.question in pairs)
            for item in near
            if item.question in texts
        ),
        problems=tuple((item, _distance(item.cosine)) for item in problems),
    )


def _distance(cosine: float) -> float:
    return round(1 - cosine, 4)
