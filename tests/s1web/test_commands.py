"""The command line: one JSON object with --json, one line for an error, a bar on a terminal alone."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class

from curation.demo.pool import DemoPool
from curation.hashing import question_hash
from tests.processes import ROOT, Project
from tests.s1web.command_line import Ended, command
from tests.s1web.pools import load_problems, load_rows, write_lines
from tests.twin import slow_recipe as twin

# a fixture
__all__ = ["command"]

COMMANDS = (
    "load_pool",
    "load_benchmark",
    "annotate",
    "curate",
    "explain",
    "export_selection",
    "overrule_contamination",
    "stability",
    "evaluate",
    "curve",
    "demo_data",
    "create_user",
    "job",
    "jobs",
    "workers",
    "up",
)
LOADED = {"read", "new", "updated", "unchanged", "rejected", "rejected_file", "seconds"}
ANNOTATED = {"done", "skipped", "failed", "requests", "tokens", "seconds"}


# --- one JSON object -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def story(make_project: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What every command prints with --json, each in a process of its own, one after another as a user would."""
    project, folder = make_project("sqlite"), tmp_path_factory.mktemp("story")
    data = folder / "data"
    steps: dict[str, tuple[object, ...]] = {
        "demo_data": ("demo_data", data, "--rows", 300),
        "load_pool": ("load_pool", data / "pool.jsonl"),
        "load_pool again": ("load_pool", data / "pool.jsonl"),
        "load_benchmark": ("load_benchmark", data / "benchmark.jsonl", "--name", "demo"),
        "lengths": ("annotate", "lengths", "--tokenizer", data / "tokenizer.json", "--tokenizer-name", "bpe"),
        "contamination": ("annotate", "contamination"),
        "curate": ("curate", "--preset", "paper", "--size", 50),
        "export_selection": ("export_selection", "paper-50-seed0", folder / "out"),
        "recipe": ("curate", "--recipe", folder / "out" / "recipe.toml", "--name", "from the export"),
    }
    printed: dict[str, Any] = {"project": project, "folder": folder}
    for name, arguments in steps.items():
        done = project.run(*arguments, "--json")
        assert (done.returncode, done.stderr) == (0, ""), name
        assert done.stdout.count("\n") == 1, name
        printed[name] = json.loads(done.stdout)
        if name == "curate":
            steps_left = ("explain", printed[name]["hashes"][0], "--json")
            printed["explain"] = json.loads(project.run(*steps_left).stdout)
    return printed


@pytest.mark.parametrize(
    ("step", "keys"),
    [
        ("load_pool", LOADED),
        ("load_benchmark", LOADED | {"name"}),
        ("lengths", ANNOTATED),
        ("contamination", ANNOTATED),
        ("curate", {"run", "selection", "size", "sha256", "ledger", "hashes"}),
        ("explain", {"question_hash", "run", "outcome", "stage", "rule", "stages", "rows", "contamination"}),
        ("export_selection", {"selection", "folder", "data_file", "rows", "layout", "format"}),
        ("demo_data", {"pool", "benchmark", "tokenizer"}),
    ],
)
def test_json_has_at_least_the_contracts_keys(story: dict[str, Any], step: str, keys: set[str]) -> None:
    assert keys <= story[step].keys()


def test_json_says_what_was_done(story: dict[str, Any]) -> None:
    loaded, again = story["load_pool"], story["load_pool again"]
    assert (loaded["read"], loaded["rejected"], loaded["rejected_file"]) == (300, 0, None)
    assert loaded["new"] + loaded["updated"] + loaded["unchanged"] == 300
    assert (again["read"], again["new"], again["updated"], again["unchanged"]) == (300, 0, 0, 300)
    assert (story["load_benchmark"]["new"], story["lengths"]["failed"]) == (60, 0)
    assert story["lengths"]["tokens"] > story["lengths"]["done"] > 280
    assert (story["contamination"]["done"], story["contamination"]["skipped"]) == (292, 0)
    assert story["export_selection"]["rows"] == story["curate"]["size"] == len(story["curate"]["hashes"]) == 50
    assert Path(story["export_selection"]["data_file"]).is_file()
    assert (story["explain"]["outcome"], story["explain"]["position"]) == ("selected", 0)


