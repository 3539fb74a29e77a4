"""The rows of a selection, in every layout that the export writes, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import InputError
from training.rows import TrainingRow, read_rows, rows_sha256

QUESTIONS = ("How many?", "Why?\u2028")


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def plain(*questions: str) -> list[dict[str, Any]]:
    return [{"question": each, "thinking": f"Think of {each}", "attempt": f"A {each}"} for each in questions]


LAYOUTS: dict[str, list[dict[str, Any]]] = {
    "plain": plain(*QUESTIONS),
    "s1k": [
        {"question": each, "thinking_trajectories": [f"Think of {each}"], "attempt": f"A {each}", "cot_type": "math"}
        for each in QUESTIONS
    ],
    "messages": [
        {
            "messages": [
                {"role": "user", "content": each},
                {
                    "role": "assistant",
                    "content": f"<|im_start|>think\nThink of {each}\n<|im_start|>answer\nA {each}",
                },
            ]
        }
        for each in QUESTIONS
    ],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_every_layout_gives_the_same_rows_in_their_order(tmp_path: Path, layout: str, ending: str) -> None:
    write = write_jsonl if ending == "jsonl" else write_parquet
    rows = read_rows(write(tmp_path / f"rows.{ending}", LAYOUTS[layout]))
    assert rows == [
        TrainingRow(number, each, f"Think of {each}", f"A {each}") for number, each in enumerate(QUESTIONS, start=1)
    ]


@pytest.mark.parametrize("inner", ["", "data"])
def test_an_exported_folder_is_read_by_its_files_names(tmp_path: Path, inner: str) -> None:
    write_jsonl(tmp_path / inner / "train-00001.jsonl", plain("Second?"))
    write_jsonl(tmp_path / inner / "train-00000.jsonl", plain("First?"))
    (tmp_path / "README.md").write_text("card")
    rows = read_rows(str(tmp_path))
    assert [(row.number, row.question) for row in rows] == [(1, "First?"), (2, "Second?")]


@pytest.mark.parametrize(("generator", "thinking"), [("", "G"), ("gemini", "G"), ("deepseek", "D")])
def test_a_generator_is_chosen_where_rows_have_several(tmp_path: Path, generator: str, thinking: str) -> None:
    row = {
        "question": "Q?",
        "gemini_thinking_trajectory": "G",
        "gemini_attempt": "1",
        "deepseek_thinking_trajectory": "D",
        "deepseek_attempt": "2",
    }
    rows = read_rows(write_jsonl(tmp_path / "rows.jsonl", [row]), generator=generator)
    assert [row.thinking for row in rows] == [thinking]


def test_rows_without_a_trace_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    rows = plain("One?", "Two?", "Three?")
    rows[1]["thinking"] = rows[2]["thinking"] = ""
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    with pytest.raises(InputError) as refused:
        read_rows(path)
    assert str(refused.value) == (
        f"{path}: 2 of 3 rows have no trace (row 2 is the first); export a selection whose recipe asks for traces"
    )


def test_a_generator_that_no_row_has_is_named(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", plain("One?"))
    with pytest.raises(InputError, match=r"1 of 1 rows have no trace by 'nobody' \(row 1 is the first\)"):
        read_rows(path, generator="nobody")


def test_a_row_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [*plain("One?"), plain("Two?")[0] | {"question": ""}])
    with pytest.raises(InputError) as refused:
        read_rows(path)
    assert str(refused.value).startswith(f"{path}: row 2: ")


def test_no_such_data_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such file or folder; give what export_selection wrote"):
        read_rows(tmp_path / "nowhere")


def test_files_of_two_kinds_are_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", plain("One?"))
    write_parquet(tmp_path / "b.parquet", plain("One?"))
    with pytest.raises(InputError, match=r"files of one kind are needed, .* found: \.jsonl, \.parquet"):
        read_rows(tmp_path)


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("card")
    with pytest.raises(InputError, match=r"files of one kind are needed, .* found: none"):
        read_rows(tmp_path)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(InputError) as refused:
        read_rows(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content"), [("r.jsonl", b"{broken"), ("r.parquet", b"PAR1 no"), ("r.jsonl", b"\xff")]
)
def test_a_broken_file_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_rows(path)
    assert str(refused.value).startswith(f"{path}: cannot be read: ")
    assert "\n" not in str(refused.value)


def test_the_hash_is_of_texts_and_order_whatever_file_they_came_in(tmp_path: Path) -> None:
    one = rows_sha256(read_rows(write_jsonl(tmp_path / "a.jsonl", LAYOUTS["s1k"])))
    assert rows_sha256(read_rows(write_parquet(tmp_path / "b.parquet", LAYOUTS["messages"]))) == one
    assert rows_sha256(read_rows(write_jsonl(tmp_path / "c.jsonl", LAYOUTS["s1k"][::-1]))) != one
    assert len(one) == 64


@pytest.mark.parametrize("field", ["question", "thinking", "attempt"])
def test_the_hash_sees_every_text(field: str) -> None:
    row = TrainingRow(1, "Q", "T", "A")
    values = {"number": 1, "question": "Q", "thinking": "T", "attempt": "A", field: "x"}
    assert rows_sha256([TrainingRow(**values)]) != rows_sha256([row])  # type: ignore[arg-type]


def test_texts_that_run_together_have_another_hash() -> None:
    assert rows_sha256([TrainingRow(1, "ab", "c", "d")]) != rows_sha256([TrainingRow(1, "a", "bc", "d")])
