"""The columns follow the pool: whatever changes it moves its version, and nobody sees half of a change."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction

from curation.presets import recipe_from_toml
from s1web.browse import building, columns, store
from s1web.browse.building import build_columns
from s1web.browse.columns import ARRAYS, Columns
from s1web.browse.filters import Listing
from s1web.browse.queries import matching_pks, read_page
from s1web.browse.store import Store
from s1web.pool.contamination import check_contamination, overrule, reinstate
from s1web.pool.lengths import count_lengths
from s1web.pool.models import Contamination, ImportFile, PoolVersion, Question
from s1web.pool.search.index import index_texts
from s1web.pool.undo import undo_file
from s1web.pool.version import bump, pool_version
from s1web.review.services import decide, undo
from s1web.selections.services import curate
from tests.databases import at_once
from tests.factories import EVALUATION_QUESTIONS
from tests.processes import Project
from tests.s1web.pools import load_problems, load_rows, write_lines

from .conftest import RECIPE, make_pool

CONTAMINATED = EVALUATION_QUESTIONS[0]


def same(one: Columns, other: Columns) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)


def make_tokenizer(folder: Path) -> str:
    from tokenizers import Tokenizer, models

    path = folder / "tokenizer.json"
    Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")).save(str(path))
    return str(path)


def load_first(folder: Path) -> None:
    rows = [
        {"question": CONTAMINATED, "thinking": "so it is", "attempt": "7", "domain": "05"},
        {"question": "Other?"},
    ]
    load_rows(folder, rows, "first")
    load_problems(folder, EVALUATION_QUESTIONS)


def load_again(folder: Path) -> None:
    load_rows(folder, [{"question": "Other?", "isqwen7bcorrect": True}], "again")


def load_benchmark_again(folder: Path) -> None:
    load_problems(folder, ["a new question"], "other")


def correct_problem(folder: Path) -> None:
    check_contamination()
    load_problems(folder, ["another question altogether", *EVALUATION_QUESTIONS[1:]])


def overrule_it(folder: Path) -> None:
    check_contamination()
    question_hash = Contamination.objects.values_list("question__question_hash", flat=True)[0]
    overrule(question_hash, reason="no leak", decided_by="curator")


def reinstate_it(folder: Path) -> None:
    overrule_it(folder)
    question_hash = Contamination.objects.values_list("question__question_hash", flat=True)[0]
    reinstate(question_hash, decided_by="curator")


def take_back(folder: Path) -> None:
    load_rows(folder, [{"question": "Third?"}], "third")
    undo_file(ImportFile.objects.get(name__endswith="third.jsonl"))


SERVICES: list[tuple[Callable[[Path], Any], str]] = [
    (lambda folder: load_rows(folder, [{"question": "New?"}], "new"), "pk"),
    (load_again, "small_grade"),
    (lambda folder: count_lengths(make_tokenizer(folder)), "trace_tokens"),
    (lambda folder: check_contamination(), "contamination"),
    (load_benchmark_again, ""),
    (correct_problem, ""),
    (overrule_it, "contamination"),
    (reinstate_it, "contamination"),
    (take_back, ""),
    (lambda folder: curate(recipe_from_toml(RECIPE.replace("12", "1")), name="one"), "state"),
    (lambda folder: index_texts(), "state"),
    (lambda folder: decide([Question.objects.values_list("pk", flat=True)], "keep"), "review"),
    (lambda folder: undo(decide([Question.objects.values_list("pk", flat=True)], "keep").pk), ""),
]


@pytest.mark.parametrize(("change", "array"), SERVICES)
def test_every_service_that_changes_the_pool_moves_its_version(
    db: None, tmp_path: Path, fresh_store: Store, change: Callable[[Path], Any], array: str
) -> None:
    load_first(tmp_path)
    before = fresh_store.look().columns
    change(tmp_path)
    assert pool_version() != before.version
    after = fresh_store.look().columns
    assert after.version == pool_version()
    assert same(after, build_columns())
    if array:
        assert not np.array_equal(getattr(before, array), getattr(after, array))


def test_a_benchmark_more_makes_clean_questions_unchecked(db: None, tmp_path: Path, fresh_store: Store) -> None:
    load_first(tmp_path)
    check_contamination()
    assert fresh_store.look().columns.contamination.tolist() == [columns.NGRAM, columns.CLEAN]
    load_benchmark_again(tmp_path)
    assert fresh_store.look().columns.contamination.tolist() == [columns.NGRAM, columns.UNCHECKED]


def test_what_changes_nothing_moves_nothing(db: None, tmp_path: Path) -> None:
    load_first(tmp_path)
    check_contamination()
    index_texts()
    count_lengths(make_tokenizer(tmp_path))
    version = pool_version()
    load_first(tmp_path)
    check_contamination()
    index_texts()
    count_lengths(make_tokenizer(tmp_path))
    assert pool_version() == version


def test_a_change_that_is_taken_back_moves_nothing(project: Project) -> None:
    version = pool_version()
    with transaction.atomic():
        bump()
        transaction.set_rollback(True)
    assert pool_version() == version


def test_a_database_without_a_version_begins_one(db: None) -> None:
    PoolVersion.objects.all().delete()
    assert pool_version() == "0-empty"
    bump()
    assert pool_version().startswith("1-")
    bump()
    assert pool_version().startswith("2-")


def test_unchanged_columns_are_built_once_and_found_by_the_next_process(
    pool: None, fresh_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fresh_store.look().columns
    monkeypatch.setattr(store, "build_columns", lambda: pytest.fail("built again"))
    assert fresh_store.look().columns is first
    other = Store().look().columns
    assert other is not first
    assert same(other, first)
    assert (other.source_labels, other.domain_labels, other.tokenizer) == (
        first.source_labels,
        first.domain_labels,
        first.tokenizer,
    )
    assert isinstance(other.pk, np.memmap)


@pytest.mark.parametrize("damage", ["cut", "gone", "nonsense", "facts", "short"])
def test_damaged_files_are_built_anew(pool: None, fresh_store: Store, artifact_dir: Path, damage: str) -> None:
    first = fresh_store.look().columns
    (folder,) = (artifact_dir / "columns").iterdir()
    tokens = folder / "trace_tokens.npy"
    if damage == "cut":
        tokens.write_bytes(tokens.read_bytes()[:-20])
    elif damage == "gone":
        tokens.unlink()
    elif damage == "nonsense":
        tokens.write_bytes(b"nonsense")
    elif damage == "facts":
        (folder / "facts.json").write_text(json.dumps({"version": "x"}))
    else:
        np.save(tokens, first.trace_tokens[:-1])
    again = Store().look().columns
    assert same(again, first)
    assert same(Store().look().columns, first)


def test_old_versions_go_from_the_disk(db: None, tmp_path: Path, fresh_store: Store, artifact_dir: Path) -> None:
    for number in range(5):
        load_rows(tmp_path, [{"question": f"Q{number}?"}], f"rows{number}")
        assert len(fresh_store.look().columns) == number + 1
        time.sleep(0.01)
    kept = {path.name for path in (artifact_dir / "columns").iterdir()}
    assert len(kept) == 2
    assert f"{pool_version()}.{columns.LAYOUT}" in kept


def test_a_file_where_the_folder_should_be_costs_only_the_next_start(
    pool: None, fresh_store: Store, artifact_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    artifact_dir.mkdir(parents=True, exist_ok=True)
    (artifact_dir / "columns").write_text("in the way")
    assert len(fresh_store.look().columns) == Question.objects.count()
    assert "could not be kept" in caplog.text


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("has not come about in 30 s")


def test_a_large_pool_is_read_anew_behind_the_page(
    either_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pool(tmp_path, seed=2, num_rows=30)
    kept = Store(at_once_seconds=-1)
    monkeypatch.setattr(store, "_store", kept)
    before = read_page(Listing())
    assert not before.is_refreshing
    go_on = threading.Event()
    original = build_columns

    def slowly() -> Columns:
        assert go_on.wait(30)
        return original()

    monkeypatch.setattr(store, "build_columns", slowly)
    load_rows(tmp_path, [{"question": "Late?"}], "late")
    during = [read_page(Listing()) for _ in range(3)]
    assert [(page.total, page.is_refreshing) for page in during] == [(before.total, True)] * 3
    assert sum(thread.name == "pool-columns" for thread in threading.enumerate()) == 1
    go_on.set()
    wait_until(lambda: not read_page(Listing()).is_refreshing)
    assert read_page(Listing()).total == before.total + 1


def test_what_acts_on_rows_waits_for_the_newest(
    either_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_rows(tmp_path, [{"question": "Early?"}])
    monkeypatch.setattr(store, "_store", Store(at_once_seconds=-1))
    read_page(Listing())
    load_rows(tmp_path, [{"question": "Late?"}], "late")
    assert sum(len(pks) for pks in matching_pks(Listing())) == 2


def test_a_reading_that_fails_leaves_the_old_columns_and_is_tried_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    load_rows(tmp_path, [{"question": "Early?"}])
    kept = Store(at_once_seconds=-1)
    kept.look()
    load_rows(tmp_path, [{"question": "Late?"}], "late")
    with monkeypatch.context() as patched:
        patched.setattr(store, "build_columns", lambda: 1 / 0)
        assert kept.look().is_refreshing
        wait_until(lambda: "could not be read anew" in caplog.text)
        assert len(kept.look().columns) == 1
    wait_until(lambda: not kept.look().is_refreshing)
    assert len(kept.look().columns) == 2


def test_many_threads_and_stores_at_once_see_one_whole_pool(either_project: Project, tmp_path: Path) -> None:
    make_pool(tmp_path, seed=2, num_rows=40)
    stores = [Store(), Store()]
    found = at_once([store.look for store in stores * 4])
    expected = build_columns()
    for look in found:
        assert not isinstance(look, Exception), look
        assert same(look.columns, expected)
    assert len({id(look.columns) for look in found if not isinstance(look, Exception)}) == 2


def test_columns_are_of_one_moment_while_the_pool_is_written_to(
    either_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_rows(tmp_path, [{"question": f"Q{n}?", "thinking": "so", "gemini_length": 5} for n in range(5)])
    load_more = threading.Event()
    loaded = threading.Event()
    original = building._tokens

    def tokens(*arguments: Any) -> np.ndarray:
        # the questions are read; a file is loaded before their lengths are
        load_more.set()
        assert loaded.wait(30)
        return original(*arguments)

    def load() -> None:
        assert load_more.wait(30)
        load_rows(tmp_path, [{"question": "Late?", "thinking": "so", "gemini_length": 7}], "late")
        connection.close()
        loaded.set()

    monkeypatch.setattr(building, "_tokens", tokens)
    version = pool_version()
    thread = threading.Thread(target=load)
    thread.start()
    built = build_columns()
    thread.join(30)
    assert (built.version, len(built), built.trace_tokens.tolist()) == (version, 5, [5] * 5)
    assert (len(build_columns()), pool_version() != version) == (6, True)


def test_reading_in_pieces_reads_the_same(pool: None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = build_columns()
    monkeypatch.setattr(building, "PIECE_ROWS", 7)
    assert same(build_columns(), whole)


@pytest.mark.parametrize("label", ["a\x1fb", "a,b", "'; --", "漢字 %s"])
def test_any_label_is_read_as_it_stands(either_project: Project, tmp_path: Path, label: str) -> None:
    rows = [{"question": f"Q{n}?", "domain": label if n % 2 else "05", "source_type": label} for n in range(5)]
    load_rows(tmp_path, rows)
    assert [row.domain for row in read_page(Listing()).rows] == ["05", label] * 2 + ["05"]
    assert {row.source for row in read_page(Listing()).rows} == {label}


def test_a_row_takes_at_most_fifty_bytes(pool: None, fresh_store: Store) -> None:
    found = fresh_store.look().columns
    assert found.num_bytes / len(found) <= 50


def test_other_processes_find_the_columns(project: Project, tmp_path: Path) -> None:
    project.json("load_pool", write_lines(tmp_path / "rows.jsonl", [{"question": "Q?"}]))
    script = """
