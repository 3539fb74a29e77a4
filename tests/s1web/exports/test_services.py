"""A selection as a folder that others load: what it holds, and that it is whole or not there."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from curation.demo.pool import DemoPool
from curation.errors import ConfigError, ConflictError
from curation.hashing import question_hash
from curation.presets import PRESETS, Recipe, recipe_from_toml
from s1web.exports import services
from s1web.exports.layouts import LAYOUTS, SCHEMAS
from s1web.exports.services import FORMATS, export_selection
from s1web.exports.templates import load_chat_template
from s1web.pool.contamination import check_contamination, overrule
from s1web.pool.models import Question
from s1web.selections.models import Selection
from s1web.selections.services import curate
from tests.s1web.pools import load_problems, load_rows
from tests.twin import slow_recipe as twin

QUESTION_COLUMNS = ["solution", "question", "cot_type", "source_type", "metadata", "cot"]
BARE = Recipe(name="bare", method="full", requires=(), rules=(), decontaminate=False)


@pytest.fixture
def read_back(tmp_path_factory) -> Callable[[Path], list[dict[str, Any]]]:
    """What `datasets.load_dataset` makes of a folder, without the network."""
    cache = str(tmp_path_factory.mktemp("datasets-cache"))

    def read(folder: Path) -> list[dict[str, Any]]:
        loaded = datasets.load_dataset(str(folder), cache_dir=cache)
        assert list(loaded) == ["train"]
        return loaded["train"].to_list()

    return read


def spec_text(question: str, thinking: str, attempt: str) -> str:
    """The training text of spec section 4 in Qwen2.5-Instruct's chat template, written out."""
    answer = attempt if "Answer:" in attempt else "Answer: " + attempt
    return (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n" + question + "<|im_end|>\n"
        "<|im_start|>assistant\n<|im_start|>think\n" + thinking + "\n<|im_start|>answer\n" + answer + "<|im_end|>\n"
    )


def expected_row(layout: str, row: twin.Row) -> dict[str, Any]:
    """A row of the demo pool in a layout, written from the layouts' description."""
    values: dict[str, Any] = {name: row.get(name) for name in QUESTION_COLUMNS}
    thinking, attempt, question = row["thinking_trajectories"][0], row["attempt"], row["question"]
    if layout in ("s1k", "text"):
        values |= {"thinking_trajectories": [thinking], "attempt": attempt}
    if layout == "s1k-1.1":
        grade = {True: "Yes", False: "No"}[row["isgeminicorrect"]]
        for author, parts in (("gemini", (thinking, attempt, grade, None)), ("deepseek", (None,) * 4)):
            names = ("thinking_trajectory", "attempt", "grade", "grade_reason")
            values |= {f"{author}_{name}": part for name, part in zip(names, parts, strict=True)}
    if layout == "text":
        values["text"] = spec_text(question, thinking, attempt)
    if layout == "messages":
        content = spec_text(question, thinking, attempt).partition("<|im_start|>assistant\n")[2]
        return {
            "question_hash": row["question_hash"],
            "source_type": row["source_type"],
            "messages": [
                {"role": "user", "content": question},
                {"role": "assistant", "content": content.removesuffix("<|im_end|>\n")},
            ],
        }
    return values


# --- what is written -------------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_load_dataset_reads_every_field_of_every_row_in_the_selections_order(
    demo_pool: DemoPool,
    selection: Selection,
    tmp_path: Path,
    read_back: Callable[[Path], list[dict[str, Any]]],
    layout: str,
    file_format: str,
) -> None:
    exported = export_selection(selection, tmp_path / "out", layout=layout, file_format=file_format)
    rows = {row["question_hash"]: row for row in twin.merge_pool(demo_pool.rows)}
    hashes = list(selection.members.order_by("position").values_list("question__question_hash", flat=True))
    found = read_back(exported.folder)
    assert found == [expected_row(layout, rows[hash_]) for hash_ in hashes]
    assert exported.rows == len(found) == 60
    assert exported.data_file == tmp_path / "out" / "data" / f"train-00000-of-00001.{file_format}"
    assert list(found[0]) == SCHEMAS[layout].names


def test_the_folder_holds_the_data_the_ledger_and_the_recipe_and_nothing_else(
    selection: Selection, tmp_path: Path
) -> None:
    export_selection(selection, tmp_path / "deep" / "out")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if "rows" not in path.name) == [
        "deep",
        "deep/out",
        "deep/out/data",
        "deep/out/data/train-00000-of-00001.parquet",
        "deep/out/ledger.json",
        "deep/out/recipe.toml",
        "demo.jsonl",
    ]


