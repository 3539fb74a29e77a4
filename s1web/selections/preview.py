"""What a recipe would select now, without running it: nothing is written, and the pool is read once for all changes.

The pool's columns stay in this process for as long as the pool does not change; a change of one parameter then costs
the recipe's own arithmetic and the texts of the rows shown.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.db.models.functions import Substr

from curation import pipeline
from curation.borders import changed_fields, find_border, stage_of_field
from curation.domains import domain_title
from curation.pipeline import RULES, SELECTED, STAGES, CurationResult
from curation.presets import Recipe, recipe_from_toml
from curation.published import PublishedFunnel, published_funnels
from curation.records import CORRECT
from curation.spread import Spread, measure_spread
from s1web.pool.models import Question, Trace
from s1web.pool.version import pool_version
from s1web.selections.charts import Chart, length_chart
from s1web.selections.comparing import Pair, pairs
from s1web.selections.fates import fate_name, read_fates
from s1web.selections.inputs import (
    NO_OVERLAPS,
    Inputs,
    combine,
    read_overlaps,
    read_repeated,
    settled,
)
from s1web.selections.kept import Kept
from s1web.selections.models import CurationRun
from s1web.selections.queries import newest_run
from s1web.selections.services import hints
from s1web.selections.snapshot import choose_tokenizer, take_snapshot

NUM_ROWS = 20
TEXT_CHARACTERS = 200
# how long a request waits for what is not there yet before it answers that it is in the making
WAIT_SECONDS = 0.25
# near duplicates a second on two cores, for an estimate
_NEAR_A_SECOND = 1_200
_MOST_KEPT = 16

_kept = Kept(_MOST_KEPT)


@dataclass(frozen=True)
class Row:
    """A question beside a stage's border.

    Attributes:
        why: the rule that drops it, and what of it; "" where it stays.
        was: what the run compared with did with it, where that differs: a rule, `selected`, or `absent`.
    """

    question_hash: str
    text: str
    source: str
    domain: str | None
    trace_tokens: int | None
    why: str
    was: str


@dataclass(frozen=True)
class Line:
    """A stage of the ledger with the rows left after it, or a rule with those that it dropped; None: not known."""

    name: str
    is_rule: bool
    count: int | None
    before: int | None
    published: int | None
    num_in: int

    @property
    def change(self) -> int | None:
        return None if self.count is None or self.before is None else self.count - self.before


@dataclass(frozen=True)
class Preview:
    """What a run of the recipe would store, and the rows beside the border of one stage.

    Attributes:
        recipe: with everything filled in that a run would record.
        run: the newest one, compared with; None where there is none.
        changed: fields in which the recipe differs from that run's.
        stage: whose border is shown; one of the recipe's own stages.
        is_without_near: near duplicates were not looked for, and a run would.
        near_seconds: about how long looking for them takes.
        is_old: the pool has changed since.
    """

    recipe: Recipe
    result: CurationResult
    run: CurationRun | None
    changed: tuple[str, ...]
    published: PublishedFunnel | None
    lines: tuple[Line, ...]
    spread: Spread
    spread_before: Spread | None
    domains: tuple[Pair, ...]
    chart: Chart | None
    warnings: tuple[str, ...]
    stage: str
    gone: tuple[Row, ...]
    kept: tuple[Row, ...]
    num_gone: int
    num_kept: int
    is_without_near: bool
    near_seconds: int
    is_old: bool
    seconds: float

    @property
    def num_rows(self) -> int:
        """Rows that went in at the top."""
        return self.result.ledger[0].num_in

    @property
    def most_domain(self) -> int:
        return max((pair.a for pair in self.domains), default=1)

    @property
    def stages(self) -> list[str]:
        """The recipe's stages that have a border: the first only merges rows."""
        return [stage.name for stage in self.result.ledger if stage.name != "pool"]


@dataclass(frozen=True)
class Asked:
    """What is to be previewed.

    Attributes:
        stage: whose border to show; "" is the first that the recipe changes, else the selection.
        looks_for_near: look for near duplicates too, which takes long, where the recipe drops them.
        version: of the pool that an earlier answer waited for; "" is the newest.
    """

    recipe: Recipe
    stage: str = ""
    looks_for_near: bool = False
    version: str = ""