import django
django.setup()
from s1web.browse import store
from s1web.browse.filters import Listing
from s1web.browse.queries import read_page
print(read_page(Listing()).total, type(store.looked().columns.pk).__name__)
"""
    runs = [project.python("-c", script) for _ in range(2)]
    assert [run.stdout.split() for run in runs] == [["1", "ndarray"], ["1", "memmap"]], runs[0].stderr


@pytest.mark.parametrize("step", [1, 3, 1_000])
def test_rows_are_found_by_their_keys_however_far_apart_these_are(
    db: None, tmp_path: Path, fresh_store: Store, step: int
) -> None:
    load_rows(tmp_path, [{"question": f"Question {number}?"} for number in range(40)], "many")
    known = fresh_store.look().columns
    sparse = replace(known, pk=known.pk * step + 7, kept={})
    assert sparse.rows_of(sparse.pk).tolist() == list(range(len(known)))
    asked = np.array(sorted({0, 6, *sparse.pk[::3].tolist(), *(sparse.pk[::5] + 1).tolist(), 10**9}), dtype=np.int64)
    expected = [row for row, pk in enumerate(sparse.pk.tolist()) if pk in set(asked.tolist())]
    assert sparse.rows_of(asked).tolist() == expected
    assert sparse.rows_of(np.empty(0, np.int64)).tolist() == []
    empty = replace(known, pk=known.pk[:0], kept={})
    assert empty.rows_of(asked).tolist() == []