def test_the_ledger_beside_it_is_the_runs_own(selection: Selection, tmp_path: Path) -> None:
    export_selection(selection, tmp_path / "out", layout="messages")
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_text(encoding="utf-8"))
    run = selection.run
    assert ledger["ledger"] == run.ledger
    assert (ledger["selection"], ledger["size"], ledger["sha256"]) == ("paper-60-seed0", 60, selection.sha256)
    assert twin.selection_sha256(ledger["hashes"]) == selection.sha256
    assert (ledger["seed"], ledger["layout"], ledger["recipe"]) == (0, "messages", run.recipe)
    assert (ledger["pool_fingerprint"], ledger["code_version"]) == (run.pool_fingerprint, run.code_version)
    assert (ledger["contaminated"], ledger["contaminated_allowed_because"]) == ([], None)


def test_the_recipe_beside_it_replays_to_the_same_selection(selection: Selection, tmp_path: Path) -> None:
    export_selection(selection, tmp_path / "out")
    recipe = recipe_from_toml((tmp_path / "out" / "recipe.toml").read_text(encoding="utf-8"))
    assert recipe.to_json() == selection.run.recipe
    Selection.objects.all()  # the first run stays: the replay must not depend on it being gone
    assert curate(recipe, name="replayed").selection.sha256 == selection.sha256


def test_rows_come_in_batches_and_stay_in_order(
    selection: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "BATCH_ROWS", 7)
    exported = export_selection(selection, tmp_path / "out", layout="messages")
    table = pq.ParquetFile(exported.data_file)
    assert table.num_row_groups == 9
    hashes = list(selection.members.order_by("position").values_list("question__question_hash", flat=True))
    assert table.read(["question_hash"])["question_hash"].to_pylist() == hashes


def test_an_export_asks_a_query_more_only_for_a_batch_more(demo_pool: DemoPool, tmp_path: Path) -> None:
    def count(size: int) -> int:
        selection = curate(replace(PRESETS["random"], size=size)).selection
        with CaptureQueriesContext(connection) as queries:
            export_selection(selection, tmp_path / str(size))
        return len(queries)

    assert count(10) == count(190)


# --- texts as they are -----------------------------------------------------------------------------------

HOSTILE = "a\u2028b\u0085c\r\nd\te \"q\" 'p' <b> \\n é 漢 🜚 \x7f"


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_character_is_lost(
    db: None, tmp_path: Path, read_back: Callable[[Path], list[dict[str, Any]]], file_format: str
) -> None:
    row = {
        "question": f"Q{HOSTILE}",
        "solution": f"S{HOSTILE}",
        "cot": f"C{HOSTILE}",
        "metadata": json.dumps({"note": HOSTILE}),
        "thinking_trajectories": [f"T{HOSTILE}"],
        "attempt": f"A{HOSTILE}",
    }
    load_rows(tmp_path, [row])
    exported = export_selection(curate(BARE).selection, tmp_path / "out", file_format=file_format)
    (found,) = read_back(exported.folder)
    assert {name: found[name] for name in row} == row


def test_missing_values_are_null_and_an_empty_trace_an_empty_list(
    db: None, tmp_path: Path, read_back: Callable[[Path], list[dict[str, Any]]]
) -> None:
    load_rows(tmp_path, [{"question": "Bare?", "source_type": "own"}])
    selection = curate(BARE).selection
    (found,) = read_back(export_selection(selection, tmp_path / "one").folder)
    assert found == dict.fromkeys(QUESTION_COLUMNS) | {
        "question": "Bare?",
        "source_type": "own",
        "thinking_trajectories": [],
        "attempt": None,
    }
    (found,) = read_back(export_selection(selection, tmp_path / "two", layout="s1k-1.1").folder)
    assert {name for name, value in found.items() if value is not None} == {"question", "source_type"}


def test_layout_s1k_1_1_gives_each_author_columns_of_its_own(
    db: None, tmp_path: Path, read_back: Callable[[Path], list[dict[str, Any]]]
) -> None:
    given = {
        "question": "How many?",
        "gemini_thinking_trajectory": "G thinks",
        "gemini_attempt": "G says 7",
        "gemini_grade": "Yes",
        "gemini_grade_reason": "Both are 7.\nYes",
        "deepseek_thinking_trajectory": "D thinks",
        "deepseek_attempt": "D says 8",
        "deepseek_grade": "No",
        "deepseek_grade_reason": "",
    }
    load_rows(tmp_path, [given])
    (found,) = read_back(export_selection(curate(BARE).selection, tmp_path / "out", layout="s1k-1.1").folder)
    assert {name: found[name] for name in given} == given | {"deepseek_grade_reason": None}


