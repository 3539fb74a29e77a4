"""What each kind of job says beforehand: how much it will do, for how long, and that some things cannot work."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.apps import apps
from django.utils import timezone

from curation.demo.pool import DemoPool
from curation.errors import S1WebError
from curation.presets import find_preset
from s1web.jobs.kinds import KINDS, find_kind
from s1web.jobs.services import make_plan
from s1web.plans import Plan
from s1web.pool.lengths import total_tokens
from s1web.pool.models import Question, Trace
from s1web.progress import ignore
from tests.factories import make_job
from tests.s1web.pools import load_problems, write_lines
from tests.s1web.tokenizers import write_tokenizer

Params = dict[str, Any]
RECIPE = find_preset("paper").to_toml()
ROWS = [{"question": f"Question {number}?", "answer": str(number)} for number in range(30)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> str:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture
def dump() -> Callable[[], dict[str, list[Any]]]:
    """All rows of all tables."""

    def read() -> dict[str, list[Any]]:
        return {model._meta.label: list(model.objects.order_by("pk").values()) for model in apps.get_models()}

    return read


class Reports:
    """Keeps what work reports."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int, /, **spent: float) -> None:
        self.told.append((done, total))


def work(kind: str, **params: Any) -> dict[str, Any]:
    return find_kind(kind).load_work()(params, ignore)


def jsonl(folder: Path) -> Path:
    return write_lines(folder / "rows.jsonl", ROWS)


def parquet(folder: Path) -> Path:
    path = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


# --- how much ---


def test_an_import_counts_the_rows_of_files_that_say_how_many_they_hold(db, tmp_path):
    path = parquet(tmp_path)
    plan = make_plan("load_pool", {"paths": [str(path)]})
    assert (plan.title, plan.total, plan.unit) == ("Import rows.parquet", 30, "rows")
    assert plan.spends == {"rows": 30.0}


def test_an_import_counts_bytes_where_a_file_does_not_say_how_many_rows_it_holds(db, tmp_path):
    lines, table = jsonl(tmp_path), parquet(tmp_path)
    plan = make_plan("load_pool", {"paths": [str(lines)]})
    assert (plan.total, plan.unit, plan.spends) == (lines.stat().st_size, "bytes", {})
    # both kinds together: one unit
    plan = make_plan("load_pool", {"paths": [str(table), str(lines)]})
    assert (plan.total, plan.unit) == (lines.stat().st_size + table.stat().st_size, "bytes")
    assert plan.title == "Import 2 files: rows.parquet, rows.jsonl"


def test_an_import_of_a_folder_counts_the_files_in_it(db, tmp_path):
    for number in range(5):
        write_lines(tmp_path / "pool" / f"part-{number}.jsonl", ROWS)
    plan = make_plan("load_pool", {"paths": [str(tmp_path / "pool")]})
    assert plan.title == "Import 5 files: part-0.jsonl, part-1.jsonl, part-2.jsonl ..."
    assert plan.total == sum(path.stat().st_size for path in (tmp_path / "pool").iterdir())


def test_the_work_reports_the_total_that_was_planned(db, tmp_path):
    for path in (jsonl(tmp_path), parquet(tmp_path)):
        reports = Reports()
        find_kind("load_pool").load_work()({"paths": [str(path)]}, reports)
        planned = make_plan("load_pool", {"paths": [str(path)]}).total
        assert reports.told[-1] == (planned, planned)


def test_a_benchmark_counts_its_bytes(db, tmp_path):
    path = write_lines(tmp_path / "b.jsonl", [{"id": "1", "problem": "How many?", "answer": "7"}])
    plan = make_plan("load_benchmark", {"path": str(path), "name": "mine"})
    assert (plan.title, plan.total) == ("Load benchmark mine from b.jsonl", path.stat().st_size)


def test_lengths_count_the_traces_that_this_tokenizer_has_not_counted(demo_pool: DemoPool, tokenizer):
    traces = Trace.objects.filter(has_thinking=True).count()
    params = {"tokenizer": tokenizer, "name": "own"}
    plan = make_plan("annotate_lengths", params)
    assert (plan.total, plan.unit, plan.spends["rows"]) == (traces, "traces", traces)
    # counts that came with the pool's file are the best guess of tokens before any of its own
    counted = work("annotate_lengths", **params, limit=100)
    assert counted["done"] == 100
    plan = make_plan("annotate_lengths", params)
    assert plan.total == traces - 100
    assert plan.spends["tokens"] == round(total_tokens("own") / 100 * (traces - 100))
    assert make_plan("annotate_lengths", params | {"limit": 7}).total == 7
    assert make_plan("annotate_lengths", params | {"limit": 10**9}).total == traces - 100
    # another name, other counts
    assert make_plan("annotate_lengths", params | {"name": "other"}).total == traces
    work("annotate_lengths", **params)
    plan = make_plan("annotate_lengths", params)
    assert (plan.total, plan.spends) == (0, {"rows": 0.0, "tokens": 0})
    assert plan.notes == ("every trace is counted already: there is nothing to do",)


