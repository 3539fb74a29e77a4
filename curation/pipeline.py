"""Runs the stages in the contract's order and accounts for every question (s1 §2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from curation import diversity
from curation.decontamination import RULES as DECONTAMINATION_RULES
from curation.difficulty import solved
from curation.errors import ConfigError
from curation.hashing import selection_sha256
from curation.presets import Recipe
from curation.quality import FORMATTING_RULES, formatting_rule
from curation.records import CORRECT, UNGRADED, PoolColumns
from curation.sources import is_from

STAGES = (
    "pool",
    "decontamination",
    "deduplication",
    "annotation",
    "formatting",
    "difficulty",
    "selection",
)
POOL_DUPLICATE = "pool.duplicate"
NEAR_DUPLICATE = "deduplication.near"
ANNOTATION_MISSING = "annotation.missing"
DIFFICULTY_SOLVED = "difficulty.solved"
NOT_DRAWN = "selection.not_drawn"
# every rule that drops a question, in stage order; a fate is a place in here, or SELECTED
RULES = (
    *DECONTAMINATION_RULES,
    NEAR_DUPLICATE,
    ANNOTATION_MISSING,
    *FORMATTING_RULES,
    DIFFICULTY_SOLVED,
    NOT_DRAWN,
)
SELECTED = -1


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the ledger: num_in = num_out + the sum of `dropped`, which counts rows by rule code."""

    name: str
    num_in: int
    num_out: int
    dropped: Mapping[str, int]

    def to_json(self) -> dict[str, object]:
        return {"stage": self.name, "in": self.num_in, "out": self.num_out, "dropped": dict(self.dropped)}


@dataclass(frozen=True)
class CurationResult:
    """What a run decided.

    Attributes:
        ledger: every stage that ran, in order.
        fates: shape (n,), int8, row by row of the pool's columns: a place in RULES, or SELECTED.
        selected: shape (size,), int64: rows in the selection's order.
        num_whole: how many of them, from the front, are benchmark-like picks taken whole.
        hashes, sha256: the ordered question hashes and their identity.
        warnings: what the user should know, one sentence each.
    """

    ledger: tuple[Stage, ...]
    fates: np.ndarray
    selected: np.ndarray
    num_whole: int
    hashes: tuple[str, ...]
    sha256: str
    warnings: tuple[str, ...]


def curate(columns: PoolColumns, recipe: Recipe, near_duplicates: np.ndarray | None = None) -> CurationResult:
    """Select questions from the pool by a recipe.

    The same questions, recipe and seed give the same ordered hashes, whatever the order of the rows.

    Args:
        near_duplicates: shape (n,), bool: rows that repeat another one; wanted where the recipe drops them.

    Raises:
        ConfigError: the recipe needs near duplicates and they were not given.
    """
    run = _Run(columns)
    warnings: list[str] = []
    if recipe.decontaminate:
        rules = columns.contamination - 1
        run.drop("decontamination", DECONTAMINATION_RULES, rules)
    if recipe.near_duplicates:
        if near_duplicates is None:
            raise ConfigError("the recipe drops near duplicates, but they were not looked for")
        run.drop("deduplication", (NEAR_DUPLICATE,), np.where(near_duplicates, 0, -1))
    run.drop("annotation", (ANNOTATION_MISSING,), np.where(is_missing(columns, recipe.requires), 0, -1))
    run.drop("formatting", FORMATTING_RULES, _formatting_places(columns, recipe))
    if recipe.drop_solved_by:
        run.drop("difficulty", (DIFFICULTY_SOLVED,), np.where(solved(columns, recipe.drop_solved_by), 0, -1))
    hard_pool = np.flatnonzero(run.alive)
    selected, num_whole = _select(columns, hard_pool, recipe, warnings)
    drawn = np.zeros(len(columns), dtype=bool)
    drawn[selected] = True
    run.drop("selection", (NOT_DRAWN,), np.where(drawn, -1, 0))
    if recipe.method != "full" and len(selected) < recipe.size:
        warnings.append(
            f"{len(selected):,} of the {recipe.size:,} questions asked for: no more are left that can be drawn"
        )
    hashes = tuple(value.decode() for value in columns.hashes[selected].tolist())
    return CurationResult(
        ledger=tuple(run.ledger),
        fates=run.fates,
        selected=selected,
        num_whole=num_whole,
        hashes=hashes,
        sha256=selection_sha256(hashes),
        warnings=tuple(warnings),
    )


def is_missing(columns: PoolColumns, requires: tuple[str, ...]) -> np.ndarray:
    """Questions that lack one of the required annotations: shape (n,), bool."""
    out = np.zeros(len(columns), dtype=bool)
    for annotation in requires:
        out |= _annotation(columns, annotation) < 0
    return out


def missing_annotations(columns: PoolColumns, row: int, requires: tuple[str, ...]) -> list[str]:
    """Which of the required annotations one question lacks, in the recipe's order."""
    return [annotation for annotation in requires if _annotation(columns, annotation)[row] < 0]


def benchmark_like(columns: PoolColumns, rows: np.ndarray, long_math_tokens: int) -> np.ndarray:
    """Those of the rows that s1 takes whole: the trace's attempt is correct, and the source is GPQA or AIME, or it
    is MATH with a trace longer than so many tokens (s1 §2.2)."""
    benchmark = _from(columns, "GPQA") | _from(columns, "AIME")
    long_math = _from(columns, "MATH") & (columns.trace_tokens > long_math_tokens)
    picks = (columns.trace_grade == CORRECT) & (benchmark | long_math)
    chosen: np.ndarray = rows[picks[rows]]
    return chosen


