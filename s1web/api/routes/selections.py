"""Runs with their ledgers and rows, and why a question is in or out of one; selections and their members."""

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from curation.errors import ConfigError, NotFoundError
from curation.pipeline import POOL_DUPLICATE, RULES, STAGES
from s1web.api.base import Operations, paged
from s1web.api.operations import Example, operation
from s1web.api.paging import Pager, PagingQuery, Slice, newest_first, piece_by_piece
from s1web.api.routes.questions import HASH, QUESTION
from s1web.api.scopes import Scope
from s1web.api.shapes import selections as shapes
from s1web.selections import queries
from s1web.selections.comparing import length_label
from s1web.selections.explain import explain, find_question, find_run
from s1web.selections.members import read_members
from s1web.selections.models import CurationRun, Selection
from s1web.selections.services import find_selection

RUN = OpenApiParameter("run_id", int, OpenApiParameter.PATH, description="Number of a run.")
SELECTION = OpenApiParameter("name", str, OpenApiParameter.PATH, description="Name of a selection.")
_RUN, _NAME = {"run_id": "1"}, {"name": "paper-1000-seed0"}


class RowsQuery(PagingQuery):
    rule = serializers.CharField(
        required=False, help_text=f"{queries.SELECTED}, a rule or a stage: what it selected or dropped."
    )
    left = serializers.CharField(required=False, help_text="A stage: what passed it, and what became of it.")


class Runs(Operations):
    @operation("list_runs", "Runs", scope=Scope.SELECTIONS_READ, answer=paged(shapes.Run), query=PagingQuery)
    def get(self, request: Request) -> Response:
        """The newest first."""
        pager = self.pager()
        runs = CurationRun.objects.select_related("selection").defer("recipe_toml", "ledger", "warnings")
        return self.page(pager, newest_first(runs, pager), shapes.Run)


class RunDetail(Operations):
    @operation(
        "read_run",
        "A run with its ledger",
        scope=Scope.SELECTIONS_READ,
        answer=shapes.RunDetail,
        parameters=[RUN],
        example=Example(path=_RUN),
        errors=(404,),
    )
    def get(self, request: Request, run_id: int) -> Response:
        """What replays it, and how many rows each stage took and each rule dropped."""
        return Response(shapes.RunDetail(run_of(run_id)).data)


class RunRows(Operations):
    @operation(
        "list_run_rows",
        "Questions behind a count of a run's ledger",
        scope=Scope.SELECTIONS_READ,
        answer=paged(shapes.RunRow),
        query=RowsQuery,
        parameters=[RUN],
        example=Example(path=_RUN, query=[("rule", "formatting.asy"), ("limit", "5")]),
        errors=(400, 404),
    )
    def get(self, request: Request, run_id: int) -> Response:
        """Each with rule and evidence, or its place in the selection. Give rule or left. This list only goes on."""
        asked = self.query(RowsQuery)
        pager = self.pager(asked)
        page = _rows(run_of(run_id), asked.get("rule", ""), asked.get("left", ""), pager)
        return self.page(pager, page, shapes.RunRow)


class RunQuestion(Operations):
    @operation(
        "explain_question",
        "Why a question is in or out of a run",
        scope=Scope.SELECTIONS_READ,
        answer=shapes.Explanation,
        parameters=[RUN, QUESTION],
        example=Example(path={**_RUN, "question_hash": HASH}),
        errors=(404,),
    )
    def get(self, request: Request, run_id: int, question_hash: str) -> Response:
        """Every stage that it went through, and the evidence of the rule that dropped it."""
        return Response(shapes.Explanation(explain(find_question(question_hash), run_of(run_id))).data)


class Selections(Operations):
    @operation(
        "list_selections",
        "Selections",
        scope=Scope.SELECTIONS_READ,
        answer=paged(shapes.Selection),
        query=PagingQuery,
    )
    def get(self, request: Request) -> Response:
        """The newest first."""
        pager = self.pager()
        return self.page(pager, newest_first(Selection.objects.all(), pager), shapes.Selection)


