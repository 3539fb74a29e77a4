import json

import pytest

from curation.errors import ConflictError, InputError
from inference.evaluation.folder import FROZEN, RUN, SAMPLES, RunFolder, read_json, read_jsonl

DESCRIPTION = dict.fromkeys(FROZEN, "x")


def row(key, error=None):
    return {"key": key, "error": error}


def test_what_was_written_is_there_again(tmp_path):
    with RunFolder(tmp_path / "a" / "run", DESCRIPTION) as folder:
        assert (folder.done, folder.num_sessions) == (set(), 0)
        folder.begin_session({})
        folder.add_prompt("s", "What?")
        folder.add_prompt("s", "What?")
        folder.add_sample(row("p/0"))
    with RunFolder(tmp_path / "a" / "run", DESCRIPTION) as folder:
        assert (folder.done, folder.prompts, folder.num_sessions) == ({"p/0"}, {"s"}, 1)
        folder.add_sample(row("é/1"))
    assert [found["key"] for found in read_jsonl(tmp_path / "a" / "run" / SAMPLES)] == ["p/0", "é/1"]


@pytest.mark.parametrize("torn", [b'{"key"', b'{"key": "q/0"}', "é".encode()[:1]])
def test_a_line_that_was_cut_off_goes_and_the_next_one_is_whole(tmp_path, torn):
    with RunFolder(tmp_path, DESCRIPTION) as folder:
        folder.add_sample(row("p/0"))
    with (tmp_path / SAMPLES).open("ab") as file:
        file.write(torn)
    # a reader passes over it, as its writer may still be at it
    assert [found["key"] for found in read_jsonl(tmp_path / SAMPLES)] == ["p/0"]
    with RunFolder(tmp_path, DESCRIPTION) as folder:
        assert folder.done == {"p/0"}
        folder.add_sample(row("q/0"))
    assert [found["key"] for found in read_jsonl(tmp_path / SAMPLES)] == ["p/0", "q/0"]


def test_a_damaged_line_is_named_and_nothing_is_changed(tmp_path):
    with RunFolder(tmp_path, DESCRIPTION) as folder:
        folder.add_sample(row("p/0"))
    text = (tmp_path / SAMPLES).read_text() + "not json\n" + json.dumps(row("q/0")) + "\n"
    (tmp_path / SAMPLES).write_text(text)
    with pytest.raises(InputError, match=r"samples\.jsonl: line 2 is no JSON object"):
        RunFolder(tmp_path, DESCRIPTION)
    assert (tmp_path / SAMPLES).read_text() == text
    # the folder is not locked for ever
    (tmp_path / SAMPLES).write_text("")
    with RunFolder(tmp_path, DESCRIPTION):
        pass


def test_failed_trials_are_dropped_and_the_folder_stays_locked(tmp_path):
    with RunFolder(tmp_path, DESCRIPTION) as folder:
        for key, error in [("a/0", None), ("b/0", "gone"), ("c/0", None)]:
            folder.add_sample(row(key, error))
        assert folder.drop_failed() == 1
        assert folder.done == {"a/0", "c/0"}
        folder.add_sample(row("b/0"))
        with pytest.raises(ConflictError, match="another process works on this run"):
            RunFolder(tmp_path, DESCRIPTION)
    assert [found["key"] for found in read_jsonl(tmp_path / SAMPLES)] == ["a/0", "c/0", "b/0"]


def test_samples_without_a_run_are_not_taken_over(tmp_path):
    (tmp_path / SAMPLES).write_text('{"key": "p/0"}\n')
    with pytest.raises(ConflictError, match=r"holds samples and no run\.json; give another folder"):
        RunFolder(tmp_path, DESCRIPTION)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="give a folder that can be written"):
        RunFolder(tmp_path / "file" / "run", DESCRIPTION)


def test_a_folder_without_a_run_is_said(tmp_path):
    with pytest.raises(InputError, match="give the folder of a run"):
        read_json(tmp_path / RUN)
    (tmp_path / RUN).write_text("{")
    with pytest.raises(InputError, match="no JSON"):
        read_json(tmp_path / RUN)
