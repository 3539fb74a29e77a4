"""Files that cannot be loaded: one line, exit code 1, and a pool that is as it was."""

import ctypes
import os
import resource
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s1web.management.commands.load_pool import Command
from s1web.pool.models import ImportFile, LoadedRow, Question, Source

from .commands import Done, Place
from .files import (
    cut,
    damage,
    json_lines,
    make_row,
    make_rows,
    write_csv,
    write_gz,
    write_jsonl,
    write_parquet,
    write_repeated,
    write_zst,
)

Build = Callable[[Path], list[object]]
CLOSED: dict[str, tuple[Build, str]] = {}
BROKEN: dict[str, tuple[Build, str]] = {}


def case(name: str, says: str) -> Callable[[Build], Build]:
    """A bad input that opening finds: builds files in a folder, returns the arguments; the line says `says`."""

    def register(build: Build) -> Build:
        CLOSED[name] = (build, says)
        return build

    return register


def breaking(name: str, says: str) -> Callable[[Build], Build]:
    """A bad input that shows only once rows before it have been written."""

    def register(build: Build) -> Build:
        BROKEN[name] = (build, says)
        return build

    return register


def made(path: Path, data: bytes) -> list[object]:
    path.write_bytes(data)
    return [path]


# --- not there, not a table, nothing in it ----------------------------------------------------------------------

case("missing file", "no such file")(lambda folder: [folder / "nosuch.jsonl"])
case("name too long", "File name too long")(lambda folder: ["x" * 5000 + ".jsonl"])
case("folder without files", "holds no pool file")(lambda folder: [folder])
case("unknown kind", "not a known kind of file")(lambda folder: made(folder / "a.xlsx", b"PK"))
case("empty jsonl", "the file is empty")(lambda folder: made(folder / "a.jsonl", b""))
case("empty parquet", "the file is empty")(lambda folder: made(folder / "a.parquet", b""))
case("empty gz", "the file is empty")(lambda folder: made(folder / "a.jsonl.gz", b""))
case("gz of nothing", "holds no rows")(lambda folder: [write_gz(folder / "a.jsonl.gz", b"")])
case("blank lines alone", "holds no rows")(lambda folder: made(folder / "a.jsonl", b"\n \r\n\t\n\n"))
case("a BOM alone", "none of its first 1 lines is a row")(lambda folder: made(folder / "a.jsonl", b"\xef\xbb\xbf"))
case("header alone", "holds no rows below its header")(lambda folder: made(folder / "a.csv", b"question,answer\n"))
case("blank csv", "its first line is empty")(lambda folder: made(folder / "a.csv", b"\n\n"))
case("parquet of 0 rows", "holds no rows")(lambda folder: [empty_parquet(folder / "a.parquet")])
case("not a parquet", "cannot be read")(lambda folder: made(folder / "a.parquet", b"question,answer\n" * 100))
case("not a gz", "cannot be unpacked")(lambda folder: made(folder / "a.jsonl.gz", json_lines(make_rows(9))))
case("not a zst", "cannot be unpacked")(lambda folder: made(folder / "a.jsonl.zst", json_lines(make_rows(9))))
case("no line is JSON", "line 1: not JSON")(lambda folder: made(folder / "a.jsonl", b"question\nwhy\n"))
case("a JSON list", "a JSON list is not a row")(lambda folder: made(folder / "a.json", b'[{"question": "why"}]'))
case("objects without fields", "an object without fields")(lambda folder: made(folder / "a.jsonl", b"{}\n{}\n"))
case("UTF-16", "not valid UTF-8")(lambda folder: made(folder / "a.jsonl", '{"question": "x"}\n'.encode("utf-16")))
case("UTF-16 csv", "not valid UTF-8")(lambda folder: made(folder / "a.csv", "question\nx\n".encode("utf-16")))


def empty_parquet(path: Path) -> Path:
    pq.write_table(pa.table({"question": pa.array([], pa.string())}), path)
    return path


# --- columns ----------------------------------------------------------------------------------------------------

case("map to no column", "no column 'subject'")(
    lambda folder: [write_jsonl(folder / "a.jsonl", make_rows(200)), "--map", "subject=domain"]
)
case("map to no field", "no field 'subjct'")(
    lambda folder: [write_jsonl(folder / "a.jsonl", make_rows(200)), "--map", "domain=subjct"]
)
case("no question", "no column holds the question")(lambda folder: made(folder / "a.jsonl", b'{"text": "why"}\n'))
case("csv column twice", "column 'question' is there twice")(
    lambda folder: made(folder / "a.csv", b"question,question\nwhy,how\n")
)
case("nameless judge", "has a name of 598 characters")(
    lambda folder: [write_jsonl(folder / "a.jsonl", [{"question": "why", "x" * 578 + "_thinking_trajectory": "so"}])]
)
case("surrogate in a name", "no database text can hold")(
    lambda folder: made(folder / "a.jsonl", b'{"question": "why", "\\ud800_thinking_trajectory": "so"}\n')
)
case("source of 501 characters", "at most 500")(
    lambda folder: [write_jsonl(folder / "a.jsonl", make_rows(200)), "--source", "s" * 501]
)
breaking("too many fields", "more than 10,000 different fields")(
    lambda folder: [
        write_jsonl(folder / "a.jsonl", [make_row(n) | {f"{n}-{k}": 1 for k in range(40)} for n in range(300)])
    ]
)


