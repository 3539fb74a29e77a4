import pickle

import pytest

from curation.identity import identify
from curation.records import Attempt, PoolRow, Trace

TRACE = Trace("thinking", "attempt", "gemini", False, "judge", "reason", 3, "column")


@pytest.mark.parametrize(
    "record",
    [
        TRACE,
        Attempt("model", "text", True, "judge"),
        PoolRow(7, "q", "source", traces=(TRACE,), attempts=(Attempt("m"),), is_attachment=True),
        identify(PoolRow(1, "q", domain="11", small_grade=False, traces=(TRACE, Trace("t")))),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_record_arrives_in_another_process_as_it_was(record):
    assert pickle.loads(pickle.dumps(record)) == record
