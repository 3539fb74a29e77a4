"""The recipe once more, slow and obvious: every function is one sentence of the contract, written out.

The fast recipe is compared with this one on random and on full-size pools. It was written from the contract
(design section 6, s1 specification sections 1 to 3) and shares no code with the recipe: keep it so, or a
mistake made once would be found right twice. Rows are dictionaries with s1's own column names.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

Row = dict[str, Any]
PRESETS = ("paper", "released", "random", "diverse", "longest", "full")
NGRAM_WORDS = 8
SHORT_WORDS = 4


# --- pool -----------------------------------------------------------------------------------------------


def question_hash(text: str) -> str:
    """Specification: "first 16 hex digits of SHA-256 of the question's UTF-8 text, unnormalised"."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def is_absent(value: object) -> bool:
    """No value and no text are absent; False and 0 are values ("missing is not wrong")."""
    return value is None or value == ""


def thinking_text(row: Row) -> str:
    """The reasoning text; s1 keeps it as a list of one string, which is empty where the model failed."""
    thinking = row.get("thinking_trajectories")
    if thinking is None:
        return ""
    if isinstance(thinking, str):
        return thinking
    return "".join(part for part in thinking if part is not None)


# "Each annotation that it lacks (7B grade, 32B grade, domain, trace together with its attempt, grade and
# length)": the first three travel alone, the last four together.
SINGLE_COLUMNS = ("isqwen7bcorrect", "isqwen32bcorrect", "domain")
TRACE_COLUMNS = ("thinking_trajectories", "attempt", "isgeminicorrect", "gemini_length")


def row_that_gives_the_trace(rows: Sequence[Row]) -> Row | None:
    """The first row with thinking text; where none has any, the first with anything of a trace."""
    for row in rows:
        if thinking_text(row) != "":
            return row
    for row in rows:
        for column in ("attempt", "isgeminicorrect", "gemini_length"):
            if not is_absent(row.get(column)):
                return row
    return None


def merge_pool(rows: Iterable[Row]) -> list[Row]:
    """Contract: "one row per question hash".

    Rows come in load order; the merged ones keep the order of their first rows and have a column more,
    `question_hash`.
    """
    same_question: dict[str, list[Row]] = {}
    for row in rows:
        same_question.setdefault(question_hash(row["question"]), []).append(row)

    merged_rows = []
    for hash_, group in same_question.items():
        # "Of rows with the same hash the first loaded stays,"
        merged = dict(group[0])
        merged["question_hash"] = hash_
        # "and each annotation that it lacks comes from the first later row that has it."
        for column in SINGLE_COLUMNS:
            merged[column] = None
            for row in group:
                if not is_absent(row.get(column)):
                    merged[column] = row[column]
                    break
        giver = row_that_gives_the_trace(group)
        for column in TRACE_COLUMNS:
            merged[column] = None if giver is None else giver.get(column)
        merged_rows.append(merged)
    return merged_rows


# --- decontamination ------------------------------------------------------------------------------------


def split_words(text: str) -> list[str]:
    """Contract: "words of the lower-cased text with whitespace collapsed"."""
    return text.lower().split()


def list_ngrams(text: str) -> list[tuple[str, ...]]:
    """Contract: "n = 8 words"."""
    words = split_words(text)
    return [tuple(words[i : i + NGRAM_WORDS]) for i in range(len(words) - NGRAM_WORDS + 1)]