@case("parquet column twice", "column 'question' is there twice")
def _(folder: Path) -> list[object]:
    table = pa.table([pa.array(["why"]), pa.array(["how"])], names=["question", "question"])
    pq.write_table(table, folder / "a.parquet")
    return [folder / "a.parquet"]


# --- broken on the way: rows before the break have been written --------------------------------------------------

case("cut parquet", "cannot be read")(lambda folder: [cut(write_parquet(folder / "a.parquet", make_rows(400)), 0.6)])
breaking("damaged page", "the file is damaged")(
    lambda folder: [
        damage(
            write_parquet(folder / "a.parquet", make_rows(1600), compression="zstd", use_dictionary=False),
            "question",
            lambda page: bytes(len(page)),
        )
    ]
)
breaking("damaged page, not compressed", "the file is damaged")(
    lambda folder: [
        damage(
            write_parquet(
                folder / "a.parquet",
                make_rows(1600),
                compression="none",
                use_dictionary=False,
                write_page_checksum=True,
            ),
            "question",
            lambda page: page.replace(b"how far", b"how fat"),
        )
    ]
)
breaking("quote never closed", "is a quote opened here and never closed?")(
    lambda folder: made(
        folder / "a.csv", write_csv(folder / "b", make_rows(300)).read_bytes() + b'"why,' + b"a,b\n" * 40
    )
)
breaking("cut gz", "damaged or cut off")(
    lambda folder: [cut(write_gz(folder / "a.jsonl.gz", json_lines(make_rows(400, 1200))), 0.7)]
)
breaking("cut zst", "damaged or cut off")(
    lambda folder: [cut(write_zst(folder / "a.jsonl.zst", json_lines(make_rows(400, 1200))), 0.7)]
)
breaking("bomb of one line, gz", "unpacks to more than 200 times")(
    lambda folder: [write_repeated(folder / "a.jsonl.gz", b'"' * 2**20, 100)]
)
breaking("bomb of one line, zst", "unpacks to more than 200 times")(
    lambda folder: [write_repeated(folder / "a.csv.zst", b"x" * 2**20, 100)]
)
breaking("bomb of many lines, gz", "unpacks to more than 200 times")(
    lambda folder: [write_repeated(folder / "a.jsonl.gz", json_lines([make_row(1) | {"solution": "x" * 2**17}]), 600)]
)
breaking("bomb of many lines, zst", "unpacks to more than 200 times")(
    lambda folder: [
        write_repeated(folder / "a.jsonl.zst", json_lines([make_row(1) | {"solution": "x" * 2**17}]), 600)
    ]
)


@case("second file missing", "no such file")
def _(folder: Path) -> list[object]:
    return [write_jsonl(folder / "a.jsonl", make_rows(200)), folder / "nosuch.jsonl"]


@case("second file without a question", "no column holds the question")
def _(folder: Path) -> list[object]:
    return [write_jsonl(folder / "a.jsonl", make_rows(200)), *made(folder / "b.jsonl", b'{"text": "why"}\n')]


SHOWN_BY_THE_COMMAND_ITSELF = (
    "missing file",
    "empty jsonl",
    "not a parquet",
    "map to no column",
    "second file missing",
)


@pytest.mark.django_db
@pytest.mark.parametrize("name", CLOSED)
def test_a_file_that_cannot_be_opened_says_so_in_one_line_and_nothing_is_loaded(name, artifact_dir, tmp_path, capsys):
    build, says = CLOSED[name]
    arguments = build(tmp_path)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        Command().run_from_argv(["manage.py", "load_pool", *map(str, arguments)])
    printed = capsys.readouterr()
    assert says in Done(ended.value.code, printed.out, printed.err, 0).the_one_line()
    assert not any(model.objects.exists() for model in (ImportFile, LoadedRow, Question, Source))
    assert not artifact_dir.exists()