def test_the_exported_trace_is_that_of_the_recipes_generator(db: None, tmp_path: Path) -> None:
    for generator in ("one", "two"):
        row = {"question": "Whose?", "thinking": f"{generator} thinks", "attempt": generator, "generator": generator}
        load_rows(tmp_path, [row], generator)
    for generator, expected in (("", "one"), ("one", "one"), ("two", "two")):
        selection = curate(replace(BARE, name=f"by {generator}", generator=generator)).selection
        exported = export_selection(selection, tmp_path / f"out-{generator}")
        assert pq.read_table(exported.data_file)["attempt"].to_pylist() == [expected]
        assert pq.read_table(exported.data_file)["thinking_trajectories"].to_pylist() == [[f"{expected} thinks"]]


def test_of_a_generators_traces_the_one_that_the_recipe_measured_goes_out(db: None, tmp_path: Path) -> None:
    for thinking, attempt in [("", "no thinking"), ("Hm.", "first"), ("Hm, hm, hm.", "second")]:
        row = {"question": "Whose?", "thinking": thinking, "attempt": attempt, "generator": "old"}
        load_rows(tmp_path, [row], attempt)
    for generator in ("", "old"):
        selection = curate(replace(BARE, name=f"by {generator}", generator=generator)).selection
        exported = export_selection(selection, tmp_path / f"out-{generator}")
        assert pq.read_table(exported.data_file)["attempt"].to_pylist() == ["first"]


# --- layouts that need traces ----------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["messages", "text"])
def test_a_layout_made_of_traces_refuses_questions_without(db: None, tmp_path: Path, layout: str) -> None:
    rows = [{"question": "Traced?", "thinking": "Hm.", "attempt": "7"}, {"question": "Not?"}, {"question": "Nor?"}]
    load_rows(tmp_path, [*rows, {"question": "Answered alone?", "attempt": "7"}])
    selection = curate(BARE).selection
    with pytest.raises(ConfigError, match=f"3 of the 4 questions have no trace, which layout {layout} is made of"):
        export_selection(selection, tmp_path / "out", layout=layout)
    assert not (tmp_path / "out").exists()
    assert export_selection(selection, tmp_path / "out", layout="s1k").rows == 4


@pytest.mark.parametrize(
    ("layout", "file_format", "said"),
    [
        ("s2k", "parquet", "--layout 's2k' is not known; choose one of s1k, s1k-1.1, messages, text"),
        ("s1k", "csv", "--format 'csv' is not known; choose one of parquet, jsonl"),
    ],
)
def test_what_is_not_known_is_named_with_what_is(
    selection: Selection, tmp_path: Path, layout: str, file_format: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        export_selection(selection, tmp_path / "out", layout=layout, file_format=file_format)


# --- contamination ---------------------------------------------------------------------------------------


@pytest.fixture
def leaked(selection: Selection, tmp_path: Path) -> list[str]:
    """The selection's questions that overlap with a benchmark loaded after the run: two of its own, and their kin."""
    members = [member.question for member in selection.members.order_by("position").select_related("question")]
    problems = [members[place].text for place in (3, 50)]
    load_problems(tmp_path, problems, "late")
    return [item.question_hash for item in members if twin.is_contaminated(item.text, problems)]


def test_rows_that_overlap_with_a_benchmark_do_not_go_out(
    selection: Selection, tmp_path: Path, leaked: list[str]
) -> None:
    assert 2 <= len(leaked) < 10
    said = (
        rf"{len(leaked)} of the 60 questions overlap with a loaded benchmark \(the first: {leaked[0]}\).*--allow-con"
    )
    for reason in ("", "  "):
        with pytest.raises(ConflictError, match=said):
            export_selection(selection, tmp_path / "out", allow_contaminated=reason)
    assert not (tmp_path / "out").exists()


def test_contaminated_rows_go_out_with_a_reason_which_is_kept(
    selection: Selection, tmp_path: Path, leaked: list[str]
) -> None:
    exported = export_selection(selection, tmp_path / "out", allow_contaminated="to measure the leak")
    assert exported.rows == 60
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_text(encoding="utf-8"))
    assert ledger["contaminated"] == leaked
    assert ledger["contaminated_allowed_because"] == "to measure the leak"


