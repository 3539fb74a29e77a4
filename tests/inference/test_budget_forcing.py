import json

import pytest

from curation.errors import ConfigError
from inference.budget_forcing import BudgetForcingMachine
from inference.forcing_events import (
    event_to_json,
    thinking_spans,
)
from inference.forcing_plan import BudgetForcing, SamplingOverride, plan_from_json, plan_to_json
from tests.inference.machines import (
    ANSWER,
    DELIMITERS,
    END,
    END_TOO,
    FINAL,
    HMM,
    NEWLINE,
    SPLIT,
    SPLIT_END,
    SPLIT_START,
    START,
    STOP,
    TEXT,
    WAIT,
    drive,
    kinds,
    make_plan,
)

# --- ends, suppressed, natural and forced --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "drawn", "ids", "events"),
    [
        pytest.param(
            {},
            [1, 2, END, 3, STOP],
            [1, 2, END, ANSWER, 3],
            ["natural_end", "finished"],
            id="the model ends by itself",
        ),
        pytest.param(
            {},
            [1, END_TOO, 3, STOP],
            [1, END, ANSWER, 3],
            ["natural_end", "finished"],
            id="another end, same opening",
        ),
        pytest.param({}, [END, 3, STOP], [END, ANSWER, 3], ["natural_end", "finished"], id="ended before it began"),
        pytest.param(
            {"num_ignore": 2},
            [1, END, 2, END_TOO, 3, END, STOP],
            [1, *WAIT, 2, *WAIT, 3, END, ANSWER],
            ["suppressed_end", "inserted_string"] * 2 + ["natural_end", "finished"],
            id="two Waits",
        ),
        pytest.param(
            {"num_ignore": 3, "ignore": (WAIT, HMM, ())},
            [1, END, 2, END, 3, END, 4, END, STOP],
            [1, *WAIT, 2, *HMM, 3, 4, END, ANSWER],
            ["suppressed_end", "inserted_string"] * 2 + ["suppressed_end", "natural_end", "finished"],
            id="a rotation whose last string is empty",
        ),
        pytest.param(
            {"num_ignore": 2, "ignore": ((),)},
            [1, END, 2, END, 3, END, STOP],
            [1, 2, 3, END, ANSWER],
            ["suppressed_end", "suppressed_end", "natural_end", "finished"],
            id="no string",
        ),
        pytest.param(
            {"max_thinking_tokens": 3},
            [1, 2, 3, 4, STOP],
            [1, 2, 3, NEWLINE, END, ANSWER, TEXT, FINAL, 4],
            ["cap_hit", "forced_end", "finished"],
            id="the cap",
        ),
        pytest.param(
            {"max_thinking_tokens": 3},
            [1, 2, NEWLINE, 4, STOP],
            [1, 2, NEWLINE, END, ANSWER, TEXT, FINAL, 4],
            ["cap_hit", "forced_end", "finished"],
            id="the cap behind a newline",
        ),
        pytest.param(
            {"max_thinking_tokens": 0, "num_ignore": 4},
            [4, STOP],
            [NEWLINE, END, ANSWER, TEXT, FINAL, 4],
            ["cap_hit", "forced_end", "finished"],
            id="cap 0",
        ),
        pytest.param(
            {"max_thinking_tokens": 1, "num_ignore": 4},
            [1, 4, STOP],
            [1, NEWLINE, END, ANSWER, TEXT, FINAL, 4],
            ["cap_hit", "forced_end", "finished"],
            id="cap 1",
        ),
        pytest.param(
            {"max_thinking_tokens": 1, "num_ignore": 4},
            [END, STOP],
            [END, ANSWER],
            ["cap_hit", "natural_end", "finished"],
            id="cap 1 and an end at once: no room for Wait and a word",
        ),
        pytest.param(
            {"max_thinking_tokens": 2, "num_ignore": 4},
            [END, 1, 5, STOP],
            [*WAIT, 1, NEWLINE, END, ANSWER, TEXT, FINAL, 5],
            ["suppressed_end", "inserted_string", "cap_hit", "forced_end", "finished"],
            id="just room for Wait and a word",
        ),
        pytest.param(
            {"max_thinking_tokens": 4, "num_ignore": 1, "ignore": (HMM,)},
            [1, 2, END, 5, STOP],
            [1, 2, END, ANSWER, 5],
            ["cap_hit", "natural_end", "finished"],
            id="the cap would be reached inside the inserted string",
        ),
        pytest.param(
            {"max_answer_tokens": 2},
            [END, 3, 4],
            [END, ANSWER, 3, 4],
            ["natural_end", "finished"],
            id="an answer is cut off",
        ),
        pytest.param(
            {"starts_thinking": False},
            [3, END, STOP],
            [3, END],
            ["finished"],
            id="a prompt that asks for no thinking",
        ),
    ],
)
def test_what_stands_after_the_prompt(options, drawn, ids, events):
    machine = drive(make_plan(**options), drawn)
    assert (machine.ids, kinds(machine)) == (ids, events)
    assert machine.is_finished