def _annotation(columns: PoolColumns, name: str) -> np.ndarray:
    """A column in which a value below zero means that the annotation is missing."""
    # UNGRADED and the missing domain and length are all -1
    assert UNGRADED < 0
    column: np.ndarray = {
        "small_grade": columns.small_grade,
        "large_grade": columns.large_grade,
        "trace_grade": columns.trace_grade,
        "domain": columns.domain,
        "trace_length": columns.trace_tokens,
    }[name]
    return column


def _from(columns: PoolColumns, name: str) -> np.ndarray:
    """Rows of the named source of s1: shape (n,), bool."""
    matches = np.array([is_from(source, name) for source in columns.source_names], dtype=bool)
    out: np.ndarray = matches[columns.source] if len(matches) else np.zeros(len(columns), dtype=bool)
    return out


def _formatting_places(columns: PoolColumns, recipe: Recipe) -> np.ndarray:
    """Per row the place of the formatting rule that drops it, or -1; few rows have any flag at all."""
    places = np.full(len(columns), -1, dtype=np.int64)
    is_aime = _from(columns, "AIME")
    for row in np.flatnonzero(columns.flags).tolist():
        rule = formatting_rule(int(columns.flags[row]), is_aime=bool(is_aime[row]), rules=recipe.rules)
        if rule:
            places[row] = FORMATTING_RULES.index(rule)
    return places


def _select(
    columns: PoolColumns, hard_pool: np.ndarray, recipe: Recipe, warnings: list[str]
) -> tuple[np.ndarray, int]:
    """The selection's rows in order, and how many of them are whole-taken picks."""
    whole = np.empty(0, dtype=np.int64)
    if recipe.take_whole:
        whole = diversity.by_length(columns, benchmark_like(columns, hard_pool, recipe.long_math_tokens))
        if len(whole) > recipe.size:
            warnings.append(
                f"{len(whole):,} benchmark-like questions would be taken whole; the {recipe.size:,} "
                "with the longest traces fill the selection"
            )
            whole = whole[: recipe.size]
    rows = np.setdiff1d(hard_pool, whole)
    num_draws = recipe.size - len(whole)
    drawn = _draw(columns, hard_pool, rows, len(whole), num_draws, recipe)
    return np.concatenate([whole, np.array(drawn, dtype=np.int64)]), len(whole)


def _draw(
    columns: PoolColumns, hard_pool: np.ndarray, rows: np.ndarray, num_whole: int, num_draws: int, recipe: Recipe
) -> list[int]:
    rng = diversity.make_rng(recipe.seed)
    if recipe.method == "full":
        everything: list[int] = diversity.by_hash(columns, rows).tolist()
        return everything
    if recipe.method == "longest":
        longest: list[int] = diversity.by_length(columns, rows)[:num_draws].tolist()
        return longest
    if recipe.method == "random":
        return diversity.draw_uniformly(columns, rows, num_draws=num_draws, rng=rng)
    weighted = diversity.weighted_domain(
        diversity.benchmark_weights(
            _domain_counts(columns, hard_pool, "GPQA"), _domain_counts(columns, hard_pool, "AIME")
        )
    )
    weighted_after = recipe.benchmark_weighted_after

    def choose_domain(num_drawn: int) -> diversity.DomainChoice:
        if weighted_after is not None and num_whole + num_drawn >= weighted_after:
            return weighted
        return diversity.uniform_domain

    return diversity.draw_by_domain(
        columns,
        rows,
        num_draws=num_draws,
        rng=rng,
        choose_rank=diversity.long_trace_rank if recipe.method == "rank" else diversity.uniform_rank,
        choose_domain=choose_domain,
    )


def _domain_counts(columns: PoolColumns, rows: np.ndarray, source: str) -> dict[str, int]:
    """Questions per domain among the rows of one source; those without a domain are not counted."""
    codes = columns.domain[rows[_from(columns, source)[rows]]]
    counts = np.bincount(codes[codes >= 0], minlength=len(columns.domain_names))
    return {columns.domain_names[code]: int(count) for code, count in enumerate(counts.tolist()) if count}


class _Run:
    """The ledger as it grows: which rows are alive, and the fate of those that are not."""

    def __init__(self, columns: PoolColumns) -> None:
        self.alive = np.ones(len(columns), dtype=bool)
        self.fates = np.full(len(columns), SELECTED, dtype=np.int8)
        repeated = columns.num_rows - len(columns)
        dropped = {POOL_DUPLICATE: repeated} if repeated else {}
        self.ledger = [Stage("pool", columns.num_rows, len(columns), dropped)]

    def drop(self, stage: str, rules: tuple[str, ...], places: np.ndarray) -> None:
        """Run one stage: `places` holds per row the place of the rule in `rules` that hits it, or -1."""
        num_in = int(self.alive.sum())
        hit = self.alive & (places >= 0)
        self.fates[hit] = np.array([RULES.index(rule) for rule in rules], dtype=np.int8)[places[hit]]
        self.alive &= ~hit
        counts = np.bincount(places[hit].astype(np.int64), minlength=len(rules)).tolist()
        dropped = {rule: count for rule, count in zip(rules, counts, strict=True) if count}
        self.ledger.append(Stage(stage, num_in, int(self.alive.sum()), dropped))
