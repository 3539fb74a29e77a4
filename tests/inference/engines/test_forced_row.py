"""Rows inside somebody else's batch, against a server that throws away what it likes."""

import json
import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from curation.errors import InputError
from inference.budget_forcing import BudgetForcingMachine, replay
from inference.engines.forced_row import ForcedRow, Report, read_drawn, read_report, stop_for
from inference.engines.protocol import Request
from inference.engines.scripted import ScriptedEngine
from inference.engines.vllm_processor import ARGUMENT, BudgetForcingProcessor, forcing_to_json, row_from_json
from inference.forcing_plan import SamplingOverride
from inference.sampling import Sampling, draw
from tests.inference.machines import ANSWER, DELIMITERS, END, END_TOO, SPLIT, STOP, make_plan

NUM_IDS = 80
ROOM = 90
PROMPT = (1, 2)
REPORT = Report(stop=END_TOO, num_digits=NUM_IDS - 1)


def script(seed):
    """Logits of an id by the one before it, where ends and delimiters of several ids come often."""
    logits = np.random.default_rng(seed).normal(size=(NUM_IDS, NUM_IDS))
    logits[:, [END, END_TOO, STOP, 40, 60]] += 1.5
    logits[40, 41] += 6
    logits[41, 42] += 6
    logits[50, 51] += 6
    return logits


def plans(rng):
    overrides = (SamplingOverride(after=1, temperature=0.0), SamplingOverride(after=2, temperature=1.2))
    delimiters = SPLIT if rng.random() < 0.5 else DELIMITERS
    return make_plan(
        delimiters=replace(delimiters, stops=(*delimiters.stops, (END_TOO,))),
        ignore=rng.choice([((30,),), ((),), ((30,), (31, 32), ())]),
        num_ignore=rng.randrange(6),
        max_thinking_tokens=rng.randrange(40),
        max_answer_tokens=rng.randrange(1, 20),
        overrides=overrides if rng.random() < 0.5 else (),
    )


def serve(row, prompt, logits, rng, *, share_lost, is_over):
    """What a server does with a row: the ids that it kept when it was over."""
    kept = []
    while True:
        row.follow(len(kept))
        while row.is_drawing:
            how = row.draw()
            numbers = SimpleNamespace(random=lambda number=how.number: number)
            last = kept[-1] if kept else prompt[-1]
            row.observe(draw(logits[last], how.sampling, numbers, forbidden=how.forbidden, counts=how.counts))
        id_ = row.emit()
        if rng.random() < share_lost:
            # behind a part of a prompt, or the sequence was put out and comes again with fewer
            kept = kept[: len(kept) - rng.choice((0, 0, 1, 5))]
            continue
        kept.append(id_)
        if is_over(kept):
            return kept


@pytest.mark.parametrize("share_lost", [0.0, 0.3])
def test_a_row_ends_as_the_scripted_engine_does_whatever_the_server_throws_away(share_lost):
    several = 0
    for seed in range(150):
        rng = random.Random(seed)
        plan, logits = plans(rng), script(seed)
        sampling = Sampling(temperature=rng.choice((0.0, 1.0)), top_p=0.9, frequency_penalty=0.2, seed=seed)
        scripted = ScriptedEngine(lambda ids, at=logits: at[ids[-1]], num_ids=NUM_IDS, context_tokens=ROOM + 2)
        (expected,) = scripted.generate([Request("one", PROMPT, plan, sampling)])
        row = ForcedRow(plan, sampling, max_new_tokens=ROOM, last_prompt_id=PROMPT[-1])
        submissions = 0
        while not row.machine.is_finished:
            prompt = [*PROMPT, *row.submit()]
            serve(row, prompt, logits, rng, share_lost=share_lost, is_over=lambda _kept, row=row: row.has_ended)
            submissions += 1
        several += submissions > 1
        assert tuple(row.machine.ids) == expected.ids
        assert tuple(row.machine.events) == expected.events
        assert row.sampled == expected.sampled_tokens
    assert several > 20