def test_an_empty_thinking_behind_a_newline_takes_no_second_one():
    machine = drive(make_plan(max_thinking_tokens=0), [], last_prompt_id=NEWLINE)
    assert machine.ids == [END, ANSWER, TEXT, FINAL]


def test_the_cap_counts_all_rounds_and_what_was_put_in_together():
    machine = drive(make_plan(max_thinking_tokens=8, num_ignore=9, ignore=(HMM,)), [1, 2, END, 3, END, 4])
    assert machine.ids[:8] == [1, 2, *HMM, 3, *HMM, 4]
    assert machine.thinking_tokens == 8
    assert kinds(machine)[-2:] == ["cap_hit", "forced_end"]


def test_a_loop_under_endless_waits_ends_at_the_cap():
    machine = BudgetForcingMachine(make_plan(max_thinking_tokens=200, num_ignore=10_000), max_new_tokens=1_000)
    draws = 0
    while machine.phase == "thinking":
        while machine.next_forced is not None:
            machine.take()
        machine.observe(1 if END in machine.forbidden else END)
        draws += 1
    assert machine.ids[:200] == [*WAIT, 1] * 100
    assert machine.num_suppressed == 100
    assert draws == 200  # 100 ends and 100 words, the last of which reaches the cap


def test_offsets_and_rounds_say_where_everything_happened():
    machine = drive(make_plan(num_ignore=1, max_thinking_tokens=6), [1, 2, END, 3, 4, 5, 6, STOP])
    assert [event_to_json(event) for event in machine.events] == [
        {"kind": "suppressed_end", "offset": 2, "round": 0, "dropped": (END,)},
        {"kind": "inserted_string", "offset": 2, "round": 1, "ids": WAIT, "text": "30"},
        {
            "kind": "cap_hit",
            "offset": 6,
            "round": 1,
            "thinking_tokens": 6,
            "limited_by": "max_thinking_tokens",
            "is_cut": True,
        },
        {"kind": "forced_end", "offset": 6, "round": 1, "ids": (NEWLINE, END, ANSWER, TEXT, FINAL)},
        {"kind": "finished", "offset": 12, "round": 1, "reason": "stop", "dropped": (STOP,)},
    ]


# --- what may not be drawn -----------------------------------------------------------------------------------


def test_right_after_a_wait_no_end_may_be_drawn_and_after_a_word_it_may():
    machine = drive(make_plan(num_ignore=1), [1, END])
    assert machine.forbidden == {END, END_TOO}
    with pytest.raises(ValueError, match=r"id 20 may not be drawn here; mask \[20, 21\]"):
        machine.observe(END)
    machine.observe(2)
    machine.take()
    assert machine.forbidden == frozenset()


def test_right_after_a_suppressed_end_without_a_string_no_end_may_be_drawn():
    assert drive(make_plan(num_ignore=1, ignore=((),)), [1, END]).forbidden == {END, END_TOO}


def test_of_a_split_end_only_the_id_that_would_complete_it_is_forbidden():
    machine = drive(make_plan(delimiters=SPLIT, num_ignore=1), [1, *SPLIT_END])
    assert machine.forbidden == {END_TOO}
    machine = drive(make_plan(delimiters=SPLIT, num_ignore=1), [1, *SPLIT_END, 40, 41])
    assert machine.forbidden == {42}
    machine.observe(2)
    assert machine.ids == [1, *WAIT, 40, 41, 2]
    assert machine.forbidden == frozenset()


def test_nothing_is_drawn_while_ids_are_forced_or_after_the_end():
    machine = BudgetForcingMachine(make_plan(max_thinking_tokens=0), max_new_tokens=50)
    with pytest.raises(ValueError, match="id 1 was drawn where none is to be: phase answer, forced 25"):
        machine.observe(1)
    machine = drive(make_plan(), [END, STOP])
    with pytest.raises(ValueError, match="finished"):
        machine.observe(1)


