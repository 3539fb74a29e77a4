"""Running a recipe over the pool and keeping what it decided."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.db import transaction

from curation import pipeline
from curation.decontamination import NGRAM_WORDS
from curation.decontamination import RULES as DECONTAMINATION_RULES
from curation.deduplication import NearDuplicate, find_near_duplicates
from curation.diversity import by_length
from curation.errors import ConfigError, ConflictError, NotFoundError
from curation.pipeline import CurationResult
from curation.presets import Recipe
from curation.records import CORRECT, PoolColumns
from s1web import bulk
from s1web.pool.contamination import benchmark_names, check_contamination, standing_evidence
from s1web.pool.models import Contamination, ImportFile, Problem, Question
from s1web.pool.version import bump
from s1web.progress import Report
from s1web.selections.models import CurationRun, Decision, Selection, SelectionMember
from s1web.selections.snapshot import Snapshot, overlaps_of, question_texts, take_snapshot
from s1web.versions import code_version

MAX_NAME = 120
_BEFORE_ANNOTATION = (*DECONTAMINATION_RULES, pipeline.NEAR_DUPLICATE)


@dataclass(frozen=True)
class Curated:
    """A finished run and its selection."""

    run: CurationRun
    selection: Selection
    result: CurationResult
    seconds: float


def curate(recipe: Recipe, *, name: str = "", on_progress: Report | None = None) -> Curated:
    """Select questions by a recipe, and keep the run, its decisions and the frozen selection.

    Questions that were not yet compared with the benchmarks are compared first, so that no selection is older than
    what it is decontaminated against.

    Args:
        name: of the selection; without one it is made of recipe, size and seed. A selection of the same name with
            the same questions in the same order is used again.

    Raises:
        ConfigError, NotFoundError: a recipe that cannot be run on this pool.
        ConflictError: the name is taken by another selection.
    """
    started = time.monotonic()
    check_name(name)
    if not Question.objects.exists():
        raise NotFoundError("the pool is empty; load questions with load_pool first")
    warnings: list[str] = []
    if recipe.decontaminate:
        # the record says which benchmarks these were, as those that are loaded will change
        recipe = replace(recipe, benchmarks=tuple(benchmark_names(recipe.benchmarks)))
    rules, evidence = _contamination(recipe, warnings, on_progress)
    snapshot = take_snapshot(recipe, rules)
    recipe = replace(recipe, tokenizer=snapshot.tokenizer)
    repeats = _near_duplicates(recipe, snapshot)
    repeated = np.zeros(len(snapshot.columns), dtype=bool)
    repeated[[repeat.dropped for repeat in repeats]] = True
    result = pipeline.curate(snapshot.columns, recipe, repeated)
    result = replace(result, warnings=(*warnings, *hints(recipe, snapshot, result), *result.warnings))
    if not len(result.selected):
        missing = _missing(recipe, snapshot, result)
        raise ConfigError(
            f"nothing is left to select: {_funnel(result)}{f'; without {missing}' if missing else ''}; "
            "load or annotate what is missing, or give a recipe that requires less"
        )
    run, selection = _store(recipe, name, snapshot, result, repeats, evidence)
    return Curated(run, selection, result, round(time.monotonic() - started, 3))


def check_name(name: str) -> None:
    """Refuse what cannot name a selection; empty is allowed, and a name is made then.

    Raises:
        ConfigError: too long, or a character that no file's name may have.
    """
    if len(name) > MAX_NAME or any(character in name for character in "/\\\n\0"):
        raise ConfigError(f"--name {name!r:.140} names no selection; give up to {MAX_NAME} characters, no slashes")


def find_selection(name: str) -> Selection:
    """The selection of that name.

    Raises:
        NotFoundError: there is none; the message lists what is there.
    """
    found = Selection.objects.filter(name=name).first()
    if found is None:
        names = list(Selection.objects.order_by("-pk").values_list("name", flat=True)[:10])
        raise NotFoundError(f"no selection {name!r} (there: {', '.join(names) or 'none yet'}); make one with curate")
    return found


def _contamination(
    recipe: Recipe, warnings: list[str], on_progress: Report | None
) -> tuple[dict[int, str], dict[int, dict[str, Any]]]:
    """(question -> rule, question -> evidence) by the recipe's benchmarks; empty where it does not look."""
    if not recipe.decontaminate:
        return {}, {}
    benchmarks = recipe.benchmarks
    if not benchmarks:
        warnings.append("no benchmark is loaded, so nothing was decontaminated; load them with load_benchmark")
        return {}, {}
    if recipe.ngram_words != NGRAM_WORDS:
        rules, evidence = overlaps_of(benchmarks, recipe.ngram_words)
        return rules, evidence
    check_contamination(on_progress=on_progress)
    return standing_evidence(benchmarks), longest_spans(benchmarks)


