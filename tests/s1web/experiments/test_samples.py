"""Rows of samples against the file that they follow, whatever happens to either; on SQLite and on PostgreSQL."""

import json

import pytest

from curation.errors import ConflictError, NotFoundError
from inference.evaluation.folder import SAMPLES
from s1web.experiments import samples
from s1web.experiments.models import EvaluationRun, Sample
from s1web.experiments.queries import read_line
from s1web.experiments.samples import SampleRows


def line(number, *, error=None, answer="42", **changes):
    """A line as `inference.evaluation.rows.row_of` writes it, as far as rows need it."""
    candidate = {"answer": answer, "rule": "boxed" if answer else "none"}
    row = {
        "key": f"p{number:04d}/0",
        "problem": f"p{number:04d}",
        "repeat": 0,
        "grade": None if error else {"is_right": number % 3 == 0, "rule": "integer"},
        "thinking_tokens": 10 + number,
        "answer_tokens": 3,
        "hit_cap": number % 2 == 0,
        "candidates": [] if error else [candidate],
        "chosen": None if error else 0,
        "seconds": 0.25,
        "error": error,
        "samples": [{"ids": [number, number + 1], "events": []}],
    }
    return json.dumps(row | changes) + "\n"


@pytest.fixture
def run(either_project):
    made = EvaluationRun.objects.create(
        name="run", num_trials=4, benchmark="b", benchmark_sha256="0" * 64, model="m", method={}, config={}
    )
    made.folder.mkdir(parents=True, exist_ok=True)
    write(made, "")
    return made


def write(run, *lines):
    (run.folder / SAMPLES).write_text("".join(lines), encoding="utf-8")


def rows_of(run):
    """(problem, offset) of the rows by place in the file, after checking that each leads to its line."""
    run.refresh_from_db()
    found = list(run.samples.order_by("offset"))
    for sample in found:
        assert read_line(sample)["problem"] == sample.problem_key
    assert run.num_done == len(found)
    assert run.num_failed == sum(bool(sample.error) for sample in found)
    return [(sample.problem_key, sample.offset) for sample in found]


def keys(run):
    return [key for key, _ in rows_of(run)]


def test_each_line_is_a_row_with_its_figures_and_its_place(run):
    write(run, line(0), line(1, error="out of memory"), line(2, answer=None), line(3, grade=None))
    SampleRows(run).catch_up()
    assert keys(run) == ["p0000", "p0001", "p0002", "p0003"]
    first, failed, silent, ungraded = run.samples.order_by("offset")
    assert (first.is_right, first.grade_rule, first.parse_rule, first.answer) == (True, "integer", "boxed", "42")
    assert (first.thinking_tokens, first.answer_tokens, first.hit_cap, first.seconds) == (10, 3, True, 0.25)
    assert (failed.is_right, failed.grade_rule, failed.answer, failed.error) == (None, "", None, "out of memory")
    assert (silent.is_right, silent.answer, silent.parse_rule) == (False, None, "none")
    assert ungraded.is_right is None
    assert read_line(first)["samples"][0]["ids"] == [0, 1]


def test_rows_follow_a_file_that_grows_and_keep_their_keys(run):
    follower = SampleRows(run)
    write(run, line(0))
    follower.catch_up()
    before = list(run.samples.values_list("pk", flat=True))
    with (run.folder / SAMPLES).open("a") as file:
        file.write(line(1) + line(2)[:40])
        file.flush()
        follower.catch_up()
        assert keys(run) == ["p0000", "p0001"]
        file.write(line(2)[40:])
    # another process takes it up, as after a kill
    SampleRows(run).catch_up()
    assert keys(run) == ["p0000", "p0001", "p0002"]
    assert list(run.samples.order_by("pk").values_list("pk", flat=True))[:1] == before


def test_more_lines_than_a_batch_are_all_there_once(run, monkeypatch):
    monkeypatch.setattr(samples, "_BATCH_LINES", 7)
    write(run, *(line(n) for n in range(30)))
    SampleRows(run).catch_up()
    SampleRows(run).catch_up()
    assert keys(run) == [f"p{n:04d}" for n in range(30)]
    assert run.synced_bytes == (run.folder / SAMPLES).stat().st_size


@pytest.mark.parametrize(
    "after",
    [
        (line(0), line(2), line(1)),  # a failed one was taken out and done anew
        (line(0),),  # put back from an older copy
        (line(0), line(1, answer="43"), line(2)),  # of the same length, with another content
        (),
    ],
)
def test_a_file_that_no_longer_begins_with_the_rows_makes_them_anew(run, after):
    write(run, line(0), line(1), line(2))
    SampleRows(run).catch_up()
    write(run, *after)
    SampleRows(run).catch_up()
    assert [json.loads(text)["problem"] for text in after] == keys(run)
    answers = dict(run.samples.values_list("problem_key", "answer"))
    assert answers == {json.loads(text)["problem"]: json.loads(text)["candidates"][0]["answer"] for text in after}


def test_two_that_follow_one_file_store_each_line_once(run):
    first, second = SampleRows(run), SampleRows(run)
    write(run, line(0))
    first.catch_up()
    second.catch_up()
    with (run.folder / SAMPLES).open("a") as file:
        file.write(line(1) + line(2))
    second.catch_up()
    first.catch_up()
    assert keys(run) == ["p0000", "p0001", "p0002"]


def test_a_batch_is_stored_whole_or_not_at_all(run, monkeypatch):
    write(run, line(0), line(1))

    def save(self, *args, **options):
        raise RuntimeError("the database left")

    monkeypatch.setattr(EvaluationRun, "save", save)
    with pytest.raises(RuntimeError, match="the database left"):
        SampleRows(run).catch_up()
    assert not Sample.objects.exists()
    monkeypatch.undo()
    SampleRows(run).catch_up()
    assert keys(run) == ["p0000", "p0001"]


def test_what_no_database_text_can_hold_is_replaced_in_the_row_and_kept_in_the_file(run):
    write(run, line(0, answer="4\0002"))
    SampleRows(run).catch_up()
    sample = run.samples.get()
    assert sample.answer == "4\N{REPLACEMENT CHARACTER}2"
    assert read_line(sample)["candidates"][0]["answer"] == "4\0002"


def test_a_line_that_is_not_where_its_row_says_is_no_other_samples_line(run):
    write(run, line(0), line(1))
    SampleRows(run).catch_up()
    sample = run.samples.get(problem_key="p0001")
    for text in (line(1) + line(0), line(0) + line(2), ""):
        write(run, text)
        with pytest.raises(ConflictError, match=r"has changed: p0001/0 is not at byte \d+; run the same evaluate"):
            read_line(sample)
    (run.folder / SAMPLES).unlink()
    with pytest.raises(NotFoundError, match="put it back, or set ARTIFACT_DIR"):
        read_line(sample)