@pytest.mark.parametrize("share_lost", [0.0, 0.2])
def test_a_report_says_what_was_drawn_in_another_process(share_lost):
    """Submission by submission, from the ids that come back alone."""
    num_reports = 0
    for seed in range(80):
        rng = random.Random(seed)
        plan, logits = plans(rng), script(seed)
        sampling = Sampling(temperature=rng.choice((0.0, 1.0)), frequency_penalty=0.2, seed=seed)
        assert stop_for(plan) == REPORT.stop
        machine = BudgetForcingMachine(plan, max_new_tokens=ROOM, last_prompt_id=PROMPT[-1])
        drawn = []
        request = Request("one", PROMPT, plan, sampling)
        while not machine.is_finished:
            while machine.next_forced is not None:
                machine.take()
            text = forcing_to_json(request, max_new_tokens=ROOM, drawn=drawn, report=REPORT)
            row = row_from_json(text)
            prompt = [*PROMPT, *row.submit()]
            assert prompt == [*PROMPT, *machine.ids, *machine.held]
            is_over = lambda kept: kept[-1] == REPORT.stop  # noqa: E731
            kept = serve(row, prompt, logits, rng, share_lost=share_lost, is_over=is_over)
            emitted, hidden = read_report(kept, REPORT)
            drawn += read_drawn(machine, emitted, hidden)
            assert drawn == row.drawn
            num_reports += 1
        again = replay(plan, drawn, max_new_tokens=ROOM, last_prompt_id=PROMPT[-1])
        assert (again.ids, again.events) == (row.machine.ids, row.machine.events)
    assert num_reports > 85


def test_a_generation_that_was_cut_off_has_no_report():
    assert read_report([], REPORT) is None
    assert read_report([1, 2, 3, 4], REPORT) is None
    assert read_report([0, 7, END_TOO], REPORT) is None


def test_ids_that_are_no_rows_are_refused():
    plan = make_plan(num_ignore=1)
    machine = replay(plan, [1, END], max_new_tokens=ROOM)
    with pytest.raises(InputError, match="id 0 of the generation was forbidden"):
        read_drawn(machine, [END], [])
    machine = replay(make_plan(max_thinking_tokens=0), [], max_new_tokens=ROOM)
    with pytest.raises(InputError, match="2 ids of the generation stand behind its end"):
        read_drawn(machine, [1, STOP, 2], [(1, STOP)])
    row = ForcedRow(plan, Sampling(), max_new_tokens=ROOM, last_prompt_id=1)
    with pytest.raises(InputError, match="the server holds 3 ids of a sequence that was given 0"):
        row.follow(3)


@pytest.mark.parametrize(
    ("plan", "stop"),
    [
        pytest.param(make_plan(), None, id="no end stops an answer"),
        pytest.param(make_plan(delimiters=replace(DELIMITERS, stops=((STOP,), (END_TOO,)))), END_TOO, id="one does"),
        pytest.param(
            make_plan(delimiters=replace(DELIMITERS, stops=((STOP,), (END_TOO,)), answer=(END_TOO, ANSWER))),
            None,
            id="it opens the answer",
        ),
    ],
)
def test_a_report_ends_in_an_id_that_is_never_emitted_before(plan, stop):
    assert stop_for(plan) == stop


GOOD = json.loads(
    forcing_to_json(Request("one", PROMPT, make_plan(num_ignore=1)), max_new_tokens=ROOM, drawn=[], report=REPORT)
)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("?", "s1web_forcing is no forcing of protocol 1"),
        (7, "s1web_forcing is no forcing of protocol 1"),
        ({**GOOD, "protocol": 2}, "s1web_forcing: protocol 2 is not spoken here; allowed: 1"),
        ({**GOOD, "plan": "{}"}, "s1web_forcing is no forcing of protocol 1: KeyError"),
        ({**GOOD, "max_new_tokens": 3}, "s1web_forcing: 3 tokens are left after the prompt"),
        ({**GOOD, "sampling": {"temperature": -1}}, "s1web_forcing: temperature=-1"),
        ({**GOOD, "drawn": ["x"]}, "s1web_forcing: 'x' stands where a whole number of 0 or more is needed"),
        ({**GOOD, "drawn": [END, END]}, "s1web_forcing is no forcing of protocol 1: ValueError"),
        ({**GOOD, "report": {"stop": -1, "num_digits": 9}}, "s1web_forcing: -1 stands where"),
    ],
)
def test_a_server_refuses_a_plan_that_it_cannot_keep(value, error):
    text = json.dumps(value) if isinstance(value, dict) else value
    with pytest.raises(ValueError, match=error):
        BudgetForcingProcessor.validate_params(SimpleNamespace(extra_args={ARGUMENT: text}, n=1))


def test_a_server_takes_a_good_plan_for_one_sequence_and_what_is_not_ours():
    text = json.dumps(GOOD)
    BudgetForcingProcessor.validate_params(SimpleNamespace(extra_args={ARGUMENT: text}, n=1))
    BudgetForcingProcessor.validate_params(SimpleNamespace(extra_args=None, n=3))
    with pytest.raises(ValueError, match="s1web_forcing with n=2; send one request for each sequence"):
        BudgetForcingProcessor.validate_params(SimpleNamespace(extra_args={ARGUMENT: text}, n=2))
