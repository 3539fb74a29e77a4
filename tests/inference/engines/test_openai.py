"""An address: the contract over a small server of a table, and the same ids from vLLM's own server."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from curation.errors import ConfigError
from inference.engines.forced_row import stop_for
from inference.engines.openai import EndpointError, OpenAIEngine
from inference.engines.protocol import Request
from inference.engines.transformers import TransformersEngine
from inference.sampling import Sampling
from tests.inference.engines.completion_server import table_server
from tests.inference.engines.contract import (
    CONTEXT,
    PLAIN,
    PROMPT,
    STOP,
    WAIT,
    B,
    C,
    EngineContract,
    X,
    opened,
    plan_of,
    table,
)
from tests.inference.engines.random_runs import (
    decided_prompts,
    plan_with_ends,
    random_prompts,
    run,
    sequences_that_come,
    single_ids,
)
from tests.inference.models import make_tokenizer, random_model


@pytest.fixture(scope="module")
def server():
    with table_server(CONTEXT) as found:
        yield found


@pytest.fixture
def connect(server):
    server.failures, server.gives_ids, server.logits = [], True, table(PLAIN).astype(float)
    return lambda **options: OpenAIEngine.connect(
        **{"address": server.address, "model": "table", "tokenizer": make_tokenizer(), "max_retries": 2} | options
    )


class TestOpenAIEngine(EngineContract):
    @pytest.fixture
    def make_engine(self, server, connect):
        def make(logits):
            server.logits = logits.astype(float)
            return connect(max_requests=16)

        return make


def greedy(engine, plan=None, count=1):
    requests = [Request(str(place), PROMPT, plan or plan_of(num_ignore=1)) for place in range(count)]
    return list(engine.generate(requests))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_wait_costs_a_call_and_nothing_waits_for_another_request(server, connect):
    engine = connect(max_requests=1)
    server.calls.clear()
    (sample,) = greedy(engine)
    assert sample.ids == (B, WAIT, C, *opened(X))
    # up to the end; the one id behind Wait; up to the next end; the answer
    assert len(server.calls) == 4
    assert [len(call["prompt"]) - len(PROMPT) for call in server.calls] == [0, 2, 3, 5]
    assert all(len(call["prompt"]) + call["max_tokens"] <= CONTEXT for call in server.calls)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_call_that_failed_is_tried_again(server, connect, status):
    engine = connect()
    server.failures = [(status, "busy")]
    assert greedy(engine)[0].ids == (B, WAIT, C, *opened(X))
    server.failures = [(status, "busy")] * 3
    with pytest.raises(EndpointError, match=f"failed \\({status}\\) after all retries: .*busy"):
        greedy(engine)


def test_a_request_that_the_server_refuses_is_a_sample_that_says_so(server, connect):
    engine = connect(max_requests=1)
    server.failures = [(400, "too\nlong")]
    bad, good = greedy(engine, count=2)
    assert bad.finish_reason == "error"
    assert "refuses the request (400): " in bad.error
    assert "\n" not in bad.error
    assert good.ids == (B, WAIT, C, *opened(X))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"model": "other"}, "model 'other' is not served at .*; it serves: table"),
        ({"context_tokens": 5_000}, "context_tokens=5000; 1 to 512"),
        ({"max_requests": 0}, "max_requests=0; 1 or more"),
        ({"key_variable": "S1WEB_NO_SUCH_KEY"}, "the environment variable S1WEB_NO_SUCH_KEY is not set"),
    ],
)
def test_an_address_that_cannot_be_used_says_why(connect, options, error):
    with pytest.raises(ConfigError, match=error):
        connect(**options)


def test_an_address_that_refuses_says_so_in_one_line(connect):
    with pytest.raises(EndpointError, match=r"does not answer: .*is the server up\?") as caught:
        connect(address=f"http://127.0.0.1:{free_port()}/v1", max_retries=0)
    assert "\n" not in str(caught.value)


def test_a_server_without_token_ids_is_refused(server, connect):
    server.gives_ids = False
    with pytest.raises(ConfigError, match="gives no token ids \\(return_token_ids\\); use a vLLM server"):
        connect()


def test_the_key_comes_from_its_variable(server, connect, monkeypatch):
    monkeypatch.setenv("S1WEB_TEST_KEY", "secret")
    engine = connect(key_variable="S1WEB_TEST_KEY")
    assert engine._client.api_key == "secret"
    assert "secret" not in str(engine.fingerprint())
    server.failures = [(401, "no")]
    with pytest.raises(EndpointError, match="wants a key \\(401\\)"):
        connect()


# --- vLLM's own server ----------------------------------------------------------------------------------------


@contextmanager
def vllm_server(model_path):
    """vLLM's server on a CPU, with our processor; yields its address."""
    port = free_port()
    environment = os.environ | {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_USE_V2_MODEL_RUNNER": "0",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model_path)]
    command += ["--served-model-name", "random", "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    command += ["--max-model-len", str(CONTEXT), "--max-num-seqs", "32", "--enforce-eager"]
    command += ["--generation-config", "vllm"]
    command += ["--logits-processors", "inference.engines.vllm_processor:BudgetForcingProcessor"]
    log = model_path / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            for _ in range(1_800):
                if process.poll() is not None:
                    raise AssertionError(f"vLLM's server ended: {log.read_text()[-3_000:]}")
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            else:
                raise AssertionError(f"vLLM's server did not start: {log.read_text()[-3_000:]}")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


@pytest.fixture(scope="module")
def model():
    return random_model(context_tokens=CONTEXT, hidden=128, num_hidden_layers=1)


@pytest.fixture(scope="module")
def address(tmp_path_factory, model):
    path = tmp_path_factory.mktemp("served")
    model.save_pretrained(path)
    make_tokenizer().save_pretrained(path)
    with vllm_server(path) as found:
        yield found


def plan_with_stop(ends, **options):
    """A plan whose reports have an id to end in: one that ends thinking and stops the answer."""
    plan = plan_with_ends([*ends, (STOP,)], **options)
    assert stop_for(plan) == STOP
    return plan


def count_calls(engine):
    calls, complete = [0], engine._complete

    def counted(*args, **kwargs):
        calls[0] += 1
        return complete(*args, **kwargs)

    engine._complete = counted
    return calls


def connect_vllm(address, **options):
    return OpenAIEngine.connect(address, model="random", tokenizer=make_tokenizer(), max_requests=16, **options)


@pytest.mark.parametrize("uses_processor", [True, False])
@pytest.mark.parametrize(("num_ignore", "several"), [(0, False), (2, False), (2, True), (8, False)])
def test_vllms_server_gives_the_ids_of_the_plain_loop(address, model, uses_processor, num_ignore, several):
    engine = connect_vllm(address, uses_processor=uses_processor)
    assert engine.has_processor == uses_processor
    sequences = list(sequences_that_come(model, random_prompts(16))) if several else []
    last_ids = {ids[-1] for ids in sequences}  # the plain loop does not say which of two that end together it means
    ends = [*(ids for ids in single_ids(40) if ids[0] not in last_ids), *sequences]
    plan = plan_with_stop(ends, num_ignore=num_ignore, max_thinking_tokens=12 + 6 * num_ignore)
    prompts, expected = decided_prompts(model, plan, 24)
    calls = count_calls(engine)
    samples = run(engine, prompts, plan)
    assert [list(sample.ids) for sample in samples] == expected
    assert samples == run(TransformersEngine(model, make_tokenizer()), prompts, plan)
    if uses_processor and not several:
        assert calls == [24]


def test_vllms_processor_draws_what_other_engines_draw(address, model):
    plan = plan_with_stop(single_ids(40), num_ignore=3)
    prompts, sampling = random_prompts(40), Sampling(temperature=1.0, top_p=0.9)
    samples = run(connect_vllm(address), prompts, plan, sampling=sampling)
    expected = run(TransformersEngine(model, make_tokenizer()), prompts, plan, sampling=sampling)
    # a number can fall between two ids so closely that rounding decides
    assert sum(ours == theirs for ours, theirs in zip(samples, expected, strict=True)) >= 38


def test_a_generation_that_fills_the_servers_context_has_no_report_and_is_made_again(address, model):
    engine = connect_vllm(address)
    plan = plan_with_stop(single_ids(), starts_thinking=False, max_answer_tokens=None)
    plan = replace(plan, delimiters=replace(plan.delimiters, stops=plan.delimiters.ends[-1:]))
    prompts = [tuple(random_prompts(1, longest=40)[0]) + (5,) * 440]
    calls = count_calls(engine)
    samples = run(engine, prompts, plan)
    assert samples == run(TransformersEngine(model, make_tokenizer()), prompts, plan)
    assert len(prompts[0]) + len(samples[0].ids) == CONTEXT
    assert calls[0] > 1


def test_vllms_server_refuses_a_bad_plan_with_status_400(address):
    engine = connect_vllm(address)
    with pytest.raises(
        ConfigError, match=r"refuses the request \(400\): .*s1web_forcing is no forcing of protocol 1"
    ):
        engine._complete([5], max_tokens=4, extra={"vllm_xargs": {"s1web_forcing": "{}"}})
    assert len(run(engine, random_prompts(2), plan_with_stop(single_ids()))) == 2
