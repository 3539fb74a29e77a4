import pytest

from curation.errors import InputError
from inference.forcing_events import (
    CapHit,
    Finished,
    ForcedEnd,
    InsertedString,
    ReopenedThinking,
    SuppressedEnd,
    apply_events,
    count_tokens,
    event_from_json,
    sampled_ids,
    thinking_spans,
)

# 1 2 [end 9] Wait=7 3 | cap | 8 8 | 4 start=6 | 5 ... still thinking
IDS = [1, 2, 7, 3, 8, 8, 4, 6, 5]
EVENTS = [
    SuppressedEnd(2, 0, (9,)),
    InsertedString(2, 1, (7,), "Wait"),
    CapHit(4, 1, 4, "max_thinking_tokens", is_cut=True),
    ForcedEnd(4, 1, (8, 8)),
    ReopenedThinking(8, 2, 1),
]


def test_what_the_model_drew_is_told_from_what_was_put_in():
    assert sampled_ids(IDS, EVENTS) == [1, 2, 9, 3, 4, 6, 5]
    assert apply_events([1, 2, 9, 3, 4, 6, 5], EVENTS) == IDS


def test_spans_and_counts_come_from_events_alone():
    assert thinking_spans(len(IDS), EVENTS) == [(0, 4), (8, 9)]
    counts = count_tokens(len(IDS), EVENTS)
    assert (counts.thinking, counts.delimiters, counts.answer) == (5, 3, 1)


def test_a_generation_that_did_not_think_has_no_span():
    events = [Finished(2, 0, "stop", (9,))]
    assert thinking_spans(2, events, starts_thinking=False) == []
    assert count_tokens(2, events, starts_thinking=False).answer == 2


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"kind": "waited"}, "event of kind 'waited' is unknown; allowed: suppressed_end, inserted_string"),
        ({"offset": 1}, "event of kind None is unknown"),
        ({"kind": ["finished"]}, "is unknown"),
        ({"kind": "forced_end", "offset": 1}, r"event forced_end holds \['kind', 'offset'\]; it needs kind, ids"),
        ({"kind": "forced_end", "offset": 1, "round": 0, "ids": [], "more": 1}, "holds"),
    ],
)
def test_an_event_that_cannot_be_read_says_why(row, error):
    with pytest.raises(InputError, match=error):
        event_from_json(row)
