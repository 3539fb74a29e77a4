"""Rows of a file, good and bad, as the readers hand them on."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import InputError, RowError
from s1web.pool.readers import expand_paths, open_table
from s1web.pool.tables import Limits, RawRow

from .files import make_rows, write_gz, write_jsonl, write_parquet, write_zst


def read(path: Path, **limits: int) -> list[RawRow]:
    return [row for batch in open_table(str(path), Limits(**limits)).batches(None) for row in batch]


def read_bytes(tmp_path: Path, name: str, data: bytes, **limits: int) -> list[tuple[int, Any]]:
    """(line, row, or the reason why it is none) of a file of these bytes."""
    path = tmp_path / name
    path.write_bytes(data)
    return [(line, str(row) if isinstance(row, RowError) else row) for line, row in read(path, **limits)]


def nested(depth: int) -> bytes:
    return b'{"question": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"no JSON", "not JSON: Expecting value"),
        (b'{"question": "cut', "not JSON: Invalid control character at: line 1 column 18"),
        (b"[1, 2]", "a JSON list is not a row"),
        (b'"text"', "a JSON str is not a row"),
        (b"null", "a JSON NoneType is not a row"),
        (b"17", "a JSON int is not a row"),
        (b'{"question": "a\xff"}', "not valid UTF-8 at byte 15 of the line"),
        (b'{"question": "\xed\xa0\x80"}', "not valid UTF-8"),
        (b'{"question": "a", "question": "b"}', "field 'question' is there twice"),
        (nested(100_000), "the JSON is nested too deeply"),
        (b'{"question": ' + b"9" * 5000 + b"}", "not JSON: Exceeds the limit"),
        (b'{"question": "' + b"x" * 3000 + b'"}', "the line has 3,017 bytes; at most 2,048 are allowed"),
        (b'{"question": "tab\there"}', "not JSON: Invalid control character"),
    ],
)
def test_a_line_that_is_no_row_is_listed_and_the_lines_around_it_are_read(line, reason, tmp_path):
    limit = 2048 if "2,048" in reason else 2**20
    data = b'{"question": "first"}\n' + line + b'\n\n{"question": "last"}'
    first, bad, last = read_bytes(tmp_path, "a.jsonl", data, line_bytes=limit)
    assert first == (1, {"question": "first"})
    assert last == (4, {"question": "last"})
    assert bad[0] == 2
    assert reason in bad[1]


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\r"])
def test_lines_are_split_at_the_newline_alone(mark, tmp_path):
    text = f"before{mark}after"
    data = json.dumps({"question": text}, ensure_ascii=False).encode() + b'\n{"question": "last"}\n'
    assert read_bytes(tmp_path, "a.jsonl", data) == [(1, {"question": text}), (2, {"question": "last"})]
    data = f'question\n"{text}"\nlast\n'.encode()
    assert read_bytes(tmp_path, "a.csv", data) == [(2, {"question": text}), (3, {"question": "last"})]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_bom_and_windows_line_ends_change_nothing(name, tmp_path):
    data = b'{"question": "first"}\n{"question": "last"}\n' if name == "a.jsonl" else b"question\nfirst\nlast\n"
    plain = read_bytes(tmp_path, name, data)
    assert read_bytes(tmp_path, name, b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")) == plain
    assert [row for _, row in plain] == [{"question": "first"}, {"question": "last"}]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        # a quote in the middle of a cell that is not quoted is a character like any other
        (b'a,b\n5" pipe,1\n2,3\n', [(2, {"a": '5" pipe', "b": "1"}), (3, {"a": "2", "b": "3"})]),
        (b'a,b\n"say ""hi""",1\n', [(2, {"a": 'say "hi"', "b": "1"})]),
        (b'a,b\n"say "hi" now",1\n2,3\n', [(2, "the line: ',' expected after '\"'"), (3, {"a": "2", "b": "3"})]),
        # the open quote ends where the next one begins: the rows between them are lost, and said to be
        (
            b'a,b\n"open,1\n2,3\n4,"five"\n6,7\n',
            [(2, "lines 2 to 4: ',' expected after '\"'"), (5, {"a": "6", "b": "7"})],
        ),
        (b'a,b\n"two\nlines",1\n2,3\n', [(2, {"a": "two\nlines", "b": "1"}), (4, {"a": "2", "b": "3"})]),
        (b"a,b\n1\n2,3,4\n", [(2, "1 fields where the header has 2"), (3, "3 fields where the header has 2")]),
        (b"a,b\n1,\xff\n2,3\n", [(2, "b is not valid UTF-8"), (3, {"a": "2", "b": "3"})]),
        (b"a,b\n\n1,\n", [(3, {"a": "1", "b": None})]),
    ],
)
def test_csv_cells_that_are_quoted_wrongly_cost_their_own_rows_alone(data, rows, tmp_path):
    found = read_bytes(tmp_path, "a.csv", data)
    assert [line for line, _ in found] == [line for line, _ in rows]
    for (_, row), (_, expected) in zip(found, rows, strict=True):
        assert row.startswith(expected) if isinstance(expected, str) else row == expected


