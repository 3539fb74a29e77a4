"""An address: the contract over a small server of a table, and the same ids from vLLM's own server."""

import socket

import pytest

from curation.errors import ConfigError
from inference.engines.openai import EndpointError, OpenAIEngine
from inference.engines.protocol import Request
from tests.inference.engines.completion_server import table_server
from tests.inference.engines.contract import (
    CONTEXT,
    PLAIN,
    PROMPT,
    WAIT,
    B,
    C,
    EngineContract,
    X,
    opened,
    plan_of,
    table,
)
from tests.inference.models import make_tokenizer


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