def test_contamination_counts_the_questions_that_some_problem_was_not_compared_with(demo_pool: DemoPool, tmp_path):
    questions = Question.objects.count()
    plan = make_plan("annotate_contamination", {})
    assert (plan.title, plan.total, plan.unit) == ("Compare the pool with demo", questions, "questions")
    assert make_plan("annotate_contamination", {"limit": 9}).total == 9
    work("annotate_contamination", limit=100)
    assert make_plan("annotate_contamination", {}).total == questions - 100
    work("annotate_contamination")
    plan = make_plan("annotate_contamination", {})
    assert (plan.total, plan.notes[0].partition(":")[0]) == (
        0,
        "every question is compared with every benchmark already",
    )
    # a new benchmark is a pass over all questions
    path = write_lines(tmp_path / "new.jsonl", [{"id": "1", "problem": "How many are there?", "answer": "7"}])
    work("load_benchmark", path=str(path), name="new")
    assert make_plan("annotate_contamination", {}).total == questions


def test_contamination_without_a_benchmark_says_so(db):
    plan = make_plan("annotate_contamination", {})
    assert (plan.total, plan.notes) == (0, ("no benchmark is loaded: load one first",))


def test_curation_counts_the_pool_and_says_what_it_will_draw(demo_pool: DemoPool):
    plan = make_plan("curate", {"recipe": RECIPE})
    assert (plan.title, plan.total) == ("Curate 1,000 by paper, seed 0", Question.objects.count())
    assert make_plan("curate", {"recipe": find_preset("full").to_toml()}).title.startswith("Curate all that pass by ")


def test_curation_of_an_empty_pool_is_planned_with_a_note_as_an_import_may_come_first(db):
    assert make_plan("curate", {"recipe": RECIPE}).notes == ("the pool is empty: load questions first",)


def test_an_export_counts_the_members_of_its_selection(demo_pool: DemoPool, tmp_path):
    made = work("curate", recipe=RECIPE, name="mine")
    plan = make_plan("export_selection", {"selection": "mine", "out_dir": str(tmp_path / "out")})
    assert (plan.total, plan.unit) == (made["size"], "questions")
    assert plan.title == f"Export mine as s1k to {tmp_path / 'out'}"


# --- nothing is changed ---


@pytest.mark.parametrize(
    "name",
    [
        *("load_pool", "load_benchmark", "annotate_lengths", "annotate_contamination", "annotate_search"),
        *("curate", "export_selection", "trial_cpu", "trial_gpu"),
    ],
)
def test_a_plan_changes_nothing(demo_pool: DemoPool, tokenizer, tmp_path, artifact_dir, dump, name):
    work("curate", recipe=RECIPE, name="mine")
    load_problems(tmp_path, ["Which of these were not compared yet?"], "later")
    params: dict[str, Params] = {
        "load_pool": {"paths": [str(jsonl(tmp_path)), str(parquet(tmp_path))]},
        "load_benchmark": {
            "path": str(write_lines(tmp_path / "b.jsonl", [{"id": "1", "problem": "?", "answer": "7"}])),
            "name": "b",
        },
        "annotate_lengths": {"tokenizer": tokenizer},
        "annotate_contamination": {},
        "annotate_search": {},
        "curate": {"recipe": RECIPE, "name": "another"},
        "export_selection": {"selection": "mine", "out_dir": str(tmp_path / "out")},
        "trial_cpu": {"seconds": 3},
        "trial_gpu": {"seconds": 3},
    }
    files = sorted(tmp_path.rglob("*"))
    before = dump()
    plan = make_plan(name, params[name])
    assert dump() == before
    assert sorted(tmp_path.rglob("*")) == files
    assert json.loads(json.dumps(plan.to_json())) == plan.to_json()
    assert plan.total > 0
    assert plan.seconds is not None


# --- what cannot work is refused, by the same line as the work's own ---


