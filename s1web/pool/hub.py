"""Data sets of the Hugging Face Hub as tables, at a pinned revision (through the datasets library)."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from curation.errors import InputError
from s1web.pool.readers import Limits, RawRow, Table

_ADDRESS = re.compile(r"(?:datasets/)?(?P<name>[\w.-]+/[\w.-]+)@(?P<revision>[\w./-]+)")


def open_hub(address: str, limits: Limits) -> Table:
    """Open `hf://owner/name@revision`, optionally with `?split=train&config=NAME`; rows are streamed.

    Raises:
        InputError: no revision, or a data set, revision, config or split that cannot be reached.
    """
    parts = urlsplit(address)
    match = _ADDRESS.fullmatch(parts.netloc + parts.path)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if not match or not options.keys() <= {"split", "config"}:
        raise InputError(
            f"{address}: a data set is named hf://owner/name@revision, with ?split=train&config=NAME where needed; "
            "the revision (a commit, best all 40 digits) is what makes the import repeatable"
        )
    split = options.get("split", "train")

    def stream() -> Any:
        from datasets import load_dataset

        return load_dataset(
            match["name"], options.get("config"), revision=match["revision"], split=split, streaming=True
        )

    # whatever the client library raises for names, rights and networks, the user sees one line
    try:
        dataset = stream()
        names = list(dataset.column_names or next(iter(dataset), {}))
    except Exception as error:
        raise InputError(f"{address}: cannot be opened: {_reason(error)}") from None
    if not names:
        raise InputError(f"{address}: split {split!r} holds no rows; a pool file has at least one")

    def batches(wanted: frozenset[str] | None) -> Iterator[list[RawRow]]:
        columns = [name for name in names if wanted is None or name in wanted]
        batch: list[RawRow] = []
        size = 0
        try:
            for line, raw in enumerate(dataset.select_columns(columns), start=1):
                batch.append((line, raw))
                size += sum(len(value) for value in raw.values() if isinstance(value, str | list))
                if len(batch) >= limits.batch_rows or size >= limits.batch_bytes:
                    table.done = line
                    yield batch
                    batch, size = [], 0
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"{address}: reading stopped: {_reason(error)}; run the command again") from None
        if batch:
            yield batch

    key = hashlib.sha256(address.encode()).hexdigest()
    table = Table(address, key, names, batches)
    return table


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:240]}"