@pytest.mark.parametrize("name", [*BROKEN, *SHOWN_BY_THE_COMMAND_ITSELF])
def test_a_file_that_cannot_be_loaded_says_so_in_one_line_and_leaves_the_pool_as_it_was(name, place, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    build, says = (BROKEN | CLOSED)[name]
    arguments = build(folder)
    before = place.dump()
    done = place.run("load_pool", *arguments, *(["--json"] if len(name) % 2 else []))
    assert says in done.the_one_line()
    assert place.dump() == before
    assert place.rejected() == []


def test_a_file_that_breaks_on_the_way_is_taken_back_and_the_good_one_before_it_stays(make_place, tmp_path):
    good = write_jsonl(tmp_path / "good.jsonl", make_rows(20) + [make_row(n) for n in range(1000, 1090)])
    broken = cut(write_gz(tmp_path / "broken.jsonl.gz", json_lines(make_rows(400, 1200))), 0.7)
    alone, both = make_place("alone"), make_place("both")
    assert alone.run("load_pool", good, "--json").json()["updated"] > 0
    assert "broken.jsonl.gz: cannot be unpacked" in both.run("load_pool", good, broken).the_one_line()
    assert both.dump() == alone.dump()


def test_rows_rejected_before_the_break_leave_no_list(place, tmp_path):
    data = json_lines(make_rows(100)) + b"not JSON\n" * 1500 + json_lines(make_rows(400, 1200))
    before = place.dump()
    place.run("load_pool", cut(write_gz(tmp_path / "a.jsonl.gz", data), 0.9)).the_one_line()
    assert place.dump() == before
    assert list((place.artifacts / "rejected").iterdir()) == []


def test_a_file_that_broke_loads_once_it_is_whole_again(make_place, tmp_path):
    path = write_gz(tmp_path / "a.jsonl.gz", json_lines(make_rows(400, 1200)))
    whole = path.read_bytes()
    never, once = make_place("never"), make_place("once")
    once.run("load_pool", cut(path, 0.7)).the_one_line()
    path.write_bytes(whole)
    assert once.run("load_pool", path, "--json").json() | {"seconds": 0} == (
        never.run("load_pool", path, "--json").json() | {"seconds": 0}
    )
    assert once.contents() == never.contents()


# --- lines and cells that are too long ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_line_of_200_mb_is_a_rejected_row_and_is_never_held_whole(kind, place, tmp_path):
    rows = [{"question": "Why?"}, {"question": "How?"}]
    parts = json_lines(rows).splitlines(keepends=True) if kind == "jsonl" else [b"question\nWhy?\n", b"How?\n"]
    path = tmp_path / f"a.{kind}"
    with path.open("wb") as file:
        file.write(parts[0])
        file.write(b'{"question": "')
        for _ in range(200):
            file.write(b"x" * 2**20)
        file.write(b'"}\n')
        file.write(parts[1])
    done = place.run("load_pool", path, "--json")
    result = done.json()
    assert (result["read"], result["new"], result["rejected"]) == (3, 2, 1)
    ((line, reason),) = place.rejected()
    assert line == (2 if kind == "jsonl" else 3)
    assert "the line has 209,715,217 bytes" in reason
    # less than the line, and so far less than two of it
    assert done.peak_bytes < 300 * 2**20


def test_a_csv_whose_quote_stays_open_for_200_mb_is_refused_in_little_memory(place, tmp_path):
    path = write_repeated(tmp_path / "a.csv", b"some text, and more of it\n" * 40_000, 200)
    with path.open("r+b") as file:
        file.write(b'question,answer\n"open')
    before = place.dump()
    done = place.run("load_pool", path)
    assert "line 2: field larger than field limit" in done.the_one_line()
    assert done.peak_bytes < 400 * 2**20
    assert place.dump() == before


@pytest.mark.parametrize("keeps_dictionary", [True, False])
def test_a_parquet_file_that_unpacks_to_far_more_than_it_says_is_read_in_little_memory(
    keeps_dictionary, make_place, tmp_path
):
    # one text of 1 MB, stored once, in 1,500 rows
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1500, pa.int32()), ["x" * 2**20])
    table = pa.table({"question": [f"Question {n}" for n in range(1500)], "domain": texts})
    pq.write_table(table, tmp_path / "a.parquet", store_schema=keeps_dictionary)
    assert (tmp_path / "a.parquet").stat().st_size < 2**20
    place = make_place(POOL_BATCH_ROWS="2000")
    done = place.run("load_pool", tmp_path / "a.parquet", "--json")
    assert done.json()["rejected"] == 1500
    assert done.peak_bytes < 500 * 2**20


# --- disks, rights and databases ---------------------------------------------------------------------------------


def filling_rows(tmp_path: Path) -> Path:
    """Several times what the disks of these tests hold."""
    return write_parquet(tmp_path / "big.parquet", make_rows(2000, 4000), row_group_size=100)


