"""Loading again: after a kill, after it was done, and from another format."""

import signal
import sqlite3
import time
from pathlib import Path

import pytest

from .commands import Place
from .files import json_lines, make_row, make_rows, write_csv, write_gz, write_jsonl, write_parquet, write_zst

NUM_ROWS = 20_000


@pytest.fixture(scope="module")
def big_file(tmp_path_factory):
    # every tenth row repeats a question with another solution, some rows cannot be read
    rows = [make_row(place) if place % 10 else make_row(place // 2) | {"solution": "42"} for place in range(NUM_ROWS)]
    rows[7_000] = rows[7_000] | {"isqwen7bcorrect": "perhaps"}
    return write_jsonl(tmp_path_factory.mktemp("big") / "pool.jsonl", rows)


def count_rows(place: Place) -> int:
    connection = sqlite3.connect(place.database)
    (count,) = connection.execute("SELECT count(*) FROM pool_loadedrow").fetchone()
    connection.close()
    return int(count)


def kill_at(place: Place, path: Path, num_rows: int) -> None:
    """Start a load and kill it once the pool has so many rows."""
    process = place.start("load_pool", path)
    while count_rows(place) < num_rows:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_load_that_was_killed_twice_goes_on_and_ends_as_if_it_had_not_been(make_place, big_file):
    settings = {"POOL_BATCH_ROWS": "100"}
    whole, killed = make_place("whole", **settings), make_place("killed", **settings)
    expected = whole.run("load_pool", big_file, "--json").json()
    already = count_rows(killed)
    kill_at(killed, big_file, already + NUM_ROWS // 10)
    first = count_rows(killed) - already
    kill_at(killed, big_file, already + NUM_ROWS // 2)
    second = count_rows(killed) - already
    assert 0 < first < second < NUM_ROWS
    result = killed.run("load_pool", big_file, "--json").json()
    assert result["read"] == expected["read"] == NUM_ROWS
    assert result["rejected"] == expected["rejected"] == 1
    assert result["unchanged"] >= second
    assert killed.contents() == whole.contents()


def test_loading_twice_changes_nothing(place, tmp_path):
    path = write_jsonl(tmp_path / "pool.jsonl", [*make_rows(300), {"question": None}])
    place.run("load_pool", path, "--json").json()
    before = place.dump()
    # it had a rejected row, so it is read again; a file without one is known by its content
    again = place.run("load_pool", path, "--json").json()
    assert (again["new"], again["updated"], again["unchanged"], again["rejected"]) == (0, 0, 300, 1)
    assert place.dump() == before
    other = write_jsonl(tmp_path / "other.jsonl", make_rows(400))
    place.run("load_pool", other, "--json").json()
    before = place.dump()
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(other.read_bytes())
    assert place.run("load_pool", copy, "--json").json()["unchanged"] == 400
    assert place.dump() == before


def test_the_same_rows_in_another_format_change_nothing(place, tmp_path):
    rows = make_rows(120)
    first = place.run("load_pool", write_parquet(tmp_path / "pool.parquet", rows), "--json").json()
    assert first["new"] + first["updated"] == 120
    before = {name: table for name, table in place.contents().items() if name != "files"}
    for path in (
        write_jsonl(tmp_path / "pool.jsonl", rows),
        write_csv(tmp_path / "pool.csv", rows),
        write_csv(tmp_path / "crlf.csv", rows, end="\r\n"),
        write_gz(tmp_path / "pool.jsonl.gz", json_lines(rows)),
        write_zst(tmp_path / "pool.json.zst", json_lines(rows)),
    ):
        result = place.run("load_pool", path, "--json").json()
        assert (result["read"], result["unchanged"], result["rejected"]) == (120, 120, 0), path.name
    assert {name: table for name, table in place.contents().items() if name != "files"} == before
