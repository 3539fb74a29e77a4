"""A server of /v1/completions over a model that follows a table: what stands at the network's edge in tests."""

import json
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from inference.sampling import Sampling, draw, make_rng


class TableServer(ThreadingHTTPServer):
    """Serves `logits`, shape (ids, ids), as model "table"; requests of a batch do not exist for it.

    Attributes:
        failures: (status, message) that the next calls get instead of an answer.
        gives_ids: whether answers have token ids.
        calls: bodies of the completions asked for.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, context_tokens):
        super().__init__(("127.0.0.1", 0), Handler)
        self.context_tokens = context_tokens
        self.logits = None
        self.failures = []
        self.gives_ids = True
        self.calls = []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def complete(self, body):
        """(ids, finish reason)."""
        sampling = Sampling(
            temperature=body.get("temperature", 1.0),
            top_p=body.get("top_p", 1.0),
            top_k=max(0, body.get("top_k", 0)),
            frequency_penalty=body.get("frequency_penalty", 0.0),
        )
        rng = make_rng(body.get("seed", 0))
        ids = []
        while len(ids) < body["max_tokens"]:
            scores = self.logits[(body["prompt"] + ids)[-1]].copy()
            for id_, value in body.get("logit_bias", {}).items():
                scores[int(id_)] += value
            ids.append(draw(scores, sampling, rng, counts=Counter(ids)))
            if ids[-1] in body.get("stop_token_ids", ()):
                return ids, "stop"
        return ids, "length"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self._send({"object": "list", "data": [{"id": "table", "max_model_len": self.server.context_tokens}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append(body)
        if self.server.failures:
            status, message = self.server.failures.pop(0)
            return self._send({"error": {"message": message, "type": "error", "code": status}}, status)
        if len(body["prompt"]) + body["max_tokens"] > self.server.context_tokens:
            return self._send({"error": {"message": "maximum context length", "type": "error", "code": 400}}, 400)
        ids, reason = self.server.complete(body)
        choice = {"index": 0, "text": "", "finish_reason": reason, "logprobs": None}
        if self.server.gives_ids:
            choice["token_ids"] = [int(id_) for id_ in ids]
        return self._send(
            {"id": "x", "object": "text_completion", "created": 0, "model": "table", "choices": [choice]}
        )

    def _send(self, value, status=200):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_args):
        pass


@contextmanager
def table_server(context_tokens):
    server = TableServer(context_tokens)
    server.logits = np.zeros((400, 400))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
