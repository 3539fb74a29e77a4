"""The tail of a job's log: whole lines, whatever was printed."""

import pytest

from s1web.jobs.logs import log_path, tail


@pytest.fixture
def log(artifact_dir):
    path = log_path(7)
    path.parent.mkdir(parents=True)
    return path


def test_a_job_without_a_log_has_an_empty_one():
    assert tail(7) == ""


def test_a_short_log_is_shown_whole(log):
    log.write_bytes(b"first\nsecond\nthird, not ended")
    assert tail(7) == "first\nsecond\nthird, not ended"
    assert tail(7, num_bytes=log.stat().st_size) == "first\nsecond\nthird, not ended"


@pytest.mark.parametrize("num_bytes", range(1, 40))
def test_a_long_log_is_cut_at_a_line(log, num_bytes):
    lines = [f"line {number} é".encode() for number in range(20)]
    log.write_bytes(b"\n".join(lines) + b"\n")
    shown = tail(7, num_bytes)
    assert len(shown.encode()) <= num_bytes
    whole = [line.decode() for line in lines]
    assert shown.splitlines() == whole[20 - len(shown.splitlines()) :]
    # no more is left out than the line that was cut
    assert len(shown.encode()) + len(lines[0]) + 3 > num_bytes or shown.startswith("line 0")


def test_bytes_that_are_no_text_do_not_hide_the_rest(log):
    log.write_bytes(b"fine\n\xff\xfe\x00broken\nfine again\n")
    assert tail(7).splitlines()[0] == "fine"
    assert tail(7).splitlines()[-1] == "fine again"


def test_each_job_has_its_own(log):
    log.write_text("mine")
    assert tail(8) == ""