# --- delimiters of several ids -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drawn", "ids"),
    [
        pytest.param([1, 40, 41, 42, 7, 60, 61], [1, *SPLIT_END, 7], id="whole"),
        pytest.param([1, 40, 41, 2, 40, 41, 42, 60, 61], [1, 40, 41, 2, *SPLIT_END], id="begun and left"),
        pytest.param([40, 40, 41, 42, 60, 61], [40, *SPLIT_END], id="begun twice"),
        pytest.param([40, 41, 40, 41, 42, 60, 61], [40, 41, *SPLIT_END], id="begun again from its middle"),
        pytest.param([40, 41, END_TOO, 60, 61], [40, 41, *SPLIT_END], id="begun, then another end"),
        pytest.param([40, 41, 42, 60, 60, 61], [*SPLIT_END, 60], id="a stop begun twice"),
        pytest.param([40, 41, 42, 60, 50, 60, 61], [*SPLIT_END, 60, 50], id="a stop, then a start begun"),
    ],
)
def test_a_delimiter_of_several_ids_is_found_and_no_other_id_is_lost(drawn, ids):
    machine = drive(make_plan(delimiters=SPLIT), drawn)
    assert machine.ids == ids
    assert machine.is_finished


def test_ids_of_a_suppressed_delimiter_are_taken_back():
    machine = drive(make_plan(delimiters=SPLIT, num_ignore=1), [1, 40, 41])
    assert (machine.ids, machine.held) == ([1], [40, 41])
    move = machine.observe(42)
    assert (move.take_back, move.next_ids) == (2, WAIT)


def test_ids_of_a_natural_end_that_the_answer_opens_with_stay_where_they_are():
    machine = drive(make_plan(delimiters=SPLIT), [1, 40, 41])
    move = machine.observe(42)
    assert (move.take_back, move.next_ids) == (0, (42,))


def test_a_delimiter_begun_when_the_cap_is_reached_counts_as_thinking():
    machine = drive(make_plan(delimiters=SPLIT, max_thinking_tokens=3), [1, 40, 41])
    assert machine.ids == [1, 40, 41, NEWLINE, *SPLIT_END, FINAL]
    assert machine.thinking_tokens == 3


def test_a_stop_begun_when_the_answer_is_cut_off_stays():
    machine = drive(make_plan(delimiters=SPLIT, max_answer_tokens=2), [*SPLIT_END, 1, 60])
    assert machine.ids == [*SPLIT_END, 1, 60]
    assert machine.events[-1].reason == "answer_length"


# --- thinking that is opened again ---------------------------------------------------------------------------


@pytest.mark.parametrize(("delimiters", "start"), [(DELIMITERS, (START,)), (SPLIT, SPLIT_START)])
def test_a_second_block_is_counted_with_the_first(delimiters, start):
    plan = make_plan(delimiters=delimiters, max_thinking_tokens=4)
    machine = drive(plan, [1, 2, END_TOO, 5, *start, 3, 4])
    answer = list(delimiters.answer)
    assert machine.ids == [1, 2, *answer, 5, *start, 3, 4, NEWLINE, *delimiters.forced_answer]
    assert machine.thinking_tokens == 4
    assert kinds(machine) == ["natural_end", "reopened_thinking", "cap_hit", "forced_end"]
    first = len([1, 2, *answer, 5, *start])
    assert thinking_spans(len(machine.ids), machine.events) == [(0, 2), (first, first + 2)]


@pytest.mark.parametrize(("delimiters", "start"), [(DELIMITERS, (START,)), (SPLIT, SPLIT_START)])
def test_after_a_forced_end_no_second_block_can_begin(delimiters, start):
    machine = drive(make_plan(delimiters=delimiters, max_thinking_tokens=1), [1, 5, *start[:-1]])
    assert start[-1] in machine.forbidden
    machine.observe(6)
    assert machine.phase == "answer"
    assert machine.ids[-len([5, *start[:-1], 6]) :] == [5, *start[:-1], 6]


def test_a_second_block_leaves_room_for_a_second_answer():
    # 30 ids: 1 + 2 for the end + 8 + 1 for the start, then thinking until 5 + 4 are left
    machine = drive(make_plan(), [1, END, *[5] * 8, START, *[6] * 9], max_new_tokens=30)
    assert machine.phase == "answer"
    assert len(machine.ids) == 30 - 4
    assert machine.events[-2].limited_by == "context"
    machine = drive(make_plan(), [1, END, *[5] * 17], max_new_tokens=30)
    assert START in machine.forbidden