def test_a_csv_line_that_is_too_long_is_listed(tmp_path):
    data = b"a,b\n1,2\n" + b"x" * 5000 + b"\n3,4\n"
    found = read_bytes(tmp_path, "a.csv", data, line_bytes=2048)
    assert found[1] == (3, "the line has 5,001 bytes; at most 2,048 are allowed")
    assert [line for line, _ in found] == [2, 3, 4]


def test_invalid_bytes_in_a_text_column_of_parquet_cost_their_rows_alone(tmp_path):
    data = pa.array([b"good", b"bad \xff", b"good too"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 3, data.buffers())
    pq.write_table(pa.table({"question": text, "answer": ["1", "2", "3"]}), tmp_path / "a.parquet")
    first, bad, last = read(tmp_path / "a.parquet")
    assert (first[1]["question"], last[1]["question"]) == ("good", "good too")
    assert "question is not valid UTF-8 at byte 4" in str(bad[1])
    assert isinstance(bad[1], RowError)


def test_a_date_beyond_what_python_knows_costs_its_row_alone(tmp_path):
    dates = pa.array([0, 2**60], pa.timestamp("ms"))
    pq.write_table(pa.table({"question": ["a", "b"], "metadata": dates}), tmp_path / "a.parquet")
    good, bad = read(tmp_path / "a.parquet")
    assert good[1]["question"] == "a"
    assert isinstance(bad[1], RowError)
    assert "metadata cannot be read" in str(bad[1])


@pytest.mark.parametrize("row_group_size", [7, 90, 1000])
def test_parquet_rows_come_in_order_whatever_the_row_groups(row_group_size, tmp_path):
    rows = make_rows(300)
    path = write_parquet(tmp_path / "a.parquet", rows, row_group_size=row_group_size)
    assert read(path, batch_rows=40) == list(enumerate(rows, start=1))


@pytest.mark.parametrize("write", [write_gz, write_zst])
def test_packed_lines_are_the_lines(write, tmp_path):
    rows = make_rows(300)
    plain = write_jsonl(tmp_path / "a.jsonl", rows)
    suffix = {write_gz: "gz", write_zst: "zst"}[write]
    packed = write(tmp_path / f"b.jsonl.{suffix}", plain.read_bytes())
    assert read(packed) == read(plain) == list(enumerate(rows, start=1))


def test_a_gz_of_several_members_is_read_to_its_end(tmp_path):
    members = (gzip.compress(b'{"question": "%d"}\n' % number) for number in range(3))
    assert len(read_bytes(tmp_path, "a.jsonl.gz", b"".join(members))) == 3


def test_fields_that_appear_late_are_known_once_their_batch_came(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"question": "a"}] * 30 + [{"question": "b", "domain": "05"}])
    table = open_table(str(path), Limits(batch_rows=10))
    assert table.names == ["question"]
    assert len(list(table.batches(None))) == 4
    assert table.names == ["question", "domain"]


def test_progress_ends_at_the_total(tmp_path):
    for path in (
        write_jsonl(tmp_path / "a.jsonl", make_rows(90)),
        write_gz(tmp_path / "a.jsonl.gz", b'{"question": "a"}\n' * 9),
        write_parquet(tmp_path / "a.parquet", make_rows(90)),
    ):
        table = open_table(str(path), Limits(batch_rows=20))
        assert table.done == 0
        for _ in table.batches(None):
            assert 0 < table.done <= table.total
        assert table.done == table.total


def test_a_folder_stands_for_its_pool_files_by_name(tmp_path):
    for name in ("b.jsonl", "a.parquet", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert expand_paths([str(tmp_path), "hf://a/b@c"]) == [
        str(tmp_path / "a.parquet"),
        str(tmp_path / "b.jsonl"),
        "hf://a/b@c",
    ]


def test_a_folder_of_many_parquet_files_holds_none_of_them_open(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", make_rows(3))
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else pytest.skip("no /proc")
    tables = [open_table(str(path)) for _ in range(20)]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(tables) == 20


def test_reading_a_damaged_file_again_says_the_same(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"question": "a"}\n' * 100)[:-9])
    for _ in range(2):
        with pytest.raises(InputError, match="damaged or cut off"):
            read(path)
