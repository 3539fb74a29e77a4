"""A run's folder: what it is, its samples as they finish, and how a stopped run is taken up.

run.json        the run's config, its benchmark's hash, the model's and tokenizer's; written first, never changed
sessions.jsonl  one line each time the run was worked on: the engine's fingerprint, when
prompts.jsonl   each prompt's text once, by its hash
samples.jsonl   one line for each problem and repeat, in the order they finished
summary.json    what the samples add up to, written at the end of a session
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from curation.errors import ConflictError, InputError

RUN, SESSIONS, PROMPTS, SAMPLES, SUMMARY = (
    "run.json",
    "sessions.jsonl",
    "prompts.jsonl",
    "samples.jsonl",
    "summary.json",
)
# what a run's samples depend on; engines and machines may change between sessions, and are recorded
FROZEN = ("config", "benchmark", "model_sha256", "tokenizer_sha256")


class RunFolder:
    """A run's folder, open for writing by this process alone; a context manager.

    Attributes:
        done: keys of the trials whose samples are there.
        prompts: hashes of the prompts that are there.
        num_sessions: that were begun before.
    """

    def __init__(self, path: Path, description: Mapping[str, Any]) -> None:
        """Make the folder, or take up what is in it.

        Args:
            description: FROZEN and more, as JSON.

        Raises:
            ConflictError: the folder holds another run, other files, or another process works on it.
            InputError: it cannot be written, or a file in it cannot be read.
        """
        self.path = path
        text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._samples = self._open(SAMPLES)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}; give a folder that can be written") from None
        try:
            self._check(text)
            self.done = {row["key"] for row in self._take_up(SAMPLES, self._samples)}
            self._prompts = self._open(PROMPTS)
            self.prompts = {row["sha256"] for row in self._take_up(PROMPTS, self._prompts)}
            self._sessions = self._open(SESSIONS)
            self.num_sessions = sum(1 for _ in self._take_up(SESSIONS, self._sessions))
        except BaseException:
            self._samples.close()
            raise

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._samples, self._prompts, self._sessions):
            file.close()

    def begin_session(self, row: Mapping[str, Any]) -> None:
        """Record that the run is worked on."""
        _append(self._sessions, row)

    def add_prompt(self, sha256: str, text: str) -> None:
        """Keep a prompt's text, once."""
        if sha256 not in self.prompts:
            _append(self._prompts, {"sha256": sha256, "text": text})
            self.prompts.add(sha256)

    def add_sample(self, row: Mapping[str, Any]) -> None:
        """Keep a trial's samples; it is then done."""
        _append(self._samples, row)
        self.done.add(row["key"])

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        _write_whole(self.path / SUMMARY, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")

    def drop_failed(self) -> int:
        """Take out the trials that ended in an error, so that they are done anew; returns how many."""
        kept, num_dropped = [], 0
        for row in read_jsonl(self.path / SAMPLES):
            if row["error"] is None:
                kept.append(json.dumps(row, ensure_ascii=False))
            else:
                num_dropped += 1
                self.done.discard(row["key"])
        if num_dropped:
            text = "".join(f"{line}\n" for line in kept)
            # the lock stays with the old file until the new one is in place and locked, too
            _write_whole(self.path / SAMPLES, text)
            locked = self._samples
            self._samples = self._open(SAMPLES)
            locked.close()
        return num_dropped

    def _open(self, name: str) -> BinaryIO:
        # unbuffered, so that a line is written at once
        file = (self.path / name).open("a+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ConflictError(f"{self.path}: another process works on this run; wait for it or stop it") from None
        return file

    def _check(self, text: str) -> None:
        run = self.path / RUN
        if not run.exists():
            if (self.path / SAMPLES).stat().st_size:
                raise ConflictError(f"{self.path} holds samples and no {RUN}; give another folder")
            _write_whole(run, text)
            return
        difference = first_difference(read_json(run), json.loads(text))
        if difference is not None:
            raise ConflictError(f"{self.path} holds another run: {difference}; give another folder")

    def _take_up(self, name: str, file: BinaryIO) -> Iterator[dict[str, Any]]:
        """The file's rows; what follows the last line end was cut off while it was written, and goes."""
        end = 0
        with (self.path / name).open("rb") as written:
            for number, line in enumerate(written, start=1):
                if line.endswith(b"\n"):
                    end += len(line)
                    yield _row(line, self.path / name, number)
        file.truncate(end)


def first_difference(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """What makes two descriptions two runs, in words; None where they are one.

    Args:
        wanted: FROZEN or some of it, as JSON; what it leaves out is not compared.
    """
    for name in FROZEN:
        if name in wanted and stored.get(name) != wanted[name]:
            return _difference(name, stored.get(name), wanted[name])
    return None


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file.

    Raises:
        InputError: there is none.
    """
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give the folder of a run") from None
    except ValueError:
        raise InputError(
            f"{path}: no JSON; the file was changed: take it from a copy, or give another folder"
        ) from None
    if not isinstance(row, dict):
        raise InputError(f"{path}: no JSON object; give the folder of a run")
    return row


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The file's whole lines, one at a time; a last one without its end is still being written.

    Raises:
        InputError: there is no such file, or a line is no JSON object.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    yield _row(line, path, number)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give the folder of a run") from None


def _row(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise InputError(f"{path}: line {number} is no JSON object; take the file from a copy, or start anew")
    return row


def _append(file: BinaryIO, row: Mapping[str, Any]) -> None:
    data = (json.dumps(row, ensure_ascii=False) + "\n").encode()
    # one write: a process that dies leaves a whole line, or a part that the next one takes away
    while data:
        data = data[file.write(data) :]


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _difference(name: str, stored: Any, wanted: Any) -> str:
    if isinstance(stored, dict) and isinstance(wanted, dict):
        key = next(key for key in {**stored, **wanted} if stored.get(key) != wanted.get(key))
        return _difference(f"{name}.{key}", stored.get(key), wanted.get(key))
    return f"{name} is {json.dumps(stored)[:60]}, and {json.dumps(wanted)[:60]} is asked for"
