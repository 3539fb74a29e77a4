"""Rows as they are trained on, in a terminal and as data: every token, its loss, what is cut, and nothing obeyed."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.training.templates import make_tokenizer
from tests.training.tiny_run import ROWS, write_run
from training import preview
from training.formatting import TextFormat
from training.masking import ExampleMaker
from training.token_runs import count_kinds, harmless, token_runs, token_texts

HOSTILE = (
    "a \x1b[31mred\x1b]0;title\x07 [bold]b[/bold] [link=http://x]l[/link] \u202eevil\u202c \x9b31m :smile: "
    "\r gone \x7f\u2028\u200b\ufeff 🙂 \ue000"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"), [*ROWS[:2], ROWS[0] | {"thinking": HOSTILE}])


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert preview.main([*arguments, "--json"]) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return shown


@pytest.mark.parametrize("block_size", [10_000, 1, 70, 100, 134])
def test_runs_hold_every_token_once_and_agree_with_the_labels(block_size: int) -> None:
    tokenizer = make_tokenizer()
    example = ExampleMaker(tokenizer, TextFormat()).make("How many? é🙂", "Three 🧮 and\n\nfour.", "7 日本")
    runs = token_runs(example, block_size, tokenizer)
    tokens = [(run, token) for run in runs for token in run.tokens]
    assert tuple(token.id for _, token in tokens) == example.ids
    assert "".join(run.text for run in runs) == tokenizer.decode(list(example.ids))
    cut = example.cut(block_size)
    with_loss = [label != -100 for label in cut.labels()]
    assert [run.has_loss for run, _ in tokens] == with_loss + [False] * (len(example.ids) - len(cut.ids))
    assert [run.kind == "cut" for run, _ in tokens] == [place >= block_size for place in range(len(example.ids))]
    starts = [run.start for run in runs]
    assert starts == [sum(len(run.tokens) for run in runs[:place]) for place in range(len(runs))]


def test_runs_say_where_thinking_ends_and_the_answer_begins() -> None:
    tokenizer = make_tokenizer()
    example = ExampleMaker(tokenizer, TextFormat()).make("How many?", "Three and four.", "7")
    runs = token_runs(example, 10_000, tokenizer)
    assert [(run.kind, run.text) for run in runs[1:]] == [
        ("thinking", "<|im_start|>think\nThree and four.\n"),
        ("answer", "<|im_start|>answer\nAnswer: 7"),
        ("end", "<|im_end|>"),
        ("rest", "\n"),
    ]


def test_a_cut_run_says_what_was_cut() -> None:
    tokenizer = make_tokenizer()
    example = ExampleMaker(tokenizer, TextFormat()).make("How many?", "Three and four.", "7")
    runs = token_runs(example, example.first + 5, tokenizer)
    assert [(run.kind, run.part) for run in runs] == [
        ("prompt", "prompt"),
        ("thinking", "thinking"),
        ("cut", "thinking"),
        ("cut", "answer"),
        ("cut", "end"),
        ("cut", "rest"),
    ]
    counts = count_kinds(runs)
    assert counts["tokens"] == len(example.ids)
    assert (counts["with_loss"], counts["thinking"], counts["answer"], counts["end"]) == (5, 5, 0, 0)
    assert counts["cut"] == len(example.ids) - example.first - 5


@pytest.mark.parametrize(
    "text", ["🙂", "a🙂b", "日本語 🧮🧮", "\ufffd", "a\ufffd\ufffd\ufffd\ufffdb", "é", " x  y ", ""]
)
def test_texts_of_ids_join_to_the_text(text: str) -> None:
    tokenizer = make_tokenizer()
    assert "".join(token_texts(tokenizer(text)["input_ids"], tokenizer)) == text


def test_a_character_of_several_ids_stands_at_the_last_of_them() -> None:
    tokenizer = make_tokenizer()
    ids = tokenizer("a🙂b")["input_ids"]
    assert token_texts(ids, tokenizer) == ["a", *[""] * (len(ids) - 3), "🙂", "b"]


def test_ids_cut_within_a_character_are_shown_as_broken() -> None:
    tokenizer = make_tokenizer()
    ids = tokenizer("a🙂")["input_ids"][:-1]
    assert "".join(token_texts(ids, tokenizer)) == "a\ufffd"


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert harmless("\x1b[31m\u202e\r\x00\x9b\u2028") == "⟨U+001B⟩[31m⟨U+202E⟩⟨U+000D⟩⟨U+0000⟩⟨U+009B⟩⟨U+2028⟩"
    assert harmless("a\nb") == "a⏎\nb"
    assert harmless("plain, é 日本 🙂 [bold]") == "plain, é 日本 🙂 [bold]"


@pytest.mark.parametrize("colours", [True, False])
def test_hostile_text_reaches_the_terminal_as_letters(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, colours: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if colours:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
    assert preview.main([str(run), "--row", "3", "--tokens", "0"]) == 0
    printed = capsys.readouterr().out
    assert ("\x1b[" in printed) is colours
    # our own colours and nothing else
    bare = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    assert not any(character in bare for character in "\x1b\x07\x00\x7f\x9b\r\u202e\u202c\u2028\u200b\ufeff\ue000")
    expected = "".join(harmless(each) for each in HOSTILE)
    assert expected in bare


def test_colours_tell_loss_from_no_loss(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert preview.main([str(run), "--row", "1", "--tokens", "0"]) == 0
    lines = capsys.readouterr().out.split("── ")
    styles = [set(line.split("\x1b[")[1:2]) and line.split("\x1b[")[1].split("m")[0] for line in lines[1:5]]
    assert len({*styles}) == 4


def test_the_terminal_names_each_part_and_counts_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preview.main([str(run), "--row", "1", "--tokens", "0", "--set", "block_size=105"]) == 0
    printed = capsys.readouterr().out
    rows = as_json(capsys, str(run), "--row", "1", "--set", "block_size=105")["rows"]
    counts = rows[0]["counts"]
    assert f"row 1: {counts['tokens']} tokens, {counts['with_loss']} with loss, {counts['cut']} cut off" in printed
    assert f"── question, no loss: {counts['prompt']} tokens" in printed
    assert f"── thinking, loss: {counts['thinking']} tokens" in printed
    assert "── thinking, cut off at the block size: " in printed
    assert "── end, cut off at the block size: 1 tokens" in printed


def test_long_parts_show_both_ends_and_how_much_is_between(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preview.main([str(run), "--row", "1", "--tokens", "5"]) == 0
    printed = capsys.readouterr().out
    counts = as_json(capsys, str(run), "--row", "1")["rows"][0]["counts"]
    assert f"… {counts['thinking'] - 10} tokens …" in printed
    assert ROWS[0]["thinking"] not in printed.replace("⏎", "")


def test_borders_stand_between_tokens(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preview.main([str(run), "--row", "1", "--tokens", "0", "--borders"]) == 0
    assert "<|im_end|>│⏎\n│<|im_start|>│" in capsys.readouterr().out


def test_json_holds_every_token_and_no_character_that_a_terminal_obeys(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preview.main([str(run), "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed.removesuffix("\n").isascii()
    assert "\x1b" not in printed
    shown = json.loads(printed)
    assert [row["row"] for row in shown["rows"]] == [1, 2, 3]
    thinking = next(each for each in shown["rows"][2]["runs"] if each["kind"] == "thinking")
    assert HOSTILE in "".join(token["text"] for token in thinking["tokens"])
    assert thinking["has_loss"] is True


@pytest.mark.parametrize(
    ("arguments", "numbers"), [((), [1, 2, 3]), (("--rows", "2"), [1, 2]), (("--row", "2"), [2])]
)
def test_rows_are_chosen_by_count_or_number(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], numbers: list[int]
) -> None:
    assert [row["row"] for row in as_json(capsys, str(run), *arguments)["rows"]] == numbers


def test_fewer_rows_than_asked_for_are_all_of_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(as_json(capsys, str(run), "--rows", "99")["rows"]) == 3


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--rows", "0"), "--rows 0; a whole number of 1 or more is needed"),
        (("--row", "0"), "--row 0; a whole number of 1 or more is needed"),
        (("--tokens", "-1"), "--tokens -1; a whole number of 0 or more is needed"),
        (("--row", "4"), "rows.jsonl: no row 4; it has 3"),
        (("--set", "x"), "--set 'x' is no KEY=VALUE"),
        (("--set", "pad_token=<|im_end|>"), "the pad token is the end token '<|im_end|>'"),
        (("--set", "model=/nowhere"), "model '/nowhere': its tokenizer cannot be loaded"),
        (("--set", "data=/nowhere"), "/nowhere: no such file or folder"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], error: str
) -> None:
    assert preview.main([str(run), *arguments]) == 1
    printed = capsys.readouterr()
    assert error in printed.err
    assert printed.err.count("\n") == 1


def test_a_row_that_cannot_be_trained_on_is_named_behind_those_that_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path, [ROWS[0], ROWS[1] | {"attempt": "7<|im_end|>"}])
    assert preview.main([str(path)]) == 1
    printed = capsys.readouterr()
    assert "row 1: " in printed.out
    assert "rows.jsonl: row 2: the attempt holds '<|im_end|>'" in printed.err


def test_a_pipe_that_has_seen_enough_is_no_error(run: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m training.preview {shlex.quote(str(run))} --json | head -c 20"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"rows": [{"row": 1,', "")