def longest_spans(benchmarks: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Question -> its longest span shared with one of the benchmarks; of equals the first problem loaded."""
    problems = {
        pk: (benchmark, key)
        for pk, benchmark, key in Problem.objects.filter(benchmark__name__in=benchmarks).values_list(
            "pk", "benchmark__name", "key"
        )
    }
    spans = (
        Contamination.objects.filter(problem__benchmark__name__in=benchmarks)
        .exclude(decision=Contamination.Decision.OVERRULED)
        .order_by("num_words", "-problem_id")
        .values_list("question_id", "problem_id", "num_words", "question_offset", "problem_offset")
    )
    return {
        pk: {
            "benchmark": problems[problem][0],
            "problem": problems[problem][1],
            "num_words": num_words,
            "question_offset": question_offset,
            "problem_offset": problem_offset,
        }
        for pk, problem, num_words, question_offset, problem_offset in spans
    }


def _near_duplicates(recipe: Recipe, snapshot: Snapshot) -> list[NearDuplicate]:
    """Near duplicates among the questions that decontamination leaves; the one with the longest trace is kept."""
    if not recipe.near_duplicates:
        return []
    ordered = compared_in_order(snapshot.columns, recipe)
    texts = question_texts(snapshot.pks[ordered])
    return [
        NearDuplicate(int(ordered[found.dropped]), int(ordered[found.kept]), found.similarity)
        for found in find_near_duplicates(texts, threshold=recipe.near_threshold)
    ]


def compared_in_order(columns: PoolColumns, recipe: Recipe) -> np.ndarray:
    """Rows among which near duplicates are looked for; the earlier of two is kept."""
    clean = np.flatnonzero(columns.contamination == 0) if recipe.decontaminate else np.arange(len(columns))
    return by_length(columns, clean)


def hints(recipe: Recipe, snapshot: Snapshot, result: CurationResult) -> list[str]:
    """What a user should know who wonders about a number of the ledger."""
    found = [
        f"{name} was loaded in part only (the load was cut off); run load_pool with it again"
        for name in ImportFile.objects.filter(state=ImportFile.State.LOADING).values_list("name", flat=True)
    ]
    annotation = next(stage for stage in result.ledger if stage.name == "annotation")
    if annotation.num_in and annotation.num_out < annotation.num_in / 2:
        found.append(
            f"of {annotation.num_in:,} questions, {_missing(recipe, snapshot, result)} are without an annotation "
            "that the recipe requires; a recipe may require less, see docs/guide/recipes.md"
        )
    return found


def _missing(recipe: Recipe, snapshot: Snapshot, result: CurationResult) -> str:
    """How many questions that reached the annotation stage lack each required annotation, as a phrase."""
    reached = np.isin(result.fates, [pipeline.RULES.index(rule) for rule in _BEFORE_ANNOTATION], invert=True)
    counts = {
        annotation: int((pipeline.is_missing(snapshot.columns, (annotation,)) & reached).sum())
        for annotation in recipe.requires
    }
    return ", ".join(f"{annotation} {count:,}" for annotation, count in counts.items() if count)


def _funnel(result: CurationResult) -> str:
    return ", ".join(f"{stage.name} {stage.num_in:,} -> {stage.num_out:,}" for stage in result.ledger)


@transaction.atomic
def _store(
    recipe: Recipe,
    name: str,
    snapshot: Snapshot,
    result: CurationResult,
    repeats: Sequence[NearDuplicate],
    contamination: dict[int, dict[str, Any]],
) -> tuple[CurationRun, Selection]:
    selection = _find_same(name or _default_name(recipe), result, is_given=bool(name))
    if selection is None:
        selection = Selection.objects.create(
            name=name or _free_name(_default_name(recipe)), size=len(result.selected), sha256=result.sha256
        )
        members = snapshot.pks[result.selected].tolist()
        bulk.insert(
            SelectionMember,
            ("selection_id", "question_id", "position", "is_whole"),
            ((selection.pk, pk, place, place < result.num_whole) for place, pk in enumerate(members)),
        )
    run = CurationRun.objects.create(
        selection=selection,
        seed=recipe.seed,
        code_version=code_version(),
        pool_fingerprint=snapshot.fingerprint,
        recipe=recipe.to_json(),
        recipe_toml=recipe.to_toml(),
        ledger=[stage.to_json() for stage in result.ledger],
        warnings=list(result.warnings),
    )
    bulk.insert(
        Decision,
        ("run_id", "question_id", "rule", "evidence"),
        _decisions(run, recipe, snapshot, result, repeats, contamination),
    )
    bump()
    return run, selection


def _decisions(
    run: CurationRun,
    recipe: Recipe,
    snapshot: Snapshot,
    result: CurationResult,
    repeats: Sequence[NearDuplicate],
    contamination: dict[int, dict[str, Any]],
) -> Iterator[tuple[int, int, str, str]]:
    columns = snapshot.columns
    kept = {
        repeat.dropped: {
            "repeats": columns.hashes[repeat.kept].decode(),
            "similarity": round(repeat.similarity, 4),
        }
        for repeat in repeats
    }
    solvers = {"small": columns.small_grade, "large": columns.large_grade}
    pks = snapshot.pks.tolist()
    for row, fate in enumerate(result.fates.tolist()):
        if fate == pipeline.SELECTED:
            continue
        rule = pipeline.RULES[fate]
        evidence: dict[str, Any] = {}
        if rule.startswith("decontamination."):
            evidence = contamination[pks[row]]
        elif rule == pipeline.NEAR_DUPLICATE:
            evidence = kept[row]
        elif rule == pipeline.ANNOTATION_MISSING:
            evidence = {"missing": pipeline.missing_annotations(columns, row, recipe.requires)}
        elif rule == pipeline.DIFFICULTY_SOLVED:
            evidence = {"solved_by": [name for name in recipe.drop_solved_by if solvers[name][row] == CORRECT]}
        yield run.pk, pks[row], rule, json.dumps(evidence) if evidence else ""


def _default_name(recipe: Recipe) -> str:
    size = "" if recipe.method == "full" or recipe.name.endswith(f"-{recipe.size}") else f"-{recipe.size}"
    return f"{recipe.name}{size}-seed{recipe.seed}"


def _find_same(name: str, result: CurationResult, *, is_given: bool) -> Selection | None:
    """An earlier selection of this name with the same questions in the same order."""
    taken = Selection.objects.filter(name=name).first()
    if taken is None or taken.sha256 == result.sha256:
        return taken
    if is_given:
        raise ConflictError(
            f"selection {name!r} exists with other questions (sha256 {taken.sha256[:12]}, this one "
            f"{result.sha256[:12]}); a selection is frozen, so give another --name"
        )
    return Selection.objects.filter(name__startswith=f"{name}-", sha256=result.sha256).first()


def _free_name(name: str) -> str:
    taken = set(Selection.objects.filter(name__startswith=name).values_list("name", flat=True))
    if name not in taken:
        return name
    return next(f"{name}-{number}" for number in range(2, len(taken) + 3) if f"{name}-{number}" not in taken)


def outcome_json(curated: Curated) -> dict[str, Any]:
    """What `curate --json` prints."""
    return {
        "run": curated.run.pk,
        "selection": curated.selection.name,
        "size": curated.selection.size,
        "sha256": curated.result.sha256,
        "ledger": [stage.to_json() for stage in curated.result.ledger],
        "hashes": list(curated.result.hashes),
        "warnings": list(curated.result.warnings),
        "seconds": curated.seconds,
    }