def test_a_reason_without_need_is_not_written_down_as_one(selection: Selection, tmp_path: Path) -> None:
    export_selection(selection, tmp_path / "out", allow_contaminated="in case")
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_text(encoding="utf-8"))
    assert (ledger["contaminated"], ledger["contaminated_allowed_because"]) == ([], None)


def test_overruled_rows_go_out(selection: Selection, tmp_path: Path, leaked: list[str]) -> None:
    check_contamination()
    for hash_ in leaked[1:]:
        overrule(hash_, reason="boilerplate", decided_by="ada")
    with pytest.raises(ConflictError, match=rf"1 of the 60 questions overlap .*the first: {leaked[0]}"):
        export_selection(selection, tmp_path / "out")
    overrule(leaked[0], reason="boilerplate", decided_by="ada")
    assert export_selection(selection, tmp_path / "out").rows == 60


def test_what_the_recipe_did_not_look_for_is_found_at_export(demo_pool: DemoPool, tmp_path: Path) -> None:
    selection = curate(replace(PRESETS["full"], decontaminate=False)).selection
    planted = demo_pool.planted["decontamination.ngram"] + demo_pool.planted["decontamination.short"]
    members = set(selection.members.values_list("question__question_hash", flat=True))
    num_leaks = len(members & set(planted))
    assert num_leaks > 0
    with pytest.raises(ConflictError, match=f"{num_leaks} of the {selection.size} questions overlap"):
        export_selection(selection, tmp_path / "out")


# --- chat templates --------------------------------------------------------------------------------------


@pytest.fixture
def make_tokenizer(tmp_path: Path) -> Callable[[str | None], Path]:
    """Makes a tokenizer's folder with a chat template, or with none."""

    def make(template: str | None) -> Path:
        from tokenizers import Tokenizer, models

        folder = tmp_path / "tokenizer"
        folder.mkdir()
        Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")).save(str(folder / "tokenizer.json"))
        config = {"tokenizer_class": "PreTrainedTokenizerFast"} | ({"chat_template": template} if template else {})
        (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
        return folder

    return make


def test_layout_text_uses_the_template_of_a_given_tokenizer(
    db: None, tmp_path: Path, make_tokenizer: Callable[[str | None], Path]
) -> None:
    load_rows(tmp_path, [{"question": "How many?", "thinking": "Hm.", "attempt": "7"}])
    folder = make_tokenizer("{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}")
    render = load_chat_template(str(folder))
    exported = export_selection(curate(BARE).selection, tmp_path / "out", layout="text", render=render)
    assert pq.read_table(exported.data_file)["text"].to_pylist() == [
        "[user]How many?[assistant]<|im_start|>think\nHm.\n<|im_start|>answer\nAnswer: 7"
    ]


def test_a_tokenizer_without_a_template_is_refused(make_tokenizer: Callable[[str | None], Path]) -> None:
    with pytest.raises(ConfigError, match="has no chat template; give the tokenizer of a chat model"):
        load_chat_template(str(make_tokenizer(None)))


def test_a_folder_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(
        ConfigError, match=r"--chat-template '.*nothing' cannot be loaded: .*; give a name or a folder"
    ):
        load_chat_template(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    "template", ["{{ raise_exception('system first') }}", "{% for %}", "{{ messages[9]['content'].nothing() }}"]
)
def test_a_template_that_fails_is_one_clear_error_and_no_export(
    db: None, tmp_path: Path, make_tokenizer: Callable[[str | None], Path], template: str
) -> None:
    load_rows(tmp_path, [{"question": "How many?", "thinking": "Hm.", "attempt": "7"}])
    folder = make_tokenizer(template)
    with pytest.raises(ConfigError, match=r"--chat-template '.*tokenizer' cannot render a conversation: "):
        export_selection(
            curate(BARE).selection, tmp_path / "out", layout="text", render=load_chat_template(str(folder))
        )
    assert not (tmp_path / "out").exists()


def test_questions_keep_their_identity_through_an_export(
    selection: Selection, tmp_path: Path, read_back: Callable[[Path], list[dict[str, Any]]]
) -> None:
    found = read_back(export_selection(selection, tmp_path / "out").folder)
    hashes = [question_hash(row["question"]) for row in found]
    assert twin.selection_sha256(hashes) == selection.sha256
    # and loaded again they are the pool's own
    before = Question.objects.count()
    load_rows(tmp_path, found, "again")
    assert Question.objects.count() == before
