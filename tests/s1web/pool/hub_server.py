"""A server on this machine that answers as the Hub does for one data set: what its client libraries ask, no more."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "curator/pool"


class HubServer(ThreadingHTTPServer):
    """Serves `files` (path -> content) at `COMMIT`, by that name and as branch `main`.

    Attributes:
        status: answered to everything where it is not 0.
        cut_files: the contents of files end half-way, as where a connection breaks.
        asked: the requests, in order.
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(files)
        self.status = 0
        self.cut_files = False
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serve(files: Mapping[str, bytes]) -> Iterator[HubServer]:
    server = HubServer(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        if self.server.status:
            self._send(self.server.status, b"{}")
            return
        found = re.fullmatch(rf"(?:/api)?/datasets/{REPOSITORY}(?:/(\w[\w-]*)(?:/([^/]+)(?:/(.*))?)?)?", path)
        if not found:
            self._missing("RepoNotFound")
        elif found[2] and found[2] not in (COMMIT, "main"):
            self._missing("RevisionNotFound")
        elif found[1] == "resolve":
            self._send_file(found[3])
        elif found[1] == "tree":
            self._send_json(self._entries_in(found[3] or ""))
        elif found[1] == "paths-info":
            wanted = json.loads(body)["paths"]
            self._send_json([self._entry(name) for name in wanted if name in self.server.files])
        else:
            siblings = [{"rfilename": name} for name in self.server.files]
            self._send_json({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})

    def _entries_in(self, folder: str) -> list[dict[str, object]]:
        start = f"{folder}/" if folder else ""
        inside = [name for name in self.server.files if name.startswith(start)]
        folders = {start + name.removeprefix(start).split("/")[0] for name in inside} - set(inside)
        entries: list[dict[str, object]] = [{"type": "directory", "path": name, "oid": "0"} for name in folders]
        return entries + [self._entry(name) for name in inside if "/" not in name.removeprefix(start)]

    def _entry(self, name: str) -> dict[str, object]:
        data = self.server.files[name]
        return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}

    def _send_file(self, name: str) -> None:
        data = self.server.files.get(name)
        if data is None:
            self._missing("EntryNotFound")
            return
        headers = {
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not wanted:
            self._send(200, data, headers)
            return
        start, end = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        self._send(206, data[start : end + 1], headers)

    def _missing(self, code: str) -> None:
        # the real Hub does not say of a repository whether it is missing or private
        self._send(401 if code == "RepoNotFound" else 404, b'{"error": "not found"}', {"X-Error-Code": code})

    def _send_json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            cuts = self.server.cut_files and "X-Repo-Commit" in (headers or {})
            self.wfile.write(data[: len(data) // 2] if cuts else data)
            if cuts:
                self.close_connection = True
