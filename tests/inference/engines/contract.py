"""What every engine has to do: a suite that runs on each of them, over a model that follows a table.

The model's logits depend on the last id alone, so that a case says in one line what the model would write; a scripted
engine reads the table, the others run a real model that computes it (`tests.inference.models.transition_model`).
An engine's test module subclasses EngineContract and gives `make_engine`.
"""

import json
from collections import Counter, deque
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from inference.budget_forcing import replay
from inference.delimiters import PROFILES, build_delimiters
from inference.engines.protocol import Request
from inference.forcing_events import count_tokens, event_from_json, event_to_json, sampled_ids
from inference.forcing_plan import BudgetForcing, SamplingOverride, make_plan
from inference.sampling import Sampling
from tests.inference.models import make_tokenizer, num_model_ids

CONTEXT = 512


def ids_of(text):
    return tuple(make_tokenizer().encode(text, add_special_tokens=False))


def letters(text):
    """One id for each letter, whatever the tokenizer would merge."""
    return tuple(ids_of(letter)[0] for letter in text)


A, B, C, D, X, Y, P, Q, R = letters("abcdxypqr")
START, STOP = ids_of("<|im_start|>")[0], ids_of("<|im_end|>")[0]
ANSWER, WAIT, COLON = (ids_of(text)[-1] for text in ("answer", "Wait", ":"))
PROMPT = (*ids_of("12 + 30"), A)


def table(moves):
    """Logits of a model that, behind each id, writes the first of the ids given for it that may come.

    Behind ids without an entry it stops. Shape (ids of the model, ids of the model).
    """
    logits = np.zeros((num_model_ids(), num_model_ids()), dtype=np.float32)
    logits[:, STOP] = 20
    for id_, choices in moves.items():
        logits[id_] = 0
        for place, choice in enumerate(choices if isinstance(choices, tuple) else (choices,)):
            logits[id_, choice] = 30 - 5 * place
    return logits


def plan_of(*, ends=None, reopens=(), strings=("Wait",), **options):
    delimiters = build_delimiters(replace(PROFILES["s1"], reopens=tuple(reopens)), make_tokenizer())
    if ends:
        delimiters = replace(delimiters, ends=tuple(ends))
    options = {"answer_reserve": 4, "max_answer_tokens": 20} | options
    return make_plan(BudgetForcing(ignore_strings=strings, **options), delimiters, make_tokenizer())


def opened(*answer):
    """An answer that the model began by itself, and one that it was forced to."""
    return (*ids_of("<|im_start|>answer"), *answer)


def forced(*answer, newline=True):
    return (*(ids_of("\n") if newline else ()), *ids_of("<|im_start|>answer\nFinal Answer:"), *answer)


def kinds(sample):
    return [event.kind for event in sample.events]


# thinks b, ends it, answers x; behind Wait it thinks c
PLAIN = {A: B, B: START, ANSWER: X, COLON: Y, WAIT: C, C: START}


