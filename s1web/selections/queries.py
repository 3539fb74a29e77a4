"""What pages read of selections and runs; nothing here writes."""

import json
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.db.models import Count
from django.db.models.functions import Substr

from curation.domains import domain_title
from curation.pipeline import POOL_DUPLICATE, RULES, STAGES
from curation.quality import formatting_span
from curation.text import words
from s1web.pool.models import LoadedRow, Question
from s1web.selections.models import CurationRun, Decision, Selection, SelectionMember

PAGE_ROWS = 50
SELECTED = "selected"
# question, rule, evidence as JSON, position
Found = tuple[int, str, str, int | None]
# of a question's text; evidence beyond it is named but not quoted
_TEXT_CHARACTERS = 4_000
SHOWN_CHARACTERS = 200
_MAX_QUOTE = 160


@dataclass(frozen=True)
class Row:
    """A question of a run.

    Attributes:
        key: the next page starts after it.
        rule: that dropped it; "" where it is selected.
        evidence: in words; `quote` is the text that it is about.
        position: in the selection, from 1.
    """

    key: int
    question_hash: str
    text: str
    source: str
    domain: str | None
    rule: str
    evidence: str
    quote: str
    position: int | None


@dataclass(frozen=True)
class Rows:
    """Some rows; `after` is the key that the next page starts behind, None at the end."""

    rows: tuple[Row, ...]
    after: int | None


def newest_selections(limit: int) -> list[Selection]:
    """The newest first."""
    return list(Selection.objects.order_by("-created_at", "-pk")[:limit])


def newest_run() -> CurationRun | None:
    """The run that others are compared with."""
    return CurationRun.objects.select_related("selection").order_by("-pk").first()


def list_runs(limit: int, before: int | None = None) -> list[CurationRun]:
    """The newest first; `before` is the key that they come behind."""
    runs = CurationRun.objects.select_related("selection").order_by("-pk")
    return list((runs.filter(pk__lt=before) if before is not None else runs)[:limit])


def find_run(pk: int) -> CurationRun | None:
    """The run of that number with its selection."""
    return CurationRun.objects.select_related("selection").filter(pk=pk).first()


def rules_of(stage: str) -> list[str]:
    """The rules of a stage."""
    return [rule for rule in RULES if rule.partition(".")[0] == stage]


def rules_after(stage: str) -> list[str]:
    """The rules of the stages behind this one: who passed it was dropped by one of them, or selected."""
    later = STAGES[STAGES.index(stage) + 1 :]
    return [rule for rule in RULES if rule.partition(".")[0] in later]


def read_dropped(run: CurationRun, rules: list[str], after: int, *, with_members: bool = False) -> Rows:
    """Questions that one of the rules dropped, in the order of loading, and on demand those selected among them.

    A query for each rule, which an index answers, and two more; as many on the last page as on the first.
    """
    found: list[Found] = []
    for rule in rules:
        dropped = Decision.objects.filter(run=run, rule=rule, question_id__gt=after).order_by("question_id")
        found += [(pk, rule, evidence, None) for pk, evidence in _first(dropped, "question_id", "evidence")]
    if with_members:
        members = SelectionMember.objects.filter(selection=run.selection_id, question_id__gt=after)
        in_order = members.order_by("question_id")
        found += [(pk, "", "", place) for pk, place in _first(in_order, "question_id", "position")]
    found.sort(key=lambda item: item[0])
    is_more = len(found) > PAGE_ROWS
    found = found[:PAGE_ROWS]
    return Rows(_rows(found, keys=[item[0] for item in found]), found[-1][0] if is_more else None)


def read_selected(run: CurationRun, after: int) -> Rows:
    """Members in the selection's order, behind a position counted from 1."""
    members = SelectionMember.objects.filter(selection=run.selection_id, position__gte=after).order_by("position")
    found = [
        (pk, "", json.dumps({"whole": True}) if is_whole else "", position)
        for pk, is_whole, position in _first(members, "question_id", "is_whole", "position")
    ]
    is_more, found = len(found) > PAGE_ROWS, found[:PAGE_ROWS]
    keys = [position + 1 for *_, position in found]
    return Rows(_rows(found, keys), keys[-1] if is_more else None)


def read_repeated(after: int) -> Rows:
    """Questions that several rows of the pool's files held, in the order of loading: those of now."""
    rows = LoadedRow.objects.filter(is_attachment=False, question_id__gt=after).values("question_id")
    counted = rows.annotate(num=Count("digest")).filter(num__gt=1).order_by("question_id")
    pairs = list(counted.values_list("question_id", "num")[: PAGE_ROWS + 1])
    found: list[Found] = [(pk, POOL_DUPLICATE, json.dumps({"rows": num}), None) for pk, num in pairs[:PAGE_ROWS]]
    return Rows(_rows(found, [item[0] for item in found]), found[-1][0] if len(pairs) > PAGE_ROWS else None)


def _first(rows: Any, *names: str) -> list[tuple[Any, ...]]:
    return list(rows.values_list(*names)[: PAGE_ROWS + 1])


def _rows(found: list[Found], keys: list[int]) -> tuple[Row, ...]:
    questions = {
        question.pk: question
        for question in Question.objects.filter(pk__in=[pk for pk, *_ in found])
        .select_related("source")
        .only("question_hash", "domain", "source__name")
        .annotate(beginning=Substr("text", 1, _TEXT_CHARACTERS))
    }
    rows = []
    for (pk, rule, evidence, position), key in zip(found, keys, strict=True):
        question = questions[pk]
        beginning: str = question.beginning
        said, quote = describe(rule, json.loads(evidence) if evidence else {}, beginning)
        rows.append(
            Row(
                key=key,
                question_hash=question.question_hash,
                text=beginning[:SHOWN_CHARACTERS],
                source=question.source.name,
                domain=domain_title(question.domain) if question.domain else None,
                rule=rule,
                evidence=said,
                quote=quote,
                position=None if position is None else position + 1,
            )
        )
    return tuple(rows)


def describe(rule: str, evidence: dict[str, Any], beginning: str) -> tuple[str, str]:
    """(what the evidence says, the text that it is about), each "" where there is nothing to say.

    Args:
        beginning: of the question's text.
    """
    stage = rule.partition(".")[0]
    if stage == "decontamination" and evidence:
        start = evidence["question_offset"]
        shared = words(beginning)[start : start + evidence["num_words"]]
        said = f"{evidence['num_words']:,} words shared with {evidence['benchmark']}, problem {evidence['problem']}"
        return said, _cut(" ".join(shared)) if len(shared) == evidence["num_words"] else ""
    if stage == "deduplication" and evidence:
        return f"repeats {evidence['repeats']}, similarity {evidence['similarity']}", ""
    if stage == "annotation":
        return f"lacks {', '.join(evidence.get('missing', ()))}", ""
    if stage == "formatting":
        span = formatting_span(beginning, rule)
        return "", _cut(beginning[span[0] : span[1]]) if span else ""
    if stage == "difficulty":
        return f"solved by {', '.join(evidence.get('solved_by', ()))}", ""
    if rule == POOL_DUPLICATE:
        return f"{evidence['rows']:,} rows", ""
    return ("taken whole" if evidence.get("whole") else ""), ""


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_QUOTE else f"{text[: _MAX_QUOTE - 1]}…"


def known_rules(run: CurationRun) -> list[str]:
    """The rules that dropped something in this run."""
    return list(chain.from_iterable(stage["dropped"] for stage in run.ledger))