def make_preview(asked: Asked, wait_seconds: float | None = None) -> Preview:
    """What a run of the recipe would select now.

    Args:
        wait_seconds: how long to wait for the pool to be read; None: as long as it takes.

    Raises:
        Waiting: the pool is being read, or compared with the benchmarks, for longer than that.
        NotFoundError: the recipe names what the pool does not have.
    """
    started = time.monotonic()
    until = None if wait_seconds is None else started + wait_seconds
    newest = pool_version()
    version = asked.version if asked.version and _kept.holds(asked.version) else newest
    inputs, is_without_near = _inputs(asked, version, until)
    run = newest_run()
    fates_before = read_fates(run).of(inputs.snapshot.pks) if run else None
    columns, recipe = inputs.columns, inputs.recipe
    repeated = np.zeros(len(columns), dtype=bool) if inputs.repeated is None else inputs.repeated
    result = pipeline.curate(columns, recipe, repeated)
    changed = _changed(recipe, run)
    stage = _stage(asked.stage, changed, result)
    border = find_border(
        columns,
        recipe,
        result,
        stage,
        num=NUM_ROWS,
        shared_words=inputs.shared_words,
        fates_before=fates_before,
        near_duplicates=repeated,
    )
    rows = _rows(inputs, result, np.concatenate([border.gone, border.kept]), fates_before)
    spread = _spread(inputs, result.selected)
    before = None if fates_before is None else _spread(inputs, np.flatnonzero(fates_before == SELECTED))
    lengths = [("Preview", spread.lengths)]
    if run and before:
        lengths.append((f"Run {run.pk}", before.lengths))
    domains = pairs(spread.domains, before.domains if before else {})
    line = next(item for item in result.ledger if item.name == stage)
    return Preview(
        recipe=recipe,
        result=result,
        run=run,
        changed=tuple(changed),
        published=published_funnels().get(recipe.name),
        lines=tuple(_lines(result, run, published_funnels().get(recipe.name), is_without_near)),
        spread=spread,
        spread_before=before,
        domains=tuple(Pair(domain_title(pair.label), pair.a, pair.b) for pair in domains),
        chart=length_chart(lengths),
        warnings=(*hints(recipe, inputs.snapshot, result), *result.warnings),
        stage=stage,
        gone=rows[: len(border.gone)],
        kept=rows[len(border.gone) :],
        num_gone=line.num_in - line.num_out,
        num_kept=line.num_out,
        is_without_near=is_without_near,
        near_seconds=max(round((len(columns) - np.count_nonzero(columns.contamination)) / _NEAR_A_SECOND), 1),
        is_old=version != newest,
        seconds=time.monotonic() - started,
    )


def generators() -> list[str]:
    """Whose traces the pool has, as far as that is known without waiting."""

    def read() -> list[str]:
        names = Trace.objects.exclude(generator="").order_by("generator").values_list("generator", flat=True)
        return list(names.distinct()[:50])

    return _kept.get(pool_version(), "generators", "the generators", read, time.monotonic() + WAIT_SECONDS)


def _inputs(asked: Asked, version: str, until: float | None) -> tuple[Inputs, bool]:
    """What the recipe computes on, and whether near duplicates are missing in it."""
    recipe = settled(asked.recipe)
    tokenizer = _kept.get(
        version,
        ("tokenizer", recipe.tokenizer),
        "reading the trace lengths",
        lambda: choose_tokenizer(recipe.tokenizer),
        until,
    )
    of_pool = (recipe.generator, tokenizer.pk if tokenizer else None)
    of_texts = (recipe.benchmarks, recipe.ngram_words) if recipe.decontaminate else None
    overlaps = NO_OVERLAPS
    if recipe.decontaminate:
        overlaps = _kept.get(
            version,
            ("overlaps", of_texts),
            "comparing the questions with the benchmarks",
            lambda: read_overlaps(recipe.benchmarks, recipe.ngram_words),
            until,
        )
    snapshot = _kept.get(version, ("snapshot", of_pool), "reading the pool", lambda: take_snapshot(recipe, {}), until)
    inputs = combine(recipe, snapshot, overlaps)
    if not recipe.near_duplicates:
        return inputs, False
    key = ("near", of_pool, of_texts, recipe.near_threshold)
    if not asked.looks_for_near and not _kept.is_there(version, key):
        return inputs, True
    repeated = _kept.get(version, key, "looking for near duplicates", lambda: read_repeated(inputs), until)
    return replace(inputs, repeated=repeated), False


