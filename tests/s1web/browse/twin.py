"""The pool page's engine once more, slowly and plainly: Python over the ORM's rows, condition by condition."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from curation.quality import FORMATTING_RULES
from s1web.browse.filters import ANNOTATIONS, Filter, Listing
from s1web.pool.models import Contamination, Problem, Question, TraceLength
from s1web.review.models import ReviewState
from s1web.selections.models import SelectionMember

_GRADES = {True: "right", False: "wrong", None: "missing"}


@dataclass(frozen=True)
class Fact:
    """What is known of a question; None is missing."""

    pk: int
    question_hash: str
    text: str
    source: str
    domain: str | None
    cot_type: str | None
    small: str
    large: str
    trace: str
    tokens: int | None
    quality: frozenset[str]
    contamination: str
    review: str
    missing: frozenset[str]
    selections: dict[str, int]


def facts(tokenizer: str) -> list[Fact]:
    """Every question, by key; trace lengths by the tokenizer of that name."""
    return [_fact(question, tokenizer) for question in Question.objects.order_by("pk").select_related("source")]


def _fact(question: Question, tokenizer: str) -> Fact:
    length = TraceLength.objects.filter(trace_id=question.trace_id, tokenizer__name=tokenizer).first()
    values: dict[str, Any] = {
        "small_grade": question.small_grade,
        "large_grade": question.large_grade,
        "trace_grade": question.trace_grade,
        "domain": question.domain or None,
        "trace": question.trace_id,
        "trace_tokens": length.tokens if length else None,
        "cluster": None,
    }
    assert values.keys() == set(ANNOTATIONS)
    memberships = SelectionMember.objects.filter(question=question)
    return Fact(
        pk=question.pk,
        question_hash=question.question_hash,
        text=question.text,
        source=question.source.name,
        domain=values["domain"],
        cot_type=question.cot_type or None,
        small=_GRADES[question.small_grade],
        large=_GRADES[question.large_grade],
        trace=_GRADES[question.trace_grade],
        tokens=values["trace_tokens"],
        quality=frozenset(rule for bit, rule in enumerate(FORMATTING_RULES) if question.quality_flags >> bit & 1),
        contamination=_contamination(question),
        review=next(iter(ReviewState.objects.filter(question=question).values_list("state", flat=True)), "none"),
        missing=frozenset(name for name, value in values.items() if value is None),
        selections={member.selection.name: member.position for member in memberships.select_related("selection")},
    )


def _contamination(question: Question) -> str:
    evidence = Contamination.objects.filter(question=question)
    standing = [item for item in evidence if item.decision != "overruled"]
    if standing:
        return "short" if any(item.rule == "decontamination.short" for item in standing) else "ngram"
    if not Problem.objects.exists() or any(question.pk > p.checked_question_id for p in Problem.objects.all()):
        return "unchecked"
    return "overruled" if evidence else "none"


def failed(fact: Fact, conditions: Filter) -> set[str]:
    """The conditions that a question fails."""
    overlaps = {fact.contamination} | ({"evidence"} if fact.contamination in ("ngram", "short") else set())
    has: dict[str, set[str]] = {
        "source": {fact.source},
        "domain": {fact.domain or ""},
        "cot_type": {fact.cot_type or ""},
        "cluster": {"none"},
        "small": {fact.small},
        "large": {fact.large},
        "trace": {fact.trace},
        "quality": set(fact.quality) or {"none"},
        "contamination": overlaps,
        "review": {fact.review},
        "missing": set(fact.missing),
        "selected": {"yes" if fact.selections else "no"},
        "selection": set(fact.selections),
    }
    found = {
        name
        for name, values in has.items()
        if getattr(conditions, name) and not values & {*getattr(conditions, name)}
    }
    if set(fact.selections) & set(conditions.not_selection):
        found.add("not_selection")
    low, high = conditions.min_tokens, conditions.max_tokens
    if (low is not None or high is not None) and (
        fact.tokens is None or fact.tokens < (low or 0) or (high is not None and fact.tokens > high)
    ):
        found.add("tokens")
    return found


def listed(pool: Iterable[Fact], listing: Listing) -> list[Fact]:
    """The questions of a listing in its order."""
    left = [fact for fact in pool if not failed(fact, listing.filter)]
    present = [fact for fact in left if sort_value(fact, listing) is not None]
    missing = [fact for fact in left if sort_value(fact, listing) is None]
    present.sort(key=lambda fact: (sort_value(fact, listing), fact.pk), reverse=listing.is_descending)
    missing.sort(key=lambda fact: fact.pk, reverse=listing.is_descending)
    return present + missing


def sort_value(fact: Fact, listing: Listing) -> Any:
    if listing.sort == "pool":
        return fact.pk
    if listing.sort == "cluster":
        return None
    if listing.sort == "position":
        return fact.selections.get(listing.filter.selection[0])
    value = getattr(fact, listing.sort)
    if listing.sort in ("small", "large", "trace"):
        return {"wrong": 0, "right": 1, "missing": None}[value]
    if listing.sort == "contamination":
        return {"none": 0, "overruled": 1, "ngram": 2, "short": 3, "unchecked": None}[value]
    return value


def counted(pool: Iterable[Fact], conditions: Filter, name: str) -> Counter[str]:
    """How many questions have each value of a facet, of those that fulfil all conditions but the facet's own."""
    without = replace(conditions, **{name: ()})
    counts: Counter[str] = Counter()
    for fact in pool:
        if failed(fact, without):
            continue
        # a question has a value where asking for it alone leaves the question in
        for value in values_of(fact, name):
            counts[value] += 1
    return counts


def values_of(fact: Fact, name: str) -> set[str]:
    if name == "cluster":
        return {"none"}
    if name == "selected":
        return {"yes" if fact.selections else "no"}
    if name == "quality":
        return set(fact.quality) or {"none"}
    if name == "contamination":
        return {fact.contamination} | ({"evidence"} if fact.contamination in ("ngram", "short") else set())
    if name == "missing":
        return set(fact.missing)
    value = getattr(fact, name)
    return {"" if value is None else value}


def left_out(pool: Iterable[Fact], conditions: Filter) -> dict[str, int]:
    """Condition -> questions that fail it alone, and only because they lack what it asks about."""
    counts: Counter[str] = Counter()
    for fact in pool:
        alone = failed(fact, conditions)
        if len(alone) == 1:
            name = alone.pop()
            lacks = {
                "domain": fact.domain is None,
                "cot_type": fact.cot_type is None,
                "cluster": True,
                "small": fact.small == "missing",
                "large": fact.large == "missing",
                "trace": fact.trace == "missing",
                "tokens": fact.tokens is None,
                "contamination": fact.contamination == "unchecked",
            }
            counts[name] += lacks.get(name, False)
    return {name: count for name, count in counts.items() if count}