IN_A_SMALL_DISK = """
mount -t tmpfs -o size="$1" none "$2" || exit 99
cp -r "$3"/. "$2" || exit 98
shift 3
"$@"
code=$?
cp -r "$DISK"/. "$KEPT" || exit 97
exit $code
"""


def run_on_a_small_disk(place: Place, disk: Path, size: str, *arguments: object) -> Done:
    """Run a command where `disk` is a real file system of that size; its files are there again afterwards."""
    kept = place.folder / "kept"
    kept.mkdir()
    shutil.copytree(disk, kept, dirs_exist_ok=True)
    command = ["unshare", "--user", "--map-root-user", "--mount", "env", f"DISK={disk}", f"KEPT={kept}"]
    command += ["sh", "-c", IN_A_SMALL_DISK, "sh", size, str(disk), str(kept), *place.command(*arguments)]
    if shutil.which("unshare") is None:
        pytest.skip("unshare(1) is not installed, so no small disk can be mounted")
    done = place.execute(command)
    if done.code == 99 or "unshare failed" in done.err:
        pytest.skip(f"no file system can be mounted here: {done.err.strip()}")
    shutil.rmtree(disk)
    kept.rename(disk)
    return done


@pytest.mark.parametrize("size", ["6m", "24m", "40m"])
def test_a_load_that_fills_the_disk_is_taken_back_on_the_full_disk(size, place, tmp_path):
    before = place.dump()
    done = run_on_a_small_disk(place, place.database.parent, size, "load_pool", filling_rows(tmp_path))
    assert "the disk is full" in done.the_one_line()
    assert place.dump() == before


def test_a_load_does_not_begin_on_a_disk_that_is_full_already(place, tmp_path):
    before = place.dump()
    path = write_jsonl(tmp_path / "a.jsonl", make_rows(300))
    done = run_on_a_small_disk(place, place.database.parent, "2m", "load_pool", path)
    assert "is full: " in done.the_one_line()
    assert place.dump() == before


def test_a_list_of_rejected_rows_that_finds_no_room_takes_the_file_back(place, tmp_path):
    (place.artifacts / "rejected").mkdir(parents=True)
    path = tmp_path / "a.jsonl"
    path.write_bytes(json_lines(make_rows(300)) + b"not JSON\n" * 800)
    before = place.dump()
    done = run_on_a_small_disk(place, place.artifacts, "40k", "load_pool", path)
    assert "the list of rejected rows cannot be written: No space left on device" in done.the_one_line()
    assert place.dump() == before
    assert place.rejected() == []


@pytest.mark.parametrize("limit_bytes", [3 * 2**20, 9 * 2**20])
def test_a_database_that_may_not_grow_further_takes_the_file_back(limit_bytes, place, tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    before = place.dump()
    line = place.run("load_pool", filling_rows(tmp_path), before=limit).the_one_line()
    assert "disk" in line
    assert "could not be taken back" not in line
    assert place.dump() == before


def obey_rights() -> None:
    """A superuser may write everywhere; take that away from a process before it starts a program."""
    if os.getuid() == 0:
        drop_from_bounding_set, override, read_search = 24, 1, 2
        for capability in (override, read_search):
            assert ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0) == 0


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("file", "Permission denied"),
        ("artifacts", "the list of rejected rows cannot be written: Permission denied"),
        ("database", "readonly database"),
        ("database folder", "the database cannot be written to"),
    ],
)
def test_rights_that_are_missing_are_one_line_and_change_nothing(what, says, place, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(json_lines(make_rows(300)) + b"not JSON\n" * 3)
    place.artifacts.mkdir()
    before = place.dump()
    closed = {
        "file": path,
        "artifacts": place.artifacts,
        "database": place.database,
        "database folder": place.database.parent,
    }[what]
    closed.chmod(0o555 if closed.is_dir() else 0o444 if what == "database" else 0)
    try:
        done = place.run("load_pool", path, before=obey_rights)
    finally:
        closed.chmod(0o755)
    assert says in done.the_one_line()
    assert place.dump() == before


def test_a_database_that_another_program_holds_is_one_line(make_place, tmp_path):
    place = make_place(SQLITE_TIMEOUT_SECONDS="1")
    path = write_jsonl(tmp_path / "a.jsonl", make_rows(300))
    before = place.dump()
    connection = sqlite3.connect(place.database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    line = place.run("load_pool", path).the_one_line()
    connection.execute("ROLLBACK")
    connection.close()
    assert "database is locked" in line
    assert place.dump() == before


def test_a_database_that_is_none_is_one_line(make_place, tmp_path):
    place = make_place(is_empty=True)
    place.database.parent.mkdir()
    place.database.write_bytes(b"not a database at all, but long enough to look at" * 100)
    line = place.run("load_pool", write_jsonl(tmp_path / "a.jsonl", make_rows(3))).the_one_line()
    assert "file is not a database" in line
