"""Decisions of people: review states of questions, what stands of the evidence of contamination."""

from collections.abc import Callable
from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from s1web.api.base import Operations, paged
from s1web.api.operations import Example, operation
from s1web.api.paging import PagingQuery, newest_first
from s1web.api.routes.pool import conditions_of
from s1web.api.routes.questions import HASH, QUESTION, question_of
from s1web.api.scopes import Scope
from s1web.api.shapes import review as shapes
from s1web.browse.deciding import decide_on_filter, decide_on_picked
from s1web.pool import contamination
from s1web.questions.court import read_court
from s1web.review.models import ReviewChange
from s1web.review.rights import ALL_ROLE
from s1web.review.services import undo_as

CHANGE = OpenApiParameter("change_id", int, OpenApiParameter.PATH, description="Number of a change.")


class Changes(Operations):
    @operation(
        "list_changes",
        "Changes of review states",
        scope=Scope.POOL_READ,
        answer=paged(shapes.ReviewChange),
        query=PagingQuery,
    )
    def get(self, request: Request) -> Response:
        """The newest first, those undone too."""
        pager = self.pager()
        changes = ReviewChange.objects.select_related("made_by", "undone_by")
        return self.page(pager, newest_first(changes, pager), shapes.ReviewChange)


class DecideOnQuestions(Operations):
    @operation(
        "decide_on_questions",
        "Set the review state of picked questions",
        scope=Scope.REVIEW_WRITE,
        answer=shapes.ReviewChange,
        status=201,
        body=shapes.DecideOnQuestionsBody,
        example=Example(body={"state": "drop", "questions": [HASH]}),
        errors=(400, 404, 409),
    )
    def post(self, request: Request) -> Response:
        """All of them or none. The answer is the change, which can be undone."""
        asked = self.body(shapes.DecideOnQuestionsBody)
        change = decide_on_picked(asked["questions"], asked["state"], user=request.user)
        return Response(shapes.ReviewChange(change).data, status=201)


class DecideOnFilter(Operations):
    @operation(
        "decide_on_filter",
        "Set the review state of all questions of a filter",
        scope=Scope.REVIEW_WRITE,
        role=ALL_ROLE,
        answer=shapes.ReviewChange,
        status=201,
        body=shapes.DecideOnFilterBody,
        example=Example(body={"state": "keep", "query": "small=wrong&large=wrong&review=none", "confirmed": 1179}),
        errors=(400, 404, 409),
    )
    def post(self, request: Request) -> Response:
        """Where `confirmed` is not their number now, nothing is changed: 409, with the number that it is."""
        asked = self.body(shapes.DecideOnFilterBody)
        listing = conditions_of(QueryDict(asked["query"]))
        change = decide_on_filter(listing, asked["state"], user=request.user, confirmed=asked["confirmed"])
        return Response(shapes.ReviewChange(change).data, status=201)


class Undo(Operations):
    @operation(
        "undo_change",
        "Undo a change of review states",
        scope=Scope.REVIEW_WRITE,
        answer=shapes.ReviewChange,
        parameters=[CHANGE],
        example=Example(path={"change_id": "1"}),
        errors=(404, 409),
    )
    def post(self, request: Request, change_id: int) -> Response:
        """One's own, or as a curator anybody's. Questions that were changed again since keep their state."""
        return Response(shapes.ReviewChange(undo_as(request.user, change_id)).data)


class Overrule(Operations):
    @operation(
        "overrule_evidence",
        "Overrule evidence of contamination",
        scope=Scope.REVIEW_WRITE,
        answer=shapes.Court,
        parameters=[QUESTION],
        body=shapes.OverruleBody,
        example=Example(path={"question_hash": HASH}, body={"reason": "a phrase of every textbook"}),
        errors=(400, 404, 409),
    )
    def post(self, request: Request, question_hash: str) -> Response:
        """The question counts as clean once nothing stands. Who decided, when and why is kept."""
        return _decide(request, question_hash, self.body(shapes.OverruleBody), contamination.overrule)


class Reinstate(Operations):
    @operation(
        "reinstate_evidence",
        "Let overruled evidence count again",
        scope=Scope.REVIEW_WRITE,
        answer=shapes.Court,
        parameters=[QUESTION],
        body=shapes.ReinstateBody,
        example=Example(path={"question_hash": HASH}, body={"reason": "it is the problem with other numbers"}),
        errors=(400, 404, 409),
    )
    def post(self, request: Request, question_hash: str) -> Response:
        """What was decided before stays in the history."""
        return _decide(request, question_hash, self.body(shapes.ReinstateBody), contamination.reinstate)


def _decide(request: Request, question_hash: str, asked: dict[str, Any], decide: Callable[..., int]) -> Response:
    """Decide on evidence against a question, and say how it stands then."""
    question_of(question_hash)
    decided = decide(
        question_hash,
        reason=asked["reason"],
        decided_by=request.user.get_username(),
        evidence=asked.get("evidence"),
    )
    question = question_of(question_hash)
    court = read_court(question)
    found = {
        "num_decided": decided,
        "is_contaminated": question.contaminated,
        "num_evidence": court.num_pieces,
        "contamination": court.pieces,
    }
    return Response(shapes.Court(found).data)
