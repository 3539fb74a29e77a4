"""Why a question is in or out of a run: every stage it went through, the rule that hit it, the evidence."""

import json
from typing import Any

from curation import pipeline
from curation.domains import domain_title
from curation.errors import NotFoundError
from curation.quality import formatting_span
from curation.text import words
from s1web.pool.models import Contamination, LoadedRow, Question, TraceLength
from s1web.selections.models import CurationRun, Decision, SelectionMember

_AROUND = 30


def find_question(question_hash: str) -> Question:
    """The question of that hash, or of the only hash that starts so.

    Raises:
        NotFoundError: there is none, or more than one.
    """
    prefix = question_hash.strip().lower()
    found = list(Question.objects.filter(question_hash__startswith=prefix)[:2]) if prefix else []
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFoundError(f"more than one question starts with {prefix!r}; give more of the 16 digits")
    raise NotFoundError(f"the pool has no question {question_hash!r}; give the 16 hex digits of its hash")


def find_run(run_id: int | None) -> CurationRun:
    """The run of that number, or the newest.

    Raises:
        NotFoundError: there is none.
    """
    runs = CurationRun.objects.order_by("-pk")
    found = (runs if run_id is None else runs.filter(pk=run_id)).first()
    if found is None:
        newest = runs.first()
        there = f"the newest is run {newest.pk}" if newest else "there is none yet"
        what = "no run" if run_id is None else f"no run {run_id}"
        raise NotFoundError(f"{what} ({there}); make one with curate")
    return found


def explain(question: Question, run: CurationRun) -> dict[str, Any]:
    """What the run did with the question.

    Returns:
        outcome (`selected`, `dropped`, or `absent` where the question was loaded after the run), stage and rule that
        dropped it, its position in the selection, the stages in order with what each said, the question's rows and
        annotations.
    """
    decision = Decision.objects.filter(run=run, question=question, rule__in=pipeline.RULES).first()
    member = SelectionMember.objects.filter(selection_id=run.selection_id, question=question).first()
    outcome = "dropped" if decision else "selected" if member else "absent"
    return {
        "question_hash": question.question_hash,
        "run": run.pk,
        "recipe": run.recipe["name"],
        "seed": run.seed,
        "selection": run.selection.name,
        "outcome": outcome,
        "stage": decision.stage if decision else None,
        "rule": decision.rule if decision else None,
        "position": member.position if member else None,
        "stages": [] if outcome == "absent" else _stages(question, run, decision, member),
        "question": question.text,
        "source": question.source.name,
        "domain": domain_title(question.domain) if question.domain else None,
        "annotations": _annotations(question),
        "rows": _rows(question),
        "contamination": _contamination(question),
    }


def _stages(
    question: Question, run: CurationRun, decision: Decision | None, member: SelectionMember | None
) -> list[dict[str, Any]]:
    stages: list[dict[str, Any]] = []
    for line in run.ledger:
        name = line["stage"]
        if decision and name == decision.stage:
            evidence = json.loads(decision.evidence) if decision.evidence else {}
            evidence |= _seen_now(question, decision)
            stages.append({"stage": name, "result": "dropped", "rule": decision.rule, "evidence": evidence})
            break
        result = "passed"
        evidence = {}
        if name == "pool":
            evidence = {"rows": question.rows.filter(is_attachment=False).count()}
        elif name == "selection" and member:
            result = "selected"
            how = "drawn" if run.recipe["method"] in ("rank", "diverse", "random") else "taken"
            evidence = {"position": member.position, "how": "taken whole" if member.is_whole else how}
        stages.append({"stage": name, "result": result, "rule": None, "evidence": evidence})
    return stages


def _seen_now(question: Question, decision: Decision) -> dict[str, Any]:
    """Evidence that is found again in the question's text, which never changes."""
    if decision.stage == "formatting":
        span = formatting_span(question.text, decision.rule)
        return {"text": question.text[span[0] : span[1]], "characters": list(span)} if span else {}
    if decision.stage == "decontamination":
        evidence = json.loads(decision.evidence)
        start = evidence["question_offset"]
        return {"shared": " ".join(words(question.text)[start : start + evidence["num_words"]])}
    return {}


def _annotations(question: Question) -> dict[str, Any]:
    lengths = TraceLength.objects.filter(trace=question.trace_id or 0).order_by("tokenizer__name")
    return {
        "small_grade": question.small_grade,
        "large_grade": question.large_grade,
        "trace_grade": question.trace_grade,
        "domain": question.domain or None,
        "trace_tokens": dict(lengths.values_list("tokenizer__name", "tokens")),
    }


def _rows(question: Question) -> list[dict[str, Any]]:
    rows = question.rows.select_related("import_file", "source").order_by("import_file_id", "line")
    return [
        {
            "file": row.import_file.name,
            "line": row.line,
            "source": row.source.name,
            "brought": [bit.name.lower() for bit in LoadedRow.Brought if row.brought & bit],
        }
        for row in rows
    ]


def _contamination(question: Question) -> list[dict[str, Any]]:
    found = Contamination.objects.filter(question=question).select_related("problem__benchmark")
    text = words(question.text)
    return [
        {
            "benchmark": item.problem.benchmark.name,
            "problem": item.problem.key,
            "rule": item.rule,
            "num_words": item.num_words,
            "question_offset": item.question_offset,
            "problem_offset": item.problem_offset,
            "shared": " ".join(text[item.question_offset : item.question_offset + item.num_words]),
            "decision": item.decision or None,
            "reason": item.reason or None,
        }
        for item in found.order_by("-num_words", "problem_id")
    ]
