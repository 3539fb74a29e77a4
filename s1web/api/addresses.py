"""Addresses of the operations; what describes them reads them here."""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from s1web.api.routes import comparing, jobs, pool, questions, review, selections, views


class HashConverter(StringConverter):
    regex = "[0-9a-f]{16}"


class NumberConverter:
    """A primary key, of no more digits than a database takes."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class ActionConverter(StringConverter):
    regex = "|".join(jobs.NAMES)


register_converter(HashConverter, "question")
register_converter(ActionConverter, "action")
register_converter(NumberConverter, "number")
ROOT = "api/v1/"

operations: list[URLPattern] = [
    path("pool", pool.PoolFigures.as_view()),
    path("questions", pool.Questions.as_view()),
    path("questions/facets", pool.QuestionFacets.as_view()),
    path("questions.jsonl", pool.QuestionLines.as_view()),
    path("questions/<question:question_hash>", questions.QuestionDetail.as_view()),
    path("questions/<question:question_hash>/neighbours", questions.QuestionNeighbours.as_view()),
    path("questions/<question:question_hash>/traces/<number:trace_id>", questions.TraceDetail.as_view()),
    path("questions/<question:question_hash>/contamination/overrule", review.Overrule.as_view()),
    path("questions/<question:question_hash>/contamination/reinstate", review.Reinstate.as_view()),
    path("review/changes", review.Changes.as_view()),
    path("review/changes/<number:change_id>/undo", review.Undo.as_view()),
    path("review/questions", review.DecideOnQuestions.as_view()),
    path("review/filter", review.DecideOnFilter.as_view()),
    path("clusters", pool.Clusters.as_view()),
    path("map", pool.Map.as_view()),
    path("map/points.jsonl", pool.MapPoints.as_view()),
    path("domains", pool.Domains.as_view()),
    path("domains/agreement", pool.DomainAgreement.as_view()),
    path("views", views.Views.as_view()),
    path("views/<str:name>", views.ViewDetail.as_view()),
    path("runs", selections.Runs.as_view()),
    path("runs/<number:run_id>", selections.RunDetail.as_view()),
    path("runs/<number:run_id>/rows", selections.RunRows.as_view()),
    path("runs/<number:run_id>/questions/<question:question_hash>", selections.RunQuestion.as_view()),
    path("selections", selections.Selections.as_view()),
    path("selections/<str:name>", selections.SelectionDetail.as_view()),
    path("selections/<str:name>/questions", selections.SelectionMembers.as_view()),
    path("preview", comparing.Preview.as_view()),
    path("compare", comparing.Compare.as_view()),
    path("compare/questions", comparing.CompareQuestions.as_view()),
    path("stability/<number:job_id>", comparing.Stability.as_view()),
    path("ablations", comparing.Ablations.as_view()),
    path("ablations/<number:job_id>", comparing.AblationDetail.as_view()),
    path("jobs", jobs.Jobs.as_view()),
    path("jobs/kinds", jobs.JobKinds.as_view()),
    path("jobs/plan", jobs.JobPlan.as_view()),
    path("jobs/<number:job_id>", jobs.JobDetail.as_view()),
    path("jobs/<number:job_id>/<action:action>", jobs.JobAction.as_view()),
]
