"""The folder of an export: whole or not there, and nothing of the user's own is touched."""

from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConflictError
from s1web.exports import services
from s1web.exports.services import FORMATS, export_selection
from s1web.selections.models import Selection

# --- whole or not there ----------------------------------------------------------------------------------


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fortieth row cannot be written: the disk is full."""
    original, calls = services.to_columns, iter(range(1_000))

    def fail(*args: Any) -> dict[str, Any]:
        if next(calls) == 40:
            raise OSError(28, "No space left on device")
        return original(*args)

    monkeypatch.setattr(services, "to_columns", fail)
    monkeypatch.setattr(services, "BATCH_ROWS", 10)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_failure_in_the_middle_leaves_nothing(
    selection: Selection, tmp_path: Path, failing: None, file_format: str
) -> None:
    parent = tmp_path / "parent"
    parent.mkdir()
    with pytest.raises(OSError, match="No space left"):
        export_selection(selection, parent / "out", file_format=file_format)
    assert list(parent.iterdir()) == []


def test_a_failure_in_the_middle_leaves_the_earlier_export_as_it_was(
    selection: Selection, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    parent = tmp_path / "parent"
    export_selection(selection, parent / "out")
    before = {path: path.read_bytes() for path in parent.rglob("*") if path.is_file()}
    request.getfixturevalue("failing")
    with pytest.raises(OSError, match="No space left"):
        export_selection(selection, parent / "out", overwrite=True)
    assert {path: path.read_bytes() for path in parent.rglob("*") if path.is_file()} == before
    assert list(parent.iterdir()) == [parent / "out"]


def test_an_interruption_leaves_nothing(
    selection: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "_ledger", interrupt)
    (tmp_path / "parent").mkdir()
    with pytest.raises(KeyboardInterrupt):
        export_selection(selection, tmp_path / "parent" / "out")
    assert list((tmp_path / "parent").iterdir()) == []


# --- the folder ------------------------------------------------------------------------------------------


def test_an_empty_folder_is_used(selection: Selection, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert export_selection(selection, tmp_path / "out").rows == 60


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_other_files_is_left_alone(selection: Selection, tmp_path: Path, overwrite: bool) -> None:
    folder = tmp_path / "out"
    export_selection(selection, folder)
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(ConflictError, match=r"out is not empty \(it holds other files\); give a folder"):
        export_selection(selection, folder, overwrite=overwrite)
    assert (folder / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("overwrite", [False, True])
def test_files_of_the_users_own_among_an_exports_data_are_left_alone(
    selection: Selection, tmp_path: Path, overwrite: bool
) -> None:
    folder = tmp_path / "out"
    export_selection(selection, folder)
    (folder / "data" / "mine.parquet").write_text("years of work")
    with pytest.raises(ConflictError, match="out is not empty"):
        export_selection(selection, folder, overwrite=overwrite)
    assert (folder / "data" / "mine.parquet").read_text() == "years of work"


def test_an_earlier_export_is_replaced_only_when_asked_for(selection: Selection, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    export_selection(selection, folder)
    with pytest.raises(ConflictError, match="add --overwrite to replace the earlier export"):
        export_selection(selection, folder, file_format="jsonl")
    assert list((folder / "data").iterdir()) == [folder / "data" / "train-00000-of-00001.parquet"]
    export_selection(selection, folder, file_format="jsonl", overwrite=True)
    # nothing of the earlier one stays, or load_dataset would find two kinds of file
    assert list((folder / "data").iterdir()) == [folder / "data" / "train-00000-of-00001.jsonl"]


def test_a_file_in_the_folders_place_is_left_alone(selection: Selection, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ConflictError, match="out is a file; give a folder"):
        export_selection(selection, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out").read_text() == "a file"