def test_an_exports_recipe_file_replays_the_selection(story: dict[str, Any]) -> None:
    first, replayed = story["curate"], story["recipe"]
    assert replayed["selection"] == "from the export"
    assert (replayed["sha256"], replayed["hashes"]) == (first["sha256"], first["hashes"])
    assert replayed["ledger"] == first["ledger"]


def test_commands_equal_the_slow_recipe_on_the_lengths_that_most_traces_have(story: dict[str, Any]) -> None:
    """The demo's own counts and the tokenizer's are both of every trace: the tokenizer that was run decides."""
    lines = (story["folder"] / "data" / "pool.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    problems = (story["folder"] / "data" / "benchmark.jsonl").read_text(encoding="utf-8").split("\n")
    from tokenizers import Tokenizer

    bpe = Tokenizer.from_file(str(story["folder"] / "data" / "tokenizer.json"))
    for row in rows:
        if row["thinking_trajectories"]:
            row["gemini_length"] = len(bpe.encode(row["thinking_trajectories"][0], add_special_tokens=False))
    expected = twin.select(rows, [json.loads(line)["problem"] for line in problems if line], "paper", 50, 0)
    assert story["curate"]["sha256"] == expected["sha256"]
    assert story["curate"]["ledger"] == expected["ledger"]


def test_rejected_rows_are_named_in_the_json_and_listed_in_a_file(
    command: Callable[..., Ended], tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [{"question": "One?"}, {"question": 7}, {"question": ""}])
    ended = command("load_pool", path, "--json")
    result = json.loads(ended.out)
    assert (ended.code, ended.err, result["new"], result["rejected"]) == (0, "", 1, 2)
    listed = [json.loads(line) for line in Path(result["rejected_file"]).read_text().split("\n") if line]
    assert [item["line"] for item in listed] == [2, 3]


def test_for_a_person_the_funnel_is_a_table_and_warnings_go_to_standard_error(
    command: Callable[..., Ended], tmp_path: Path, small_demo: DemoPool
) -> None:
    load_rows(tmp_path, small_demo.rows)
    ended = command("curate", "--preset", "random", "--size", 40)
    assert ended.code == 0
    assert re.search(r"^pool +300 +8 +292$", ended.out, re.MULTILINE)
    assert re.search(r"^  annotation\.missing +18 *$", ended.out, re.MULTILINE)
    assert re.search(r"^selection random-40-seed0: 40 questions, sha256 [0-9a-f]{64}$", ended.out, re.MULTILINE)
    assert ended.line.startswith("note: no benchmark is loaded")


def test_a_person_reads_the_whole_evidence_however_narrow_the_pipe(
    command: Callable[..., Ended], tmp_path: Path
) -> None:
    folder = tmp_path / ("a-folder-with-a-long-name-" * 6)
    load_rows(folder, [{"question": "Is [bold]this[/bold] a question? " + "word " * 30}])
    hash_ = question_hash("Is [bold]this[/bold] a question? " + "word " * 30)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[annotation]\nrequires = []\n[selection]\nmethod = "full"\n', encoding="utf-8")
    assert command("curate", "--recipe", recipe).code == 0
    ended = command("explain", hash_[:9])
    assert ended.code == 0
    assert "Is [bold]this[/bold] a question?" in ended.out
    assert str(folder / "rows.jsonl") in ended.out
    assert f"{hash_}  selected, number 1 of custom-seed0" in ended.out


# --- options change what is done -------------------------------------------------------------------------


def test_options_win_over_the_recipe_file(command: Callable[..., Ended], tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": f"Question {number}?"} for number in range(30)])
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'name = "mine"\nsize = 4\nseed = 9\n[annotation]\nrequires = []\n[selection]\nmethod = "random"\n'
    )
    runs = {
        options: json.loads(command("curate", "--recipe", recipe, *options, "--json").out)
        for options in [(), ("--seed", "9"), ("--seed", "1"), ("--size", "6"), ("--name", "called so")]
    }
    names = [run["selection"] for run in runs.values()]
    assert names == ["mine-4-seed9", "mine-4-seed9", "mine-4-seed1", "mine-6-seed9", "called so"]
    assert [run["size"] for run in runs.values()] == [4, 4, 4, 6, 4]
    assert len({run["sha256"] for run in runs.values()}) == 3
    # one more draw is drawn after the others
    assert runs[("--size", "6")]["hashes"][:4] == runs[()]["hashes"]


def test_explain_looks_at_the_run_or_selection_it_is_given(command: Callable[..., Ended], tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": f"Question {number}?"} for number in range(30)])
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[annotation]\nrequires = []\n[selection]\nmethod = 'random'\n")
    runs = [
        json.loads(command("curate", "--recipe", recipe, "--size", 3, "--seed", seed, "--json").out)
        for seed in (0, 1)
    ]
    first_only = next(hash_ for hash_ in runs[0]["hashes"] if hash_ not in runs[1]["hashes"])
    outcomes = [
        json.loads(command("explain", first_only, *options, "--json").out)["outcome"]
        for options in [(), ("--run", runs[0]["run"]), ("--run", runs[1]["run"]), ("--selection", "custom-3-seed0")]
    ]
    assert outcomes == ["dropped", "selected", "dropped", "selected"]


def test_a_question_is_overruled_by_command_and_selected_from_then_on(
    command: Callable[..., Ended], tmp_path: Path
) -> None:
    text = "How many oars has the ferry that leaves the quay at dawn?"
    load_rows(tmp_path, [{"question": text}, {"question": "Another?"}])
    load_problems(tmp_path, [text])
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[annotation]\nrequires = []\n[selection]\nmethod = 'full'\n")
    curate = ("curate", "--recipe", recipe, "--json")
    assert json.loads(command(*curate).out)["size"] == 1
    hash_ = question_hash(text)
    done = json.loads(command("overrule_contamination", hash_[:9], "--reason", "a song", "--by", "ada", "--json").out)
    assert (done["question_hash"], done["overruled"]) == (hash_, 1)
    assert hash_ in json.loads(command(*curate).out)["hashes"]
    assert json.loads(command("explain", hash_, "--json").out)["contamination"][0]["reason"] == "a song"


# --- one line for an error -------------------------------------------------------------------------------

ERRORS = {
    "an unknown preset": (["curate", "--preset", "s1"], "preset 's1' is not known; choose one of paper, released"),
    "size 0": (["curate", "--preset", "paper", "--size", "0"], "size=0 is out of range; give a whole number from 1"),
    "size that is no number": (["curate", "--preset", "paper", "--size", "many"], "invalid int value: 'many'"),
    "a negative seed": (["curate", "--preset", "paper", "--seed", "-1"], "seed=-1 is out of range"),
    "a seed beyond 63 bits": (["curate", "--preset", "paper", "--seed", str(2**63)], "is out of range"),
    "no recipe file": (["curate", "--recipe", "nowhere.toml"], "nowhere.toml: No such file or directory; check"),
    "a folder for a recipe": (["curate", "--recipe", "."], ".: Is a directory; check"),
    "neither preset nor recipe": (["curate"], "one of the arguments --preset --recipe is required"),
    "both preset and recipe": (["curate", "--preset", "paper", "--recipe", "x"], "not allowed with argument"),
    "an unknown option": (["curate", "--preset", "paper", "--sise", "7"], "unrecognized arguments: --sise 7"),
    "an unknown tokenizer": (
        ["curate", "--preset", "paper", "--tokenizer", "none"],
        "no trace lengths by tokenizer 'none' (there: none yet); count them with annotate lengths",
    ),
    "an unknown hash": (["explain", "abcdef"], "the pool has no question 'abcdef'; give the 16 hex digits"),
    "no hash": (["explain"], "the following arguments are required: HASH"),
    "no run yet": (["explain", question_hash("One?")], "no run (there is none yet); make one with curate"),
    "an unknown run": (["explain", question_hash("One?"), "--run", "7"], "no run 7 (there is none yet)"),
    "an unknown selection": (["explain", question_hash("One?"), "--selection", "s"], "no selection 's' (there:"),
    "a selection that is not there": (["export_selection", "mine", "out"], "no selection 'mine' (there: none yet)"),
    "no folder": (["export_selection", "mine"], "the following arguments are required: OUT_DIR"),
    "an unknown layout": (["export_selection", "mine", "out", "--layout", "s2k"], "invalid choice: 's2k'"),
    "an unknown format": (["export_selection", "mine", "out", "--format", "csv"], "invalid choice: 'csv'"),
    "an unknown kind": (["annotate", "colours"], "invalid choice: 'colours'"),
    "no kind": (["annotate"], "the following arguments are required: KIND"),
    "lengths without a tokenizer": (["annotate", "lengths"], "annotate lengths needs --tokenizer"),
    "a tokenizer that is not there": (
        ["annotate", "lengths", "--tokenizer", "./nowhere"],
        "tokenizer './nowhere' cannot be loaded",
    ),
    "a limit of 0": (["annotate", "contamination", "--limit", "0"], "--limit 0 leaves nothing to do; give 1 or more"),
    "an unknown hash to overrule": (
        ["overrule_contamination", "abcdef", "--reason", "boilerplate"],
        "the pool has no question 'abcdef'",
    ),
    "nothing to overrule": (
        ["overrule_contamination", question_hash("One?"), "--reason", "boilerplate"],
        "has no evidence of contamination to overrule",
    ),
    "overruling without a reason": (["overrule_contamination", "abcdef"], "arguments are required: --reason"),
    "a tokenizer for contamination": (
        ["annotate", "contamination", "--tokenizer", "x"],
        "--tokenizer and --tokenizer-name are for annotate lengths, not contamination",
    ),
    "no benchmark file": (["load_benchmark", "nowhere.jsonl", "--name", "x"], "nowhere.jsonl: no such file"),
    "a benchmark without a name": (["load_benchmark", "nowhere.jsonl"], "arguments are required: --name"),
    "no pool file": (["load_pool", "nowhere.jsonl"], "nowhere.jsonl: no such file; give a path, or hf://"),
    "no path": (["load_pool"], "the following arguments are required: PATH"),
    "too few demo rows": (["demo_data", "demo-out", "--rows", "7"], "--rows 7, --seed 0: num_questions=7"),
}


@pytest.mark.parametrize("json_too", [False, True], ids=["for a person", "with --json"])
@pytest.mark.parametrize("case", ERRORS)
def test_an_error_is_one_line_on_standard_error_and_exit_code_1(
    command: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, json_too: bool
) -> None:
    load_rows(tmp_path, [{"question": "One?", "thinking": "Hm."}])
    monkeypatch.chdir(tmp_path)
    arguments, said = ERRORS[case]
    ended = command(*arguments, *(["--json"] if json_too else []))
    assert (ended.code, ended.out) == (1, "")
    assert said in ended.line
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "mine.toml: the recipe is not valid TOML"),
        ("sise = 7", "'sise' is not known in the recipe's top level; allowed: name, size, seed"),
        ("[selection]\nmethod = 'longst'", "method='longst' is not known; choose one of rank"),
        ("[selektion]\n", "'selektion' is not known"),
        ("size = 'many'", "size = 'many' must be a whole number"),
        ("base = 'papr'", "preset 'papr' is not known"),
        ("[annotation]\nrequires = ['domian']", "requires holds 'domian'; allowed: small_grade"),
        (b"\xff\xfe", "mine.toml: the recipe is not UTF-8 text"),
    ],
)
def test_a_broken_recipe_says_what_is_wrong_with_which_file(
    command: Callable[..., Ended], tmp_path: Path, text: str | bytes, said: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ended = command("curate", "--recipe", path)
    assert (ended.code, ended.out) == (1, "")
    assert said in ended.line
    assert str(path) in ended.line


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL cannot be read"),
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "check DATABASE_URL and the server"),
        ({"DATABASE_URL": "sqlite:////proc/nowhere/pool.sqlite3"}, "/proc/nowhere"),
        ({"POOL_BATCH_ROWS": "many"}, "POOL_BATCH_ROWS='many' is not a whole number"),
        ({"DEBUG": "perhaps"}, "DEBUG='perhaps' is neither on nor off"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_used_is_one_line_too(tmp_path: Path, variables: dict[str, str], said: str) -> None:
    project = Project(f"sqlite:///{tmp_path / 'pool.sqlite3'}", tmp_path / "artifacts")
    done = subprocess.run(
        [sys.executable, "manage.py", "curate", "--preset", "paper", "--json"],
        cwd=ROOT,
        env=project.environment | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert said in Ended(1, "", done.stderr).line


def test_a_database_without_tables_is_told_how_to_get_them(
    make_project: Callable[[str], Project], tmp_path: Path
) -> None:
    project = make_project("postgresql")
    done = project.run("load_pool", write_lines(tmp_path / "rows.jsonl", [{"question": "One?"}]))
    assert (done.returncode, done.stdout) == (1, "")
    assert Ended(1, "", done.stderr).line.endswith("run: python manage.py migrate")


# --- a bar on a terminal alone ---------------------------------------------------------------------------


def run_on_a_terminal(project: Project, *arguments: object) -> tuple[str, str]:
    """(standard output, standard error) of a command whose standard error is a terminal."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=ROOT,
        env=project.environment | {"TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=follower,
    ) as process:
        os.close(follower)
        seen = b""
        # reading ends with an error once the other side is closed
        try:
            while chunk := os.read(leader, 65_536):
                seen += chunk
        except OSError:
            pass
        out = process.stdout.read().decode() if process.stdout else ""
    os.close(leader)
    assert process.returncode == 0, seen
    return out, seen.decode()


@pytest.fixture(scope="module")
def loaded_pool(story: dict[str, Any], make_project: Callable[[str], Project]) -> Project:
    """The demo pool and its benchmark, neither counted nor compared yet."""
    project, data = make_project("sqlite"), story["folder"] / "data"
    project.json_all(
        [["load_pool", data / "pool.jsonl"], ["load_benchmark", data / "benchmark.jsonl", "--name", "demo"]]
    )
    return project


@pytest.mark.parametrize(
    ("what", "arguments"),
    [
        ("loading", ["load_pool", "{data}/pool.jsonl"]),
        ("annotating lengths", ["annotate", "lengths", "--tokenizer", "{data}/tokenizer.json"]),
        ("annotating contamination", ["annotate", "contamination"]),
        ("comparing with the benchmarks", ["curate", "--preset", "random", "--size", "5"]),
    ],
)
def test_a_bar_is_shown_on_a_terminal_and_neither_in_a_pipe_nor_with_json(
    story: dict[str, Any], loaded_pool: Project, tmp_path: Path, what: str, arguments: list[str]
) -> None:
    data = story["folder"] / "data"
    given = [argument.format(data=data) for argument in arguments]
    seen = {}
    for way in ("terminal", "pipe", "json"):
        # a pool of its own for each, as what is done already shows no progress
        project = Project(f"sqlite:///{tmp_path / way}.sqlite3", tmp_path / "artifacts")
        if what != "loading":
            shutil.copy(loaded_pool.sqlite_path, project.sqlite_path)
        if way == "pipe":
            done = project.run(*given)
            assert done.returncode == 0, done.stderr
            seen[way] = done.stderr
        else:
            out, seen[way] = run_on_a_terminal(project, *given, *(["--json"] if way == "json" else []))
            assert ("━" in out, way == "json") in [(False, True), (False, False)]
    assert what in seen["terminal"]
    assert "━" in seen["terminal"]
    assert (seen["pipe"], seen["json"]) == ("", "")


# --- help ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_every_option_with_what_it_does(command: Callable[..., Ended], name: str) -> None:
    ended = command(name, "--help")
    assert (ended.code, ended.err) == (0, "")
    shown = " ".join(ended.out.split())
    parser = load_command_class("s1web", name).create_parser("manage.py", name)
    ours = [action for action in parser._actions if action.help != "==SUPPRESS=="]
    # `up` goes on until it is stopped: it has no result to print
    assert ("--json" in [option for action in ours for option in action.option_strings]) == (name != "up")
    for action in ours:
        assert action.help, action
        assert " ".join((action.help % {"default": action.default}).split()) in re.sub(r"- (?=\S)", "-", shown) or (
            " ".join(action.help.split()) in shown
        ), action
        for option in action.option_strings or [str(action.metavar)]:
            assert option in shown
    # of Django's own, only what a user may want
    assert "--pythonpath" not in shown


def test_no_command_is_left_out_here() -> None:
    folder = ROOT / "s1web" / "management" / "commands"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(COMMANDS)
