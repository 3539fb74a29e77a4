"""Data sets of the Hub: the real client libraries against a server on this machine."""

import re
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from curation.errors import InputError
from s1web.pool.readers import open_table
from tests.processes import ROOT

from .commands import Place
from .files import damage, make_rows, write_jsonl, write_parquet
from .hub_server import COMMIT, REPOSITORY, HubServer, serve

FILE = "data/train-00000-of-00001.parquet"


@pytest.fixture
def hub(tmp_path) -> Iterator[HubServer]:
    path = write_parquet(tmp_path / "hub.parquet", make_rows(300))
    with serve({FILE: path.read_bytes(), "README.md": b"# a pool\n"}) as server:
        yield server


@pytest.fixture
def online(make_place, hub) -> Callable[..., Place]:
    """Makes a place whose client libraries ask that server."""

    def make(name: str = "place", endpoint: str = "", **options: bool) -> Place:
        settings = {
            "HF_ENDPOINT": endpoint or hub.address,
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
        }
        place = make_place(name, **options, **settings)
        place.settings["HF_HOME"] = str(place.folder / "hf")
        return place

    return make


def test_a_data_set_loads_at_its_commit_and_its_branch_is_the_same_commit(online, hub, tmp_path):
    place = online()
    first = place.run("load_pool", f"hf://{REPOSITORY}@{COMMIT}", "--json").json()
    assert (first["read"], first["rejected"]) == (300, 0)
    assert first["new"] + first["updated"] + first["unchanged"] == 300
    read = [request for request in hub.asked if request.endswith(FILE)]
    assert read
    assert all(f"/resolve/{COMMIT}/" in request for request in read)
    before = place.dump()
    again = place.run("load_pool", f"hf://{REPOSITORY}@main", "--json").json()
    assert again["unchanged"] == 300
    assert place.dump() == before
    # and the same rows as in its file
    from_file = online("file")
    from_file.run("load_pool", write_jsonl(tmp_path / "pool.jsonl", make_rows(300)), "--json").json()
    assert place.contents() == from_file.contents()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (f"hf://curator/nosuch@{COMMIT}", "RepositoryNotFoundError"),
        (f"hf://{REPOSITORY}@nosuch", "RevisionNotFoundError"),
        (f"hf://{REPOSITORY}@{COMMIT}?split=test", "Available splits: ['train']"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_line(address, says, online):
    place = online()
    before = place.dump()
    line = place.run("load_pool", address).the_one_line()
    assert line.startswith(address)
    assert says in line
    assert place.dump() == before


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (f"hf://{REPOSITORY}", "the revision (a commit, best all 40 digits)"),
        (f"hf://pool@{COMMIT}", "a data set is named hf://owner/name@revision"),
        (f"hf://{REPOSITORY}@{COMMIT}?spilt=test", "with ?split=train&config=NAME where needed"),
        (f"hf://tests/s1web@{COMMIT}", "the working directory holds a folder 'tests/s1web'"),
    ],
)
def test_an_address_that_is_none_is_refused_before_anything_is_asked(address, says, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match=re.escape(says)):
        open_table(address)


@pytest.mark.parametrize("trouble", ["nobody listens", "status 500"])
def test_a_hub_that_does_not_answer_is_one_line_within_seconds(trouble, online, hub):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # never listens: connecting is refused
        hub.status = 500
        place = online(endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}" if trouble == "nobody listens" else "")
        started = time.monotonic()
        line = place.run("load_pool", f"hf://{REPOSITORY}@{COMMIT}").the_one_line()
    assert "cannot be opened: " in line
    assert time.monotonic() - started < 30


def test_a_data_set_that_is_damaged_on_the_way_is_taken_back(online, hub, tmp_path):
    rows = make_rows(1600)
    path = write_parquet(tmp_path / "damaged.parquet", rows, compression="zstd", use_dictionary=False)
    hub.files[FILE] = damage(path, "question", lambda page: bytes(len(page))).read_bytes()
    place = online()
    before = place.dump()
    line = place.run("load_pool", f"hf://{REPOSITORY}@{COMMIT}").the_one_line()
    assert "reading stopped after " in line
    assert "after 0 rows" not in line
    assert place.dump() == before
