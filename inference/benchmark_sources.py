"""Where evaluation sets come from: named ones from the Hub at a pinned commit, or a file of one's own (s1 §4.1).

Files are read here and nowhere stored. GPQA's authors ask that its questions not be published: nothing prints them.
"""

import csv
import hashlib
import json
import logging
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curation.errors import InputError, RowError
from inference.benchmarks import Problem, read_problem
from inference.prompts import LETTERS

# benchmarks are small; a file of another kind is named by mistake
MAX_BYTES = 256 * 2**20
_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """A data set of the Hub.

    Attributes:
        repository, revision, path: one file at a commit.
        num_problems: that it holds.
        adapt: one of its rows as `benchmarks.read_problem` takes it; None: as it stands. `choices` begins with the
            right one where options are shuffled.
        is_shuffled: the options come in an order of their own for each problem.
        terms: what a user has to do before the Hub gives it out.
    """

    repository: str
    revision: str
    path: str
    num_problems: int
    adapt: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    is_shuffled: bool = False
    terms: str = ""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An evaluation set, ready to be run.

    Attributes:
        name: its name, or the file's without ending.
        source: `repository@revision/path`, or the file's path.
        shuffle_seed: by which options were put in order; None: as they stood. Each problem holds its own order.
        sha256: of the problems with their answers and options, 64 hexadecimal digits; runs with the same one can be
            compared problem by problem.
    """

    name: str
    problems: tuple[Problem, ...]
    source: str
    shuffle_seed: int | None
    sha256: str


def _math_row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"id": row.get("unique_id"), "problem": row.get("problem"), "answer": row.get("answer")}


def _aime_row(prefix: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    def adapt(row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"id": f"{prefix}-{row.get('id')}", "problem": row.get("problem"), "answer": row.get("answer")}

    return adapt


def _gpqa_row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    options = [row.get("Correct Answer"), *(row.get(f"Incorrect Answer {place}") for place in (1, 2, 3))]
    # options end in newlines of the form that they were typed into
    choices = [option.strip() if isinstance(option, str) else option for option in options]
    return {"id": row.get("Record ID"), "problem": row.get("Question"), "answer": "A", "choices": choices}


SOURCES = {
    "aime24": Source(
        "HuggingFaceH4/aime_2024",
        "2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
        "data/train-00000-of-00001.parquet",
        30,
        _aime_row("aime24"),
    ),
    "aime25": Source(
        "math-ai/aime25", "563bb8404243c5f09de6ec262f2db674fe5bce9b", "test.jsonl", 30, _aime_row("aime25")
    ),
    "math500": Source(
        "HuggingFaceH4/MATH-500", "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be", "test.jsonl", 500, _math_row
    ),
    "gpqa_diamond": Source(
        "Idavidrein/gpqa",
        "633f5ee89ab8ad4522a9f850766b73f62147ffdd",
        "gpqa_diamond.csv",
        198,
        _gpqa_row,
        is_shuffled=True,
        terms="accept its terms on the Hub and give your token in HF_TOKEN",
    ),
}


def load_benchmark(name_or_path: str | Path, *, shuffle_seed: int | None = None) -> Benchmark:
    """A named benchmark from the Hub, or one of your own from a JSON lines file.

    Args:
        name_or_path: one of SOURCES, or a file with id, problem, answer and optional choices a line.
        shuffle_seed: puts the options of each problem in an order of its own; None: 0 where the source gives the
            right one first, else the order of the file.

    Raises:
        InputError: the name or file is not there, cannot be had, holds no problem, or a row that is none, such as one
            without an answer.
    """
    name = str(name_or_path)
    if name in SOURCES:
        return fetch_benchmark(name, SOURCES[name], shuffle_seed=shuffle_seed)
    path = Path(name_or_path)
    if not path.is_file():
        raise InputError(
            f"benchmark {name!r:.200} is neither known nor a file; allowed: {', '.join(SOURCES)}, "
            "or a path to JSON lines"
        )
    problems = _problems(name, read_rows(path), None)
    return make_benchmark(path.stem, problems, source=name, shuffle_seed=shuffle_seed)


def fetch_benchmark(
    name: str, source: Source, *, shuffle_seed: int | None = None, endpoint: str | None = None
) -> Benchmark:
    """A data set of the Hub, from its cache on this machine where it was fetched before.

    Args:
        endpoint: another address of the Hub.

    Raises:
        InputError: it cannot be had, or holds something else than it should.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import logging as hub_logging

    # its own lines about retries would stand beside ours
    hub_logging.set_verbosity(logging.CRITICAL)
    label = f"{source.repository}@{source.revision}/{source.path}"
    try:
        path = hf_hub_download(
            source.repository,
            source.path,
            repo_type="dataset",
            revision=source.revision,
            endpoint=endpoint,
            etag_timeout=_TIMEOUT_SECONDS,
        )
    # whatever the client library raises for names, rights and networks, the user sees one line
    except Exception as error:
        reason = " ".join(str(error).split())[:240]
        advice = source.terms or "check the network"
        raise InputError(
            f"benchmark {name}: {label} cannot be had: {type(error).__name__}: {reason}; {advice}, or give a file"
        ) from None
    problems = _problems(label, read_rows(Path(path)), source.adapt)
    if len(problems) != source.num_problems:
        raise InputError(
            f"benchmark {name}: {label} holds {len(problems)} problems; it should be {source.num_problems}"
        )
    seed = 0 if source.is_shuffled and shuffle_seed is None else shuffle_seed
    return make_benchmark(name, problems, source=label, shuffle_seed=seed)