def index_ngrams(evaluation_questions: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """Each 8-gram with the positions of the evaluation questions that hold it."""
    index: dict[tuple[str, ...], list[int]] = {}
    for position, evaluation_question in enumerate(evaluation_questions):
        for ngram in list_ngrams(evaluation_question):
            positions = index.setdefault(ngram, [])
            if position not in positions:
                positions.append(position)
    return index


def is_contaminated(
    question: str,
    evaluation_questions: Sequence[str],
    index: dict[tuple[str, ...], list[int]] | None = None,
) -> str | None:
    """The rule that drops the question, or None; `index` may be given so that it is built once."""
    if index is None:
        index = index_ngrams(evaluation_questions)
    words = split_words(question)

    # "A question with any shared n-gram is contaminated (`decontamination.ngram`),"
    for ngram in list_ngrams(question):
        if ngram in index:
            return "decontamination.ngram"

    # "and so is one shorter than n words"
    if len(words) < NGRAM_WORDS:
        for evaluation_question in evaluation_questions:
            evaluation_words = split_words(evaluation_question)
            # "that equals an evaluation question"
            if words == evaluation_words:
                return "decontamination.short"
            # "or, at four words or more, stands in one at word boundaries (`decontamination.short`)."
            if len(words) >= SHORT_WORDS:
                for i in range(len(evaluation_words) - len(words) + 1):
                    if evaluation_words[i : i + len(words)] == words:
                        return "decontamination.short"
    return None


def longest_shared_span(question: str, evaluation_question: str) -> tuple[int, int, int]:
    """Contract: "the longest shared span, its word offsets in both".

    Returns:
        (number of words, offset in the question, offset in the evaluation question), both offsets in words
        from 0. Of spans of equal length the one that starts first in the question, then first in the
        evaluation question; (0, 0, 0) where no word is shared.
    """
    ours = split_words(question)
    theirs = split_words(evaluation_question)
    # length[i][j]: number of words of the longest span that starts at ours[i] and at theirs[j].
    length = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i in reversed(range(len(ours))):
        for j in reversed(range(len(theirs))):
            if ours[i] == theirs[j]:
                length[i][j] = 1 + length[i + 1][j + 1]
    best = (0, 0, 0)
    for i in range(len(ours)):
        for j in range(len(theirs)):
            if length[i][j] > best[0]:
                best = (length[i][j], i, j)
    return best


# --- annotation -----------------------------------------------------------------------------------------


def annotation_rule(row: Row) -> str | None:
    """Contract: "a grade of either attempt, the trace's grade, the domain or the trace length is absent"."""
    for column in ("isqwen7bcorrect", "isqwen32bcorrect", "isgeminicorrect", "domain", "gemini_length"):
        if is_absent(row.get(column)):
            return "annotation.missing"
    return None


# --- formatting -----------------------------------------------------------------------------------------


def is_aime(source: str | None) -> bool:
    return "aime" in (source or "").lower()


def is_gpqa(source: str | None) -> bool:
    return "gpqa" in (source or "").lower()


def is_math(source: str | None) -> bool:
    return "openaimath" in (source or "").lower()


def formatting_rule(question: str, source: str | None) -> str | None:
    """Contract: "the first that hits, in this order"."""
    # "Question contains `[asy]` (kept when the source is AIME)"; "a question with `[asy]` from an AIME source
    # is kept without further formatting checks, as the released code does".
    if "[asy]" in question:
        if is_aime(source):
            return None
        return "formatting.asy"
    # "`![Image]`"
    if "![Image]" in question:
        return "formatting.image_reference"
    # "A numbered sub-part pattern `p<N>.` for N in 1..999"
    for number in range(1, 1000):
        if f"p{number}." in question:
            return "formatting.part_number"
    # "Or a bold run holding a digit (regex `\*\*(?=.*\d)[^\s\]]*\*\*`)"
    if re.search(r"\*\*(?=.*\d)[^\s\]]*\*\*", question):
        return "formatting.bold_digits"
    return None


# --- difficulty -----------------------------------------------------------------------------------------


def difficulty_rule(row: Row) -> str | None:
    """Specification: "the 7B or the 32B attempt is correct -> out (too easy)"."""
    if row["isqwen7bcorrect"] is True or row["isqwen32bcorrect"] is True:
        return "difficulty.solved"
    return None


# --- selection: the pieces ------------------------------------------------------------------------------


def longest_first(row: Row) -> tuple[int, str]:
    """Contract: "sorted by (-trace_tokens, question_hash)"."""
    return (-row["gemini_length"], row["question_hash"])


def is_taken_whole(row: Row) -> bool:
    """Specification: "trace's attempt correct and: source GPQA or AIME; or source MATH with trace longer than
    5,600 tokens". Correct is asked of all three.
    """
    if row["isgeminicorrect"] is not True:
        return False
    source = row["source_type"]
    return is_gpqa(source) or is_aime(source) or (is_math(source) and row["gemini_length"] > 5600)


def can_be_drawn(row: Row) -> bool:
    """Contract: "a question without a trace or a domain cannot be drawn".

    Without a trace length it has no rank, without a domain no list to stand in.
    """
    return not is_absent(row.get("gemini_length")) and not is_absent(row.get("domain"))


def group_by_domain(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Contract: "domains are kept sorted by code;
    each domain's questions sorted by (-trace_tokens, question_hash)".
    """
    domains: dict[str, list[Row]] = {}
    for row in rows:
        if can_be_drawn(row):
            domains.setdefault(row["domain"], []).append(row)
    return {code: sorted(domains[code], key=longest_first) for code in sorted(domains)}


def pick_domain_uniformly(codes: Sequence[str], u: float) -> str:
    """Contract: "domain = domains[floor(u·len(domains))]"."""
    return codes[math.floor(u * len(codes))]


def benchmark_counts(hard_rows: Iterable[Row]) -> dict[str, int]:
    """Specification: "counts of GPQA's and AIME's domains in the hard pool, GPQA's counts scaled by
    0.5·(AIME total)/(GPQA total) and floored, summed"; "whole-taken picks included".

    The scaled count is floored as the exact rational number, so that no rounding decides it.
    """
    rows = list(hard_rows)
    gpqa = Counter(row["domain"] for row in rows if is_gpqa(row["source_type"]))
    aime = Counter(row["domain"] for row in rows if is_aime(row["source_type"]))
    counts: dict[str, int] = {}
    for domain, count in aime.items():
        counts[domain] = count
    for domain, count in gpqa.items():
        scale = Fraction(1, 2) * Fraction(sum(aime.values()), sum(gpqa.values()))
        counts[domain] = counts.get(domain, 0) + math.floor(count * scale)
    return counts


def pick_domain_by_benchmark(codes: Sequence[str], counts: dict[str, int], u: float) -> str:
    """Contract: "restricted to domains that still have questions, sorted by code:
    `numpy.searchsorted(numpy.cumsum(w / w.sum()), u, side="right")`, clipped to the last;
    where none of them has weight left, uniformly as before".
    """
    w = np.array([counts.get(code, 0) for code in codes], dtype=float)
    if w.sum() == 0:
        return pick_domain_uniformly(codes, u)
    position = int(np.searchsorted(np.cumsum(w / w.sum()), u, side="right"))
    return codes[min(position, len(codes) - 1)]


def power_rank(n: int, v: float) -> int:
    """Contract: "rank r = min(n-1, floor(-log2(1 - v·(1 - 2^-n)))) of its n remaining questions"."""
    return min(n - 1, math.floor(-math.log2(1 - v * (1 - 2.0**-n))))


def uniform_rank(n: int, v: float) -> int:
    """Contract: "`diverse` uses r = floor(v·n)"."""
    return math.floor(v * n)


# --- selection: the presets -----------------------------------------------------------------------------


def select_by_domains(rows: list[Row], preset: str, size: int, seed: int) -> list[str]:
    """`paper`, `released` and `diverse`: the whole-taken picks, then one draw after another."""
    selected: list[str] = []

    # "The whole-taken picks come first in the selection's order, sorted by (-trace_tokens, question_hash)".
    # They are a stage of `paper` and `released`; where there are more than `size`, the first of them are all.
    if preset in ("paper", "released"):
        for row in sorted([row for row in rows if is_taken_whole(row)], key=longest_first):
            selected.append(row["question_hash"])
        if len(selected) >= size:
            return selected[:size]

    # "Whole-taken picks are removed from their domains before the first draw, and the target counts them."
    taken = set(selected)
    domains = group_by_domain(row for row in rows if row["question_hash"] not in taken)
    counts = benchmark_counts(rows)

    rng = np.random.Generator(np.random.PCG64(seed))
    while len(selected) < size and domains:
        # "One pick = two numbers u, v = rng.random(), rng.random()."
        u = float(rng.random())
        v = float(rng.random())
        # "`released`, once 700 are selected, draws the domain from the benchmark distribution".
        if preset == "released" and len(selected) >= 700:
            code = pick_domain_by_benchmark(list(domains), counts, u)
        else:
            code = pick_domain_uniformly(list(domains), u)
        n = len(domains[code])
        r = uniform_rank(n, v) if preset == "diverse" else power_rank(n, v)
        # "The question leaves its domain, an emptied domain leaves the list."
        question = domains[code].pop(r)
        if not domains[code]:
            del domains[code]
        selected.append(question["question_hash"])
    return selected


def select_at_random(rows: list[Row], size: int, seed: int) -> list[str]:
    """Contract: "`random` gives each hash, in sorted order, a key rng.random() and takes the smallest"."""
    rng = np.random.Generator(np.random.PCG64(seed))
    keyed = []
    for hash_ in sorted(row["question_hash"] for row in rows):
        keyed.append((float(rng.random()), hash_))
    return [hash_ for _, hash_ in sorted(keyed)[:size]]


def select_longest(rows: list[Row], size: int) -> list[str]:
    """Contract: "`longest` sorts by (-trace_tokens, question_hash)"."""
    return [row["question_hash"] for row in sorted(rows, key=longest_first)[:size]]


def select_everything(rows: list[Row]) -> list[str]:
    """`full` takes all that is left, sorted by hash, whatever the size."""
    return sorted(row["question_hash"] for row in rows)


# --- the stages in order --------------------------------------------------------------------------------


class Prepared(NamedTuple):
    """What is left after the stages that every preset and every seed has in common."""

    ledger: list[dict[str, Any]]
    rows: list[Row]
    fate: dict[str, str | None]


def ledger_line(stage: str, num_in: int, num_out: int, rules: Iterable[str]) -> dict[str, Any]:
    """Contract: "{"stage","in","out","dropped":{rule:count}}"; a rule that dropped nothing is not named."""
    return {"stage": stage, "in": num_in, "out": num_out, "dropped": dict(Counter(rules))}


def run_stage(before: Prepared, stage: str, rules: list[str | None]) -> Prepared:
    """Drop the rows that have a rule; `rules` has one entry per row of `before`."""
    fate = dict(before.fate)
    kept = []
    for row, rule in zip(before.rows, rules, strict=True):
        if rule is None:
            kept.append(row)
        else:
            fate[row["question_hash"]] = rule
    line = ledger_line(stage, len(before.rows), len(kept), [rule for rule in rules if rule is not None])
    return Prepared([*before.ledger, line], kept, fate)


def prepare(rows: Iterable[Row], evaluation_questions: Sequence[str]) -> Prepared:
    """Contract: "in this order: pool, decontamination, annotation, formatting"."""
    loaded = list(rows)
    pool = merge_pool(loaded)
    duplicates = ["pool.duplicate"] * (len(loaded) - len(pool))
    line = ledger_line("pool", len(loaded), len(pool), duplicates)
    at = Prepared([line], pool, {row["question_hash"]: None for row in pool})

    index = index_ngrams(evaluation_questions)
    rules = [is_contaminated(row["question"], evaluation_questions, index) for row in at.rows]
    at = run_stage(at, "decontamination", rules)
    at = run_stage(at, "annotation", [annotation_rule(row) for row in at.rows])
    rules = [formatting_rule(row["question"], row["source_type"]) for row in at.rows]
    return run_stage(at, "formatting", rules)


def draw(prepared: Prepared, preset: str, size: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Contract: "difficulty (only in `paper` and `released`), selection (`selection.not_drawn`)"."""
    at = prepared
    if preset in ("paper", "released"):
        at = run_stage(at, "difficulty", [difficulty_rule(row) for row in at.rows])

    if preset in ("paper", "released", "diverse"):
        hashes = select_by_domains(at.rows, preset, size, seed)
    elif preset == "random":
        hashes = select_at_random(at.rows, size, seed)
    elif preset == "longest":
        hashes = select_longest(at.rows, size)
    elif preset == "full":
        hashes = select_everything(at.rows)
    else:
        raise ValueError(f"preset={preset!r} is not a preset; use one of {', '.join(PRESETS)}")

    selected = set(hashes)
    rules = [None if row["question_hash"] in selected else "selection.not_drawn" for row in at.rows]
    at = run_stage(at, "selection", rules)
    return {"ledger": at.ledger, "hashes": hashes, "sha256": selection_sha256(hashes), "fate": at.fate}


def selection_sha256(hashes: Sequence[str]) -> str:
    """Contract: "`sha256` is over the ordered hashes joined by a newline"."""
    return hashlib.sha256("\n".join(hashes).encode("utf-8")).hexdigest()


def select(
    rows: Iterable[Row],
    evaluation_questions: Sequence[str],
    preset: str,
    size: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """The whole recipe: ledger, ordered hashes, their sha256, and the fate of every question."""
    return draw(prepare(rows, evaluation_questions), preset, size, seed)