class EngineContract:
    """Subclasses give the fixture `make_engine`: a function of a table's logits that returns an engine whose context
    is CONTEXT ids, and, where the engine has rows, fewer than 257 of them."""

    def one(self, engine, plan, *, prompt=PROMPT, sampling=None):
        (sample,) = engine.generate([Request("one", prompt, plan, sampling or Sampling())])
        self.check(sample, plan, prompt)
        return sample

    def many(self, engine, plan, count, *, sampling=None, prompt=PROMPT):
        """Samples of so many requests, each with a seed of its own."""
        sampling = sampling or Sampling()
        requests = (Request(str(seed), prompt, plan, replace(sampling, seed=seed)) for seed in range(count))
        samples = {sample.key: sample for sample in engine.generate(requests)}
        assert len(samples) == count
        return [samples[str(seed)] for seed in range(count)]

    def check(self, sample, plan, prompt):
        """What holds of any sample: counts add up, nothing is lost, and the machine can be run again."""
        assert sample.error is None
        counts = count_tokens(len(sample.ids), sample.events, starts_thinking=plan.options.starts_thinking)
        assert (sample.thinking_tokens, sample.answer_tokens) == (counts.thinking, counts.answer)
        assert counts.thinking + counts.delimiters + counts.answer == len(sample.ids)
        assert sample.prompt_tokens == len(prompt)
        assert sample.prompt_tokens + len(sample.ids) <= CONTEXT
        if plan.options.max_thinking_tokens is not None:
            assert counts.thinking <= plan.options.max_thinking_tokens
        drawn = sampled_ids(sample.ids, sample.events)
        assert len(drawn) == sample.sampled_tokens
        again = replay(plan, drawn, max_new_tokens=CONTEXT - len(prompt), last_prompt_id=prompt[-1])
        assert (tuple(again.ids), tuple(again.events)) == (sample.ids, sample.events)
        assert [
            event_from_json(json.loads(json.dumps(event_to_json(event)))) for event in again.events
        ] == again.events

    # --- ends -------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("options", "ids"),
        [
            pytest.param({}, (B, *opened(X)), id="nothing suppressed"),
            pytest.param({"num_ignore": 1}, (B, WAIT, C, *opened(X)), id="one Wait"),
            pytest.param({"num_ignore": 3}, (B, *(WAIT, C) * 3, *opened(X)), id="three Waits"),
            pytest.param({"max_thinking_tokens": 0, "num_ignore": 2}, forced(Y), id="cap 0"),
            pytest.param({"max_thinking_tokens": 1, "num_ignore": 2}, (B, *forced(Y)), id="cap 1"),
            pytest.param(
                {"max_thinking_tokens": 3, "num_ignore": 2}, (B, WAIT, C, *forced(Y)), id="cap after a Wait"
            ),
            pytest.param({"max_thinking_tokens": 2, "num_ignore": 2}, (B, *opened(X)), id="no room for a Wait"),
        ],
    )
    def test_what_is_generated_under_a_budget(self, make_engine, options, ids):
        assert self.one(make_engine(table(PLAIN)), plan_of(**options)).ids == ids

    @pytest.mark.parametrize("text", ["Wait", " Wait", "\nWait", "Hmm", "Alternatively"])
    def test_any_string_is_inserted_with_its_own_space_and_newline(self, make_engine, text):
        ids = ids_of(text)
        engine = make_engine(table({**PLAIN, ids[-1]: C}))
        sample = self.one(engine, plan_of(num_ignore=1, strings=(text,)))
        assert sample.ids == (B, *ids, C, *opened(X))
        assert make_tokenizer().decode(sample.ids[1 : 1 + len(ids)]) == text

    def test_strings_rotate(self, make_engine):
        hmm = ids_of("Hmm")
        engine = make_engine(table({**PLAIN, hmm[-1]: D, D: START}))
        sample = self.one(engine, plan_of(num_ignore=3, strings=("Wait", "Hmm")))
        assert sample.ids == (B, WAIT, C, *hmm, D, WAIT, C, *opened(X))

    def test_with_an_empty_string_the_end_is_dropped_and_the_next_choice_follows(self, make_engine):
        engine = make_engine(table({**PLAIN, B: (START, C), C: (START, D), D: (START, A)}))
        assert self.one(engine, plan_of(num_ignore=2, strings=("",))).ids == (B, C, D, *opened(X))

    def test_an_end_right_after_a_wait_cannot_come(self, make_engine):
        engine = make_engine(table({**PLAIN, WAIT: (START, STOP, D), D: START}))
        sample = self.one(engine, plan_of(num_ignore=2))
        assert sample.ids == (B, WAIT, D, WAIT, D, *opened(X))

    def test_neither_stops_nor_dropped_ends_are_among_the_ids(self, make_engine):
        engine = make_engine(table({**PLAIN, B: STOP, C: STOP}))
        sample = self.one(engine, plan_of(num_ignore=1))
        assert sample.ids == (B, WAIT, C, *opened(X))
        assert STOP not in sample.ids
        assert [event.dropped for event in sample.events if hasattr(event, "dropped")] == [(STOP,)] * 3
        assert sample.finish_reason == "stop"

    @pytest.mark.parametrize("string", ["Wait", ""])
    def test_an_end_of_several_ids_is_dropped_whole(self, make_engine, string):
        moves = {A: B, B: P, P: Q, Q: R, WAIT: C, C: P, ANSWER: X}
        ids = (B, *ids_of(string), *((C,) if string else (D,)), *opened(X))
        if not string:  # behind the dropped end the model tries it again, and may not complete it
            moves |= {B: (P, D), Q: (R, D), D: P}
            ids = (B, P, Q, D, *opened(X))
        sample = self.one(make_engine(table(moves)), plan_of(ends=[(P, Q, R)], num_ignore=1, strings=(string,)))
        assert sample.ids == ids
        assert sample.events[0].dropped == (P, Q, R)

    def test_an_end_that_is_only_begun_stays(self, make_engine):
        engine = make_engine(table({A: P, P: Q, Q: B, B: START, ANSWER: X}))
        assert self.one(engine, plan_of(ends=[(P, Q, R), (START,)])).ids == (P, Q, B, *opened(X))

    def test_a_string_that_would_cross_the_cap_is_left_out(self, make_engine):
        string = "Wait, Hmm"
        engine = make_engine(table(PLAIN))
        for cap in range(1, 1 + len(ids_of(string)) + 1):
            sample = self.one(engine, plan_of(num_ignore=1, strings=(string,), max_thinking_tokens=cap))
            assert "inserted_string" not in kinds(sample)
            assert kinds(sample)[0] == "cap_hit"

    def test_a_loop_under_many_waits_ends_at_the_cap(self, make_engine):
        sample = self.one(make_engine(table(PLAIN)), plan_of(num_ignore=1_000, max_thinking_tokens=101))
        assert sample.ids == (B, *(WAIT, C) * 50, *forced(Y))
        assert sample.thinking_tokens == 101

    def test_thinking_that_never_ends_is_ended_by_the_context(self, make_engine):
        sample = self.one(make_engine(table({**PLAIN, B: B})), plan_of(answer_reserve=30, max_answer_tokens=None))
        assert sample.events[0].limited_by == "context"
        assert sample.thinking_tokens == CONTEXT - len(PROMPT) - len(forced()) - 30

    def test_an_answer_that_never_ends_is_ended_by_the_context(self, make_engine):
        sample = self.one(make_engine(table({**PLAIN, X: X})), plan_of(max_answer_tokens=None))
        assert sample.finish_reason == "context_length"
        assert len(PROMPT) + len(sample.ids) == CONTEXT

    # --- a second block ---------------------------------------------------------------------------------------

    def test_after_a_forced_end_no_second_block_begins(self, make_engine):
        engine = make_engine(table({**PLAIN, COLON: START, START: (Q, Y), Y: STOP}))
        sample = self.one(engine, plan_of(reopens=["<|im_start|>q"], max_thinking_tokens=1))
        assert sample.ids == (B, *forced(START, Y))

    def test_a_second_block_is_counted_with_the_first(self, make_engine):
        moves = {A: B, B: C, C: STOP, ANSWER: START, START: Q, Q: D, D: D, COLON: Y}
        sample = self.one(
            make_engine(table(moves)), plan_of(ends=[(STOP,)], reopens=["<|im_start|>q"], max_thinking_tokens=5)
        )
        assert sample.ids == (B, C, *opened(START, Q), D, D, D, *forced(Y))
        assert kinds(sample) == ["natural_end", "reopened_thinking", "cap_hit", "forced_end", "finished"]

    # --- room -------------------------------------------------------------------------------------------------

    def test_a_prompt_that_leaves_no_token_to_think_is_answered_at_once(self, make_engine):
        plan = plan_of(answer_reserve=10)
        prompt = (B,) * (CONTEXT - plan.closing_tokens - 10)
        sample = self.one(make_engine(table(PLAIN)), plan, prompt=prompt)
        assert sample.ids == forced(Y)

    @pytest.mark.parametrize(
        ("prompt", "error"),
        [
            pytest.param(
                (B,) * (CONTEXT + 1), "the prompt has 513 tokens of a context of 512", id="beyond the context"
            ),
            pytest.param((B,) * CONTEXT, "the prompt has 512 tokens of a context of 512", id="the whole context"),
            pytest.param((B,) * (CONTEXT - 9), "9 tokens are left after the prompt", id="no room to answer"),
            pytest.param((), "the prompt is empty", id="empty"),
            pytest.param(
                (B, 100_000), "the prompt holds id 100000; the model has ids 0 to", id="another tokenizer's"
            ),
        ],
    )
    def test_a_request_that_cannot_be_served_says_why_and_the_others_go_on(self, make_engine, prompt, error):
        plan = plan_of()
        requests = [Request("good", PROMPT, plan), Request("bad", prompt, plan), Request("too", PROMPT, plan)]
        samples = {sample.key: sample for sample in make_engine(table(PLAIN)).generate(requests)}
        assert samples["bad"].error.startswith(error)
        assert (samples["bad"].finish_reason, samples["bad"].ids) == ("error", ())
        assert samples["good"].ids == samples["too"].ids == (B, *opened(X))

    def test_no_request_gives_no_sample(self, make_engine):
        assert list(make_engine(table(PLAIN)).generate([])) == []

    # --- many rows --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("count", [1, 257])
    def test_sequences_that_all_end_in_one_step(self, make_engine, count):
        samples = self.many(make_engine(table(PLAIN)), plan_of(num_ignore=1), count)
        assert {sample.ids for sample in samples} == {(B, WAIT, C, *opened(X))}

    def test_each_request_has_its_own_plan(self, make_engine):
        engine = make_engine(table({**PLAIN, B: (START, D), D: B}))
        plans = [plan_of(num_ignore=num % 5, max_thinking_tokens=num) for num in range(60)]
        plans += [plan_of(starts_thinking=False), plan_of(num_ignore=3, strings=("",))]
        requests = [Request(str(place), PROMPT, plan) for place, plan in enumerate(plans)]
        together = {sample.key: sample for sample in engine.generate(requests)}
        for request in requests:
            assert together[request.key] == replace(self.one(engine, request.plan), key=request.key)

    # --- requests that wait for samples -----------------------------------------------------------------------

    def chains(self, engine, plan, firsts, length):
        """Samples by key of chains of requests, each of which is ready once the one before it came back.

        Args:
            firsts: the prompts that chains begin with; all further requests have PROMPT.
        """
        ready = deque(Request(f"{chain}.0", prompt, plan) for chain, prompt in enumerate(firsts))
        running = set()

        def requests():
            while ready or running:
                if ready:
                    running.add(ready[0].key)
                    yield ready.popleft()
                else:
                    yield None

        samples = {}
        for sample in engine.generate(requests()):
            assert sample.key not in samples
            running.remove(sample.key)
            samples[sample.key] = sample
            chain, _, place = sample.key.partition(".")
            if int(place) + 1 < length:
                ready.append(Request(f"{chain}.{int(place) + 1}", PROMPT, plan))
        assert not ready
        return samples

    def test_a_request_may_wait_for_an_earlier_sample(self, make_engine):
        engine, plan = make_engine(table(PLAIN)), plan_of(num_ignore=1)
        samples = self.chains(engine, plan, [PROMPT] * 7, 5)
        assert len(samples) == 35
        assert {sample.ids for sample in samples.values()} == {(B, WAIT, C, *opened(X))}

    @pytest.mark.parametrize("num_good", [0, 3])
    def test_a_request_may_wait_for_one_that_cannot_be_served(self, make_engine, num_good):
        engine, plan = make_engine(table(PLAIN)), plan_of()
        samples = self.chains(engine, plan, [*[PROMPT] * num_good, ()], 3)
        assert len(samples) == 3 * (num_good + 1)
        assert [sample.key for sample in samples.values() if sample.error] == [f"{num_good}.0"]
        assert samples[f"{num_good}.2"].ids == (B, *opened(X))

    def test_requests_that_could_wait_for_ever_are_refused(self, make_engine):
        with pytest.raises(ValueError, match="no request is ready, nothing runs, and the requests are not over"):
            list(make_engine(table(PLAIN)).generate(iter([None])))
        samples = make_engine(table(PLAIN)).generate(iter([Request("one", PROMPT, plan_of()), None, None]))
        assert next(samples).key == "one"
        with pytest.raises(ValueError, match="nothing runs"):
            next(samples)

    def test_requests_are_read_as_rows_become_free(self, make_engine):
        read = []

        def requests(prompt):
            for number in range(2_000):
                read.append(number)
                yield Request(str(number), prompt, plan_of())

        for prompt in (PROMPT, ()):  # and failing ones as they are given
            read.clear()
            samples = make_engine(table(PLAIN)).generate(requests(prompt))
            for given in range(1, 600):
                next(samples)
                assert len(read) <= given + 257
            samples.close()

    # --- sampling ---------------------------------------------------------------------------------------------

    def test_temperature_keeps_the_models_distribution(self, make_engine):
        # 8 ids likely, and ids that the tokenizer does not know likelier still
        logits = table({})
        logits[A] = -30
        logits[A, list(range(40, 48))] = np.linspace(0, 2.5, 8)
        logits[A, len(make_tokenizer()) :] = 9
        plan = plan_of(starts_thinking=False, max_answer_tokens=1)
        samples = self.many(make_engine(logits), plan, 3_000, sampling=Sampling(temperature=0.8))
        counts = Counter(sample.ids[0] for sample in samples)
        assert set(counts) == set(range(40, 48))
        shares = np.exp(np.linspace(0, 2.5, 8) / 0.8)
        observed = [counts[id_] for id_ in range(40, 48)]
        assert stats.chisquare(observed, 3_000 * shares / shares.sum()).pvalue > 1e-3

    def test_behind_a_wait_the_distribution_is_the_models_without_the_end(self, make_engine):
        logits = table(PLAIN)
        logits[WAIT] = -30
        logits[WAIT, [START, C, D, P]] = [3, 0, 1, 1.5]
        logits[[C, D, P], :] = table({C: START})[C]
        plan = plan_of(num_ignore=1, max_answer_tokens=1)
        samples = self.many(make_engine(logits), plan, 2_000, sampling=Sampling(temperature=1.0))
        counts = Counter(sample.ids[2] for sample in samples)
        shares = np.exp([0, 1, 1.5])
        assert set(counts) == {C, D, P}
        assert stats.chisquare([counts[id_] for id_ in (C, D, P)], 2_000 * shares / shares.sum()).pvalue > 1e-3

    def test_at_temperature_1_only_ids_of_the_tokenizer_come(self, make_engine):
        logits = np.zeros((num_model_ids(), num_model_ids()), dtype=np.float32)
        logits[:, len(make_tokenizer()) :] = 12
        plan = plan_of(num_ignore=4, max_thinking_tokens=60)
        samples = self.many(make_engine(logits), plan, 20, sampling=Sampling(temperature=1.0))
        assert max(max(sample.ids) for sample in samples) < len(make_tokenizer())
        # such ids seldom are what the tokenizer would make of their text; they are kept as they were drawn
        tokenizer = make_tokenizer()
        changed = [
            sample for sample in samples if tuple(tokenizer.encode(tokenizer.decode(sample.ids))) != sample.ids
        ]
        assert changed
        for sample in samples:
            self.check(sample, plan, PROMPT)

    def test_a_wait_that_the_model_writes_itself_is_no_suppression(self, make_engine):
        w, a, i, t = letters("Wait")
        engine = make_engine(table({B: w, w: a, a: i, i: t, t: START, ANSWER: X}))
        sample = self.one(engine, plan_of(), prompt=(B,))
        assert "Wait" in make_tokenizer().decode(sample.ids)
        assert WAIT not in sample.ids
        assert kinds(sample) == ["natural_end", "finished"]

    def test_a_seed_gives_one_sequence_whatever_else_runs(self, make_engine):
        logits = np.zeros((num_model_ids(), num_model_ids()), dtype=np.float32)
        logits[:, 40:90] = 4
        engine, plan = make_engine(logits), plan_of(num_ignore=1, max_thinking_tokens=12)
        sampling = Sampling(temperature=1.0, top_p=0.9, top_k=60)
        samples = self.many(engine, plan, 40, sampling=sampling)
        assert len({sample.ids for sample in samples}) == 40
        alone = self.one(engine, plan, sampling=replace(sampling, seed=17))
        assert alone.ids == samples[17].ids

    def test_temperature_rises_after_a_wait(self, make_engine):
        logits = table({A: B, B: START, ANSWER: X})
        logits[WAIT] = logits[ANSWER] = -30
        logits[WAIT, 40:60] = logits[ANSWER, 40:60] = np.linspace(0, 0.5, 20)
        logits[40:60] = table({C: START})[C]
        plan = plan_of(num_ignore=2, max_answer_tokens=1, overrides=(SamplingOverride(after=2, temperature=1.0),))
        samples = self.many(make_engine(logits), plan, 60)
        assert {sample.ids[:4] for sample in samples} == {(B, WAIT, 59, WAIT)}
        assert len({sample.ids[4] for sample in samples}) > 10
        assert {sample.ids[-1] for sample in samples} == {59}  # the answer is greedy again

    def test_a_frequency_penalty_rises_after_a_wait(self, make_engine):
        moves = {A: (B, C), B: (B, START), WAIT: B}
        logits = table(moves)
        logits[B, [B, START, C, D]] = [30, 20, 29, 28]
        logits[[C, D]] = logits[B]
        logits[A, START] = 31
        plan = plan_of(
            num_ignore=1, max_thinking_tokens=8, overrides=(SamplingOverride(after=1, frequency_penalty=1.0),)
        )
        sample = self.one(make_engine(logits), plan)
        # b twice, then c at 29 against b at 30 - 2, then d at 28 against both at 28: the first of equals is b
        penalised = sample.ids[1:8]
        plain = self.one(make_engine(logits), replace(plan, options=replace(plan.options, overrides=()))).ids[1:8]
        assert plain == (B,) * 7
        assert Counter(penalised)[C] >= 2
        assert Counter(penalised)[D] >= 1

    def test_an_engine_says_what_it_is(self, make_engine):
        fingerprint = make_engine(table(PLAIN)).fingerprint()
        assert fingerprint["context_tokens"] == CONTEXT
        assert json.loads(json.dumps(fingerprint)) == fingerprint