def make_benchmark(
    name: str, problems: Iterable[Problem], *, source: str, shuffle_seed: int | None = None
) -> Benchmark:
    """A benchmark of problems that were read elsewhere, in their order.

    Args:
        source: where they come from, for the run's record and for errors.
        shuffle_seed: puts the options of each problem in an order of its own; None: as they stand.

    Raises:
        InputError: there is none, one has no answer or an id that another one has, or options cannot be shuffled.
    """
    known: dict[str, Problem] = {}
    for problem in problems:
        try:
            _check_problem(problem, known)
        except RowError as error:
            raise InputError(f"{source}, problem {problem.key!r:.60}: {error}") from None
        try:
            known[problem.key] = problem if shuffle_seed is None else shuffle_choices(problem, shuffle_seed)
        except RowError as error:
            raise InputError(f"{source}: {error}; options can only be shuffled where answers are letters") from None
    if not known:
        raise InputError(f"{source} holds no problem; a benchmark has at least one")
    digest = hashlib.sha256()
    for problem in known.values():
        row = [problem.key, problem.text, problem.answer, list(problem.choices)]
        digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return Benchmark(name, tuple(known.values()), source, shuffle_seed, digest.hexdigest())


def read_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows of a JSON lines, CSV or parquet file with their numbers from 1.

    Raises:
        InputError: too large, or not what its ending says.
    """
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes; a benchmark has at most {MAX_BYTES:,}")
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet

            yield from enumerate(pyarrow.parquet.read_table(path).to_pylist(), start=1)
        elif path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as stream:
                yield from enumerate(csv.DictReader(stream), start=1)
        else:
            # not splitlines: a question may hold U+2028, at which JSON lines do not end
            for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
                if line.strip():
                    yield number, json.loads(line)
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from None


def shuffle_choices(problem: Problem, seed: int) -> Problem:
    """The problem with its options in an order that its key and the seed alone decide; the letter follows.

    Raises:
        RowError: the answer is none of its options' letters.
    """
    if not problem.choices:
        return problem
    right = LETTERS.find(problem.answer) if len(problem.answer) == 1 else -1
    if not 0 <= right < len(problem.choices):
        raise RowError(f"answer {problem.answer!r:.60} is no letter of its {len(problem.choices)} choices")

    def rank(place: int) -> bytes:
        return hashlib.sha256(f"{seed}\0{place}\0{problem.key}".encode()).digest()

    order = sorted(range(len(problem.choices)), key=rank)
    return replace(
        problem,
        choices=tuple(problem.choices[place] for place in order),
        answer=LETTERS[order.index(right)],
        order=tuple(order),
    )


def _problems(
    label: str,
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    adapt: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None,
) -> list[Problem]:
    problems: dict[str, Problem] = {}
    for number, row in rows:
        try:
            if not isinstance(row, Mapping):
                raise RowError("it is no object")
            problem = read_problem(adapt(row) if adapt else row)
            _check_problem(problem, problems)
        except RowError as error:
            raise InputError(f"{label}, row {number}: {error}") from None
        problems[problem.key] = problem
    return list(problems.values())


def _check_problem(problem: Problem, known: Container[str]) -> None:
    if not problem.answer.strip():
        raise RowError("answer is empty; nothing can be graded without one")
    if problem.key in known:
        raise RowError(f"id {problem.key!r:.60} stands there twice; give each problem its own")
