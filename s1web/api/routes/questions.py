"""One question: all that is known of it, a trace's texts, what lies near."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from curation.errors import NotFoundError
from s1web.api.base import Operations
from s1web.api.operations import Example, operation
from s1web.api.scopes import Scope
from s1web.api.shapes import questions as shapes
from s1web.pool.models import Attempt, Question, Trace
from s1web.questions.court import read_court
from s1web.questions.history import read_history
from s1web.questions.nearness import read_likeness
from s1web.questions.queries import read_question, read_trace_head

HASH = "490bc942a261d446"
QUESTION = OpenApiParameter(
    "question_hash", str, OpenApiParameter.PATH, description="The 16 hex digits of a question."
)
TRACE = OpenApiParameter("trace_id", int, OpenApiParameter.PATH, description="Of a trace of this question.")


class QuestionDetail(Operations):
    @operation(
        "read_question",
        "A question with all that is known of it",
        scope=Scope.POOL_READ,
        answer=shapes.Question,
        parameters=[QUESTION],
        example=Example(path={"question_hash": HASH}),
        errors=(404,),
    )
    def get(self, request: Request, question_hash: str) -> Response:
        """Whole texts, attempts with grades and judges' words, evidence of contamination, its fate in every run.
        Texts of traces come one by one."""
        question = question_of(question_hash)
        view, court = read_question(question), read_court(question)
        fates, has_older_runs = read_history(question)
        texts = dict(Attempt.objects.filter(pk__in=[a.pk for a in view.attempts]).values_list("pk", "text"))
        found: dict[str, Any] = {name: getattr(view, name) for name in view.__dataclass_fields__}
        found |= {
            "quality": [hit.rule for hit in view.hits],
            "attempts": [
                {"pk": a.pk, "model": a.model, "whole": texts.get(a.pk, ""), "judgements": a.judgements}
                for a in view.attempts
            ],
            "contamination": court.pieces,
            "num_evidence": court.num_pieces,
            "history": fates,
            "has_older_runs": has_older_runs,
        }
        return Response(shapes.Question(found).data)


class TraceDetail(Operations):
    @operation(
        "read_trace",
        "A trace with its thinking and attempt",
        scope=Scope.POOL_READ,
        answer=shapes.Trace,
        parameters=[QUESTION, TRACE],
        example=Example(path={"question_hash": HASH, "trace_id": "1"}),
        errors=(404,),
    )
    def get(self, request: Request, question_hash: str, trace_id: int) -> Response:
        """Whole, however long."""
        traces = Trace.objects.select_related("question").filter(pk=trace_id)
        trace = traces.filter(question__question_hash=question_hash).first()
        if trace is None:
            raise NotFoundError(f"question {question_hash} has no trace {trace_id}; its `traces` lists what it has")
        head = read_trace_head(trace)
        found = {name: getattr(head, name) for name in head.__dataclass_fields__}
        return Response(shapes.Trace(found | {"thinking": trace.thinking, "attempt": trace.attempt}).data)


class QuestionNeighbours(Operations):
    @operation(
        "read_neighbours",
        "What is like a question",
        scope=Scope.POOL_READ,
        answer=shapes.Neighbours,
        parameters=[QUESTION],
        example=Example(path={"question_hash": HASH}),
        errors=(404,),
    )
    def get(self, request: Request, question_hash: str) -> Response:
        """The ten nearest questions and the five nearest evaluation questions, by their embeddings. More:
        /questions?near=HASH."""
        likeness = read_likeness(question_of(question_hash))
        if likeness.problem:
            raise NotFoundError(likeness.problem)
        problems = [
            {"benchmark": near.benchmark, "problem": near.key, "text": near.text, "distance": distance}
            for near, distance in likeness.problems
        ]
        return Response(shapes.Neighbours({"questions": likeness.questions, "problems": problems}).data)


def question_of(question_hash: str) -> Question:
    """The question of that hash with its source.

    Raises:
        NotFoundError: there is none.
    """
    question = Question.objects.select_related("source").filter(question_hash=question_hash).first()
    if question is None:
        raise NotFoundError(f"the pool has no question {question_hash!r}; give the 16 hex digits of its hash")
    return question
