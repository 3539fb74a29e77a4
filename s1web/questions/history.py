"""What every run did with a question, in one table: a constant number of queries, however many runs there are."""

import json
from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from curation import pipeline
from curation.quality import FORMATTING_RULES, formatting_span
from curation.text import span_of_words
from s1web.pool.models import Question
from s1web.selections.models import CurationRun, Decision, SelectionMember

MAX_RUNS = 50
_MAX_EVIDENCE = 200


@dataclass(frozen=True)
class Fate:
    """What one run did with a question.

    Attributes:
        stage, rule: of the drop; "" where it was not dropped.
        evidence: of the drop, in one line; "" where there is none.
        number: its place in the selection, from 1; None where it is not in it.
        how: how it came into the selection: taken whole, taken, drawn.
    """

    run: CurationRun
    outcome: str  # selected, dropped, or absent: loaded after the run
    stage: str = ""
    rule: str = ""
    evidence: str = ""
    number: int | None = None
    how: str = ""

    @property
    def url(self) -> str | None:
        """The page of the run, where the site has one."""
        try:
            return reverse("selections:run", args=[self.run.pk])
        except NoReverseMatch:
            return None


def read_history(question: Question) -> tuple[list[Fate], bool]:
    """The fates of a question in the newest runs, newest first, and whether there are older ones; three queries."""
    runs = list(
        CurationRun.objects.select_related("selection")
        .defer("recipe_toml", "ledger", "warnings")
        .order_by("-pk")[: MAX_RUNS + 1]
    )
    shown = runs[:MAX_RUNS]
    decisions = {
        decision.run_id: decision
        for decision in Decision.objects.filter(question=question, run__in=shown, rule__in=pipeline.RULES)
    }
    members = {
        member.selection_id: member
        for member in SelectionMember.objects.filter(
            question=question, selection__in={run.selection_id for run in shown}
        )
    }
    fates = [_fate(question, run, decisions.get(run.pk), members.get(run.selection_id)) for run in shown]
    return fates, len(runs) > MAX_RUNS


def _fate(question: Question, run: CurationRun, decision: Decision | None, member: SelectionMember | None) -> Fate:
    if decision is not None:
        evidence = _evidence(question, decision)
        return Fate(run, "dropped", stage=decision.stage, rule=decision.rule, evidence=evidence)
    if member is not None:
        how = "drawn" if run.recipe["method"] in ("rank", "diverse", "random") else "taken"
        return Fate(run, "selected", number=member.position + 1, how="taken whole" if member.is_whole else how)
    return Fate(run, "absent")


def _evidence(question: Question, decision: Decision) -> str:
    """A drop's evidence in one line, with what it hit in the text, which never changes."""
    known = json.loads(decision.evidence) if decision.evidence else {}
    parts = [f"{name.replace('_', ' ')} {_value(value)}" for name, value in known.items() if "offset" not in name]
    span = _span(question.text, decision.rule, known)
    if span:
        parts.append(f"“{' '.join(question.text[span[0] : span[1]].split())}”")
    line = ", ".join(parts)
    return line if len(line) <= _MAX_EVIDENCE else f"{line[:_MAX_EVIDENCE].rstrip()}…"


def _span(text: str, rule: str, known: dict[str, object]) -> tuple[int, int] | None:
    if rule in FORMATTING_RULES:
        return formatting_span(text, rule)
    offset, num_words = known.get("question_offset"), known.get("num_words")
    return span_of_words(text, offset, num_words) if isinstance(offset, int) and isinstance(num_words, int) else None


def _value(value: object) -> str:
    if isinstance(value, list):
        return " ".join(_value(item) for item in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
