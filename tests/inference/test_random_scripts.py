"""Ten thousand random scripts: budgets are kept, and ids, events and what was drawn give each other back."""

import json
import random
from collections import Counter
from dataclasses import replace

from inference.budget_forcing import BudgetForcingMachine, replay
from inference.forcing_events import (
    ForcedEnd,
    InsertedString,
    NaturalEnd,
    SuppressedEnd,
    apply_events,
    count_tokens,
    event_from_json,
    event_to_json,
    sampled_ids,
    thinking_spans,
)
from tests.inference.machines import ANSWER, DELIMITERS, END, HMM, NEWLINE, WAIT, kinds, make_plan


def random_plan(rng):
    alike = [ids for ids in [(40,), (40, 41), (41, 42), (40, 41, 42), (41, 41), (42, 40)] if rng.random() < 0.4]
    delimiters = replace(
        DELIMITERS,
        ends=tuple(alike) or ((END,),),
        answer=rng.choice([(END, ANSWER), (40, 41, 42), (42,)]),
        stops=((43, 42),) if rng.random() < 0.5 else ((43,),),
        reopens=rng.choice([(), ((41, 40),), ((44,),), ((40, 44), (41, 44))]),
        line_ends=frozenset({NEWLINE, 1}),
    )
    return make_plan(
        delimiters=delimiters,
        ignore=tuple(rng.choice([(), WAIT, HMM, (40,), (1, 41)]) for _ in range(rng.randint(1, 3))),
        max_thinking_tokens=rng.choice([None, 0, 1, 2, 5, 9, 14, 30, 40]),
        num_ignore=rng.choice([0, 1, 2, 5, 50]),
        answer_reserve=rng.randint(1, 6),
        max_answer_tokens=rng.choice([None, 1, 4]),
        starts_thinking=rng.random() < 0.9,
    )


def rounds_of_thinking(ids, events, spans):
    """What the model drew of each round, without what was put in."""
    for start, end in spans:
        place = start
        for event in events:
            if start <= event.offset <= end and isinstance(event, InsertedString | SuppressedEnd):
                yield ids[place : event.offset]
                place = event.offset + len(getattr(event, "ids", ()))
        yield ids[place:end]


def count_thinking(plan, drawn):
    """Thinking tokens, counted from the drawn ids by the rules alone: no machine, no events."""
    options, delimiters = plan.options, plan.delimiters
    thinking = waits = 0
    kept = []

    def end_of(ids, sequences):
        return max((len(seq) for seq in sequences if tuple(ids[len(ids) - len(seq) :]) == seq), default=0)

    for id_ in drawn:
        kept.append(id_)
        if length := end_of(kept, delimiters.ends):
            del kept[-length:]
            thinking += len(kept)
            kept = []
            string = plan.ignore_ids[waits % len(plan.ignore_ids)]
            if waits == options.num_ignore or thinking + len(string) >= options.max_thinking_tokens:
                return thinking
            thinking += len(string)
            waits += 1
        elif thinking + len(kept) == options.max_thinking_tokens:
            return options.max_thinking_tokens
    raise AssertionError("the script ended first")


def test_ten_thousand_random_scripts_stay_within_their_budgets_and_can_be_taken_apart():
    rng = random.Random(2501)
    seen = Counter()
    for _ in range(10_000):
        plan = random_plan(rng)
        room = rng.randint(plan.tokens_beside_thinking, plan.tokens_beside_thinking + 60)
        last_prompt_id = rng.choice([None, 1, 2])
        machine = BudgetForcingMachine(plan, max_new_tokens=room, last_prompt_id=last_prompt_id)
        context, drawn = [], []
        while not machine.is_finished:
            while machine.next_forced is not None:
                context.append(machine.take())
            assert context == machine.ids + machine.held
            allowed = [
                id_ for id_ in (1, 1, 2, 2, 40, 40, 41, 41, 42, 42, 43, 44, END) if id_ not in machine.forbidden
            ]
            drawn.append(rng.choice(allowed))
            take_back = machine.observe(drawn[-1]).take_back
            del context[len(context) - take_back :]

        options, events = plan.options, machine.events
        # the budget, counted from the ids
        spans = thinking_spans(len(machine.ids), events, starts_thinking=options.starts_thinking)
        thinking = sum(end - start for start, end in spans)
        assert thinking == machine.thinking_tokens
        if options.max_thinking_tokens is not None:
            assert thinking <= options.max_thinking_tokens
        assert len(machine.ids) <= room
        # every closing leaves the answer its reserve
        for event in events:
            if isinstance(event, ForcedEnd | NaturalEnd):
                assert room - event.offset - len(event.ids) >= options.answer_reserve
        assert machine.num_suppressed <= options.num_ignore
        # no end of thinking stands in what the model drew of a round
        for drawn_of_round in rounds_of_thinking(machine.ids, events, spans):
            for ids in plan.delimiters.ends:
                assert not any(
                    drawn_of_round[place : place + len(ids)] == list(ids) for place in range(len(drawn_of_round))
                )
        # ids, events and what was drawn give each other back
        assert sampled_ids(machine.ids, events) == drawn
        assert apply_events(drawn, events) == machine.ids
        stored = [event_from_json(json.loads(json.dumps(event_to_json(event)))) for event in events]
        assert stored == events
        again = replay(plan, drawn, max_new_tokens=room, last_prompt_id=last_prompt_id)
        assert (again.ids, again.events) == (machine.ids, events)
        counts = count_tokens(len(machine.ids), events, starts_thinking=options.starts_thinking)
        assert (counts.thinking, counts.answer) == (machine.thinking_tokens, machine.answer_tokens)
        assert counts.thinking + counts.delimiters + counts.answer == len(machine.ids)
        is_cut_by_context = any(getattr(event, "limited_by", None) == "context" for event in events)
        is_plain = options.starts_thinking and "reopened_thinking" not in kinds(machine) and not is_cut_by_context
        if is_plain and options.max_thinking_tokens:
            assert thinking == count_thinking(plan, drawn)
            seen["counted by the rules alone"] += 1
        seen.update(set(kinds(machine)))
        seen["cut by the context"] += is_cut_by_context
        seen["a delimiter of several ids dropped"] += any(len(getattr(event, "dropped", ())) > 1 for event in events)
        seen["no room for a string"] += any(event.kind == "cap_hit" and not event.is_cut for event in events)
    # every kind of script came often enough to be a test of it
    assert len(seen) == 11
    assert min(seen.values()) >= 200, seen