class SelectionDetail(Operations):
    @operation(
        "read_selection",
        "A selection with what it is made of",
        scope=Scope.SELECTIONS_READ,
        answer=shapes.SelectionDetail,
        parameters=[SELECTION],
        example=Example(path=_NAME),
        errors=(404,),
    )
    def get(self, request: Request, name: str) -> Response:
        """Domains, sources and trace lengths of its questions."""
        selection = find_selection(name)
        run = _run_of(selection)
        members = read_members(run)
        spread = members.spread()
        found = {item: getattr(selection, item) for item in ("pk", "name", "size", "sha256", "created_at")}
        found |= {
            "run": run.pk,
            "num_whole": members.num_whole,
            "domains": spread.domains,
            "sources": members.count_sources(),
            "lengths": {length_label(place): num for place, num in enumerate(spread.lengths) if num},
            "median_tokens": spread.median_tokens,
        }
        return Response(shapes.SelectionDetail(found).data)


class SelectionMembers(Operations):
    @operation(
        "list_members",
        "Questions of a selection, in its order",
        scope=Scope.SELECTIONS_READ,
        answer=paged(shapes.RunRow),
        query=PagingQuery,
        parameters=[SELECTION],
        example=Example(path=_NAME, query=[("limit", "5")]),
        errors=(400, 404),
    )
    def get(self, request: Request, name: str) -> Response:
        """Those taken whole come first. This list only goes on."""
        pager = self.pager()
        page = _rows(_run_of(find_selection(name)), queries.SELECTED, "", pager)
        return self.page(pager, page, shapes.RunRow)


def run_of(run_id: int) -> CurationRun:
    """The run of that number with its selection.

    Raises:
        NotFoundError: there is none.
    """
    return queries.find_run(run_id) or find_run(run_id)


def _run_of(selection: Selection) -> CurationRun:
    """The newest run that came to a selection, with it."""
    run = selection.run
    run.selection = selection
    return run


def _rows(run: CurationRun, rule: str, left: str, pager: Pager) -> Slice:
    """The rows behind a count of the ledger.

    Raises:
        ConfigError: neither or both are given.
        NotFoundError: the run has no such rule or stage.
    """
    stages = {stage["stage"]: stage for stage in run.ledger}
    if bool(rule) == bool(left):
        raise ConfigError("give rule or left, one of the two: rule=selected, rule=formatting.asy, left=formatting")
    total: int | None
    if left:
        if left not in stages or left not in STAGES:
            raise NotFoundError(f"run {run.pk} has no stage {left[:60]!r}; there are {', '.join(stages)}")
        rules, total = queries.rules_after(left), stages[left]["out"]
    elif rule == queries.SELECTED:
        return piece_by_piece(lambda after: _pair(queries.read_selected(run, after)), run.selection.size, pager)
    elif rule == POOL_DUPLICATE:
        # the ledger counts rows, this is a list of questions
        return piece_by_piece(lambda after: _pair(queries.read_repeated(after)), None, pager)
    elif rule in RULES:
        rules, total = [rule], stages.get(rule.partition(".")[0], {"dropped": {}})["dropped"].get(rule, 0)
    elif rule in stages and queries.rules_of(rule):
        rules, total = queries.rules_of(rule), stages[rule]["in"] - stages[rule]["out"]
    else:
        there = ", ".join([queries.SELECTED, *stages, *queries.known_rules(run)])
        raise NotFoundError(f"run {run.pk} has no rule or stage {rule[:60]!r}; there are {there}")
    return piece_by_piece(
        lambda after: _pair(queries.read_dropped(run, rules, after, with_members=bool(left))), total, pager
    )


def _pair(rows: queries.Rows) -> tuple[tuple[queries.Row, ...], int | None]:
    return rows.rows, rows.after