def _changed(recipe: Recipe, run: CurationRun | None) -> list[str]:
    return changed_fields(recipe, recipe_from_toml(run.recipe_toml)) if run else []


def _stage(wanted: str, changed: list[str], result: CurationResult) -> str:
    """The stage asked for, if the recipe has it; else the first that it changes; else the last."""
    names = [stage.name for stage in result.ledger]
    if wanted in names[1:]:
        return wanted
    stages = {stage_of_field(name) for name in changed}
    return next((name for name in names[1:] if name in stages), "selection")


def _lines(
    result: CurationResult, run: CurationRun | None, published: PublishedFunnel | None, is_without_near: bool
) -> list[Line]:
    """Stage by stage, each followed by its rules; also those that only the run compared with has."""
    own: dict[str, Any] = {stage.name: stage for stage in result.ledger}
    before = {stage["stage"]: stage for stage in run.ledger} if run else {}
    in_print = published.left if published else {}
    lines = []
    for name in [stage for stage in STAGES if stage in own or stage in before]:
        stage, old = own.get(name), before.get(name)
        is_unknown = name == "deduplication" and is_without_near
        num_in = stage.num_in if stage else 0
        lines.append(
            Line(
                name,
                False,
                None if stage is None or is_unknown else stage.num_out,
                old["out"] if old else None,
                in_print.get(name),
                num_in,
            )
        )
        rules = dict.fromkeys([*(stage.dropped if stage else ()), *(old["dropped"] if old else ())])
        for rule in sorted(rules, key=lambda rule: RULES.index(rule) if rule in RULES else -1):
            count = stage.dropped.get(rule, 0) if stage and not is_unknown else None
            lines.append(Line(rule, True, count, old["dropped"].get(rule, 0) if old else None, None, num_in))
    return lines


def _spread(inputs: Inputs, rows: np.ndarray) -> Spread:
    columns = inputs.columns
    return measure_spread(columns.trace_tokens[rows], columns.domain[rows], columns.domain_names)


def _rows(
    inputs: Inputs, result: CurationResult, rows: np.ndarray, fates_before: np.ndarray | None
) -> tuple[Row, ...]:
    pks = inputs.snapshot.pks[rows].tolist()
    texts = dict(
        Question.objects.filter(pk__in=pks).values_list("pk", Substr("text", 1, TEXT_CHARACTERS)) if pks else []
    )
    columns = inputs.columns
    found = []
    for row, pk in zip(rows.tolist(), pks, strict=True):
        domain, tokens, fate = int(columns.domain[row]), int(columns.trace_tokens[row]), int(result.fates[row])
        before = fate if fates_before is None else int(fates_before[row])
        found.append(
            Row(
                question_hash=columns.hashes[row].decode(),
                text=texts.get(pk, ""),
                source=columns.source_names[columns.source[row]],
                domain=None if domain < 0 else domain_title(columns.domain_names[domain]),
                trace_tokens=None if tokens < 0 else tokens,
                why=_why(inputs, row, fate),
                was="" if before == fate else fate_name(before),
            )
        )
    return tuple(found)


def _why(inputs: Inputs, row: int, fate: int) -> str:
    if fate == SELECTED or RULES[fate] == pipeline.NOT_DRAWN:
        return ""
    rule, columns, recipe = RULES[fate], inputs.columns, inputs.recipe
    if rule.startswith("decontamination."):
        return f"{rule}: {int(inputs.shared_words[row]):,} words shared"
    if rule == pipeline.ANNOTATION_MISSING:
        return f"without {', '.join(pipeline.missing_annotations(columns, row, recipe.requires))}"
    if rule == pipeline.DIFFICULTY_SOLVED:
        grades = {"small": columns.small_grade, "large": columns.large_grade}
        return f"solved by {', '.join(name for name in recipe.drop_solved_by if grades[name][row] == CORRECT)}"
    return rule
