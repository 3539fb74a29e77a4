import numpy as np
import pytest

from inference.engines.protocol import Request
from inference.engines.scripted import ScriptedEngine, TraceEngine
from tests.inference.engines.contract import (
    ANSWER,
    CONTEXT,
    PROMPT,
    START,
    STOP,
    WAIT,
    B,
    C,
    D,
    EngineContract,
    X,
    kinds,
    opened,
    plan_of,
)
from tests.inference.models import make_tokenizer, num_model_ids


class TestScriptedEngine(EngineContract):
    @pytest.fixture
    def make_engine(self):
        def make(logits):
            known = logits.copy()
            known[:, len(make_tokenizer()) :] = -np.inf
            return ScriptedEngine(lambda context: known[context[-1]], num_ids=num_model_ids(), context_tokens=CONTEXT)

        return make


def trace_sample(trace, **options):
    (sample,) = TraceEngine({"one": trace}).generate([Request("one", PROMPT, plan_of(**options))])
    return sample


def test_a_trace_is_drawn_id_by_id():
    sample = trace_sample([B, START, C, D, STOP, X, STOP], num_ignore=1)
    assert sample.ids == (B, WAIT, C, D, *opened(X))


def test_a_trace_passes_over_what_may_not_come():
    assert trace_sample([B, START, START, STOP, D, START, X], num_ignore=1).ids == (B, WAIT, D, *opened(X))


def test_behind_its_last_id_a_trace_ends_its_thinking_and_its_answer():
    sample = trace_sample([B])
    assert sample.ids == (B, *opened())
    assert kinds(sample) == ["natural_end", "finished"]


def test_a_trace_that_is_too_short_for_its_waits_repeats_its_last_id():
    assert trace_sample([B, C], num_ignore=2).ids == (B, C, WAIT, C, WAIT, C, *opened())


def test_a_request_without_a_trace_says_so():
    plan = plan_of()
    samples = list(TraceEngine({"one": [B]}).generate([Request("two", PROMPT, plan), Request("one", PROMPT, plan)]))
    assert samples[0].error == "there is no trace for request 'two'; give one"
    assert samples[1].ids == (B, START, ANSWER)