def bad_cases(folder: Path) -> list[tuple[str, Params]]:
    damaged = folder / "damaged.parquet"
    damaged.write_bytes(b"PAR1 is not all of it")
    (folder / "empty.jsonl").write_text("")
    (folder / "kind.xyz").write_text("x")
    (folder / "nothing").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "theirs").write_text("x")
    (folder / "file").write_text("x")
    good, out = str(jsonl(folder)), str(folder / "out")
    return [
        *(
            ("load_pool", {"paths": [good, str(folder / name)]})
            for name in ("missing.jsonl", "damaged.parquet", "empty.jsonl", "kind.xyz", "nothing")
        ),
        ("load_pool", {"paths": [good], "mapping": ["question=nofield"]}),
        ("load_pool", {"paths": [good], "mapping": ["absent=answer"]}),
        ("load_pool", {"paths": [good], "mapping": ["question"]}),
        ("load_pool", {"paths": [good], "source": "s" * 1_000}),
        ("load_benchmark", {"path": str(folder / "missing.jsonl"), "name": "b"}),
        ("load_benchmark", {"path": good, "name": " "}),
        ("load_benchmark", {"path": good, "name": "b" * 101}),
        ("annotate_lengths", {}),
        ("annotate_lengths", {"tokenizer": ""}),
        ("annotate_lengths", {"tokenizer": str(folder / "missing")}),
        ("annotate_lengths", {"tokenizer": good, "limit": 0}),
        ("annotate_contamination", {"limit": -3}),
        ("curate", {"recipe": "no = toml ="}),
        ("curate", {"recipe": 'name = "x"\nsize = -1\n'}),
        ("curate", {"recipe": RECIPE, "name": "a/b"}),
        ("curate", {"recipe": RECIPE, "name": "n" * 200}),
        ("export_selection", {"selection": "nobody", "out_dir": out}),
        ("export_selection", {"selection": "mine", "out_dir": out, "layout": "s2k"}),
        ("export_selection", {"selection": "mine", "out_dir": out, "format": "xml"}),
        ("export_selection", {"selection": "mine", "out_dir": out, "chat_template": "some/model"}),
        ("export_selection", {"selection": "mine", "out_dir": str(folder / "full")}),
        ("export_selection", {"selection": "mine", "out_dir": str(folder / "file")}),
        ("trial_cpu", {"seconds": 10**6}),
        ("trial_gpu", {"seconds": "3"}),
    ]


def test_a_plan_refuses_what_cannot_work_with_the_line_of_the_work_itself(demo_pool: DemoPool, tmp_path):
    work("curate", recipe=RECIPE, name="mine")
    for kind, params in bad_cases(tmp_path):
        with pytest.raises(S1WebError) as planned:
            make_plan(kind, params)
        with pytest.raises(S1WebError) as worked:
            find_kind(kind).load_work()(params, ignore)
        assert str(planned.value) == str(worked.value), (kind, params)
        assert type(planned.value) is type(worked.value)
        assert "\n" not in str(planned.value)


# --- how long ---


def test_time_comes_from_a_guess_first_and_from_this_installations_own_runs_later(db, tmp_path):
    path = parquet(tmp_path)
    params = {"paths": [str(path)]}
    assert make_plan("load_pool", params).seconds == round(30 / KINDS["load_pool"].rates["rows"], 1)
    plan = Plan("", 50, "rows").to_json()
    make_job("done", kind="load_pool", done=50, seconds=100.0, plan=plan, ended_at=timezone.now())
    assert make_plan("load_pool", params).seconds == 60.0
    # bytes are another measure: no run of theirs, so the guess
    lines = jsonl(tmp_path)
    expected = round(lines.stat().st_size / KINDS["load_pool"].rates["bytes"], 1)
    assert make_plan("load_pool", {"paths": [str(lines)]}).seconds == expected


def test_a_kind_that_knows_its_time_says_so_whatever_ran_before(db):
    make_job("done", kind="trial_cpu", done=5, seconds=500.0, plan={"unit": "steps"}, ended_at=timezone.now())
    assert make_plan("trial_cpu", {"seconds": 7}).seconds == 7.0


def test_a_run_of_a_moment_says_how_long_a_process_takes_to_start_and_is_no_measure(db, tmp_path):
    plan = Plan("", 3, "rows").to_json()
    make_job("done", kind="load_pool", done=3, seconds=0.9, plan=plan, ended_at=timezone.now())
    guess = round(30 / KINDS["load_pool"].rates["rows"], 1)
    assert make_plan("load_pool", {"paths": [str(parquet(tmp_path))]}).seconds == guess