# --- the answer's room ---------------------------------------------------------------------------------------


def test_thinking_leaves_the_answer_its_reserve():
    machine = drive(make_plan(answer_reserve=10), [1] * 15 + [2] * 10, max_new_tokens=30)
    assert machine.ids == [1] * 15 + [NEWLINE, END, ANSWER, TEXT, FINAL] + [2] * 10
    assert machine.events[0].limited_by == "context"
    assert machine.events[-1].reason == "context_length"


def test_a_reserve_is_kept_where_no_token_is_left_to_think():
    machine = drive(make_plan(answer_reserve=10), [2] * 10, max_new_tokens=15)
    assert machine.ids[-10:] == [2] * 10
    assert machine.thinking_tokens == 0


@pytest.mark.parametrize("left", [14, 1, 0, -3])
def test_no_room_to_answer_is_said_before_anything_is_drawn(left):
    with pytest.raises(
        ConfigError, match=f"^{left} tokens are left after the prompt, and delimiters and answer need 15"
    ):
        BudgetForcingMachine(make_plan(answer_reserve=10), max_new_tokens=left)


def test_the_auto_cap_is_what_the_longest_prompt_leaves():
    plan = make_plan(answer_reserve=100)
    assert plan.room_for_thinking(context_tokens=32_768, prompt_tokens=1_204) == 32_768 - 1_204 - 5 - 100
    assert make_plan(max_thinking_tokens=7).room_for_thinking(context_tokens=100, prompt_tokens=9) == 7


def test_a_cap_that_leaves_no_room_says_which_one_does():
    plan = make_plan(max_thinking_tokens=32_000, answer_reserve=100)
    with pytest.raises(ConfigError) as error:
        plan.room_for_thinking(context_tokens=32_768, prompt_tokens=1_204)
    assert str(error.value) == (
        "max_thinking_tokens=32000 leaves no room to answer: prompt 1204 + delimiters 5 + slack 100 of 32768; "
        "use 31459 or less"
    )
    with pytest.raises(ConfigError, match="the context leaves no room to answer"):
        make_plan().room_for_thinking(context_tokens=100, prompt_tokens=99)


# --- sampling that changes -----------------------------------------------------------------------------------


def test_an_override_holds_from_its_wait_on_and_not_in_the_answer():
    hot, hotter = SamplingOverride(after=1, temperature=0.7), SamplingOverride(after=2, frequency_penalty=0.5)
    plan = make_plan(num_ignore=2, overrides=(hot, hotter))
    machine = BudgetForcingMachine(plan, max_new_tokens=100)
    seen = []
    for id_ in [1, END, 2, END, 3, END, 4]:
        seen.append(machine.override)
        machine.observe(id_)
        while machine.next_forced is not None:
            machine.take()
    assert seen == [None, None, hot, hot, hotter, hotter, None]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_thinking_tokens": -1}, "max_thinking_tokens=-1; a whole number of 0 or more is allowed"),
        ({"max_thinking_tokens": True}, "max_thinking_tokens=True"),
        ({"max_thinking_tokens": 1.5}, "max_thinking_tokens=1.5"),
        ({"num_ignore": -2}, "num_ignore=-2"),
        ({"answer_reserve": 0}, "answer_reserve=0; a whole number of 1 or more"),
        ({"max_answer_tokens": 0}, "max_answer_tokens=0"),
        ({"ignore_strings": ()}, "ignore_strings=.*one or more texts"),
        ({"ignore_strings": "Wait"}, "ignore_strings='Wait'"),
        ({"overrides": (SamplingOverride(2, 1.0), SamplingOverride(1, 1.0))}, r"overrides begin after \[2, 1\]"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options, error):
    with pytest.raises(ConfigError, match=error):
        BudgetForcing(**options)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"after": 0, "temperature": 1.0}, "override after=0"),
        ({"after": 1}, "changes nothing"),
        ({"after": 1, "temperature": -1.0}, "temperature=-1"),
        ({"after": 1, "temperature": float("nan")}, "temperature=nan"),
        ({"after": 1, "frequency_penalty": 3.0}, "frequency_penalty=3.0"),
    ],
)
def test_an_override_that_cannot_be_used_is_named(values, error):
    with pytest.raises(ConfigError, match=error):
        SamplingOverride(**values)


def test_a_plan_goes_through_json():
    plan = make_plan(
        delimiters=SPLIT, ignore=(WAIT, (), HMM), num_ignore=3, overrides=(SamplingOverride(1, temperature=0.5),)
    )
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan
