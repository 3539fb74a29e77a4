"""Data sets of the Hugging Face Hub as tables, at a pinned revision (through the datasets library)."""

import hashlib
import logging
import os
import re
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from curation.errors import InputError
from s1web.pool.tables import Limits, RawRow, Table, check_names, one_line

_ADDRESS = re.compile(r"(?:datasets/)?(?P<name>[\w.-]+/[\w.-]+)@(?P<revision>[\w./-]+)")
_TIMEOUT_SECONDS = 20.0
# the library's own values wait for minutes where the network is gone
_NUM_RETRIES, _RETRY_SECONDS = 2, 1


def open_hub(address: str, limits: Limits) -> Table:
    """Open `hf://owner/name@revision`, optionally with `?split=train&config=NAME`; rows are streamed.

    Raises:
        InputError: no revision, or a data set, revision, config or split that cannot be reached.
    """
    parts = urlsplit(address)
    match = _ADDRESS.fullmatch(parts.netloc + parts.path)
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if not match or not options.keys() <= {"split", "config"}:
        raise InputError(
            f"{address}: a data set is named hf://owner/name@revision, with ?split=train&config=NAME where needed; "
            "the revision (a commit, best all 40 digits) is what makes the import repeatable"
        )
    name, split, config = match["name"], options.get("split", "train"), options.get("config")
    if os.path.isdir(name):
        # the library would read the folder in place of the data set
        raise InputError(f"{address}: the working directory holds a folder {name!r}; run the command elsewhere")
    # whatever the client libraries raise for names, rights and networks, the user sees one line
    try:
        _be_quiet_and_quick()
        from datasets import load_dataset
        from huggingface_hub import HfApi

        commit = HfApi().dataset_info(name, revision=match["revision"], timeout=_TIMEOUT_SECONDS).sha
        dataset: Any = load_dataset(name, config, revision=commit, split=split, streaming=True)
        names = list(dataset.column_names or next(iter(dataset), {}))
    except Exception as error:
        raise InputError(
            f"{address}: cannot be opened: {_reason(error)}; check the name, your rights and the network"
        ) from None
    if not names:
        raise InputError(f"{address}: split {split!r} holds no rows; a pool file has at least one")
    check_names(address, names)

    def batches(wanted: frozenset[str] | None) -> Iterator[list[RawRow]]:
        columns = [column for column in names if wanted is None or column in wanted]
        batch: list[RawRow] = []
        size = 0
        rows = iter(dataset.select_columns(columns))
        while True:
            try:
                raw = next(rows, None)
            except Exception as error:
                raise InputError(
                    f"{address}: reading stopped after {table.done:,} rows: {_reason(error)}; run the command again"
                ) from None
            if raw is not None:
                table.done += 1
                batch.append((table.done, raw))
                size += sum(len(value) for value in raw.values() if isinstance(value, str | list))
            if batch and (raw is None or len(batch) >= limits.batch_rows or size >= limits.batch_bytes):
                yield batch
                batch, size = [], 0
            if raw is None:
                return

    # a branch or a tag moves on: what was read is known by the commit that it stood for
    key = hashlib.sha256(f"hf://{name}@{commit}?split={split}&config={config or ''}".encode()).hexdigest()
    table = Table(address, key, names, batches)
    return table


def _be_quiet_and_quick() -> None:
    """Keep the client libraries from printing, and from waiting long, where something is wrong."""
    import datasets
    import huggingface_hub

    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity(logging.CRITICAL)
    huggingface_hub.utils.logging.set_verbosity(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="(huggingface_hub|datasets)")
    for what in ("READ", "OPEN"):
        setattr(datasets.config, f"STREAMING_{what}_MAX_RETRIES", _NUM_RETRIES)
    for what in ("READ", "OPEN", "READ_SERVER_UNAVAILABLE", "READ_RATE_LIMIT"):
        setattr(datasets.config, f"STREAMING_{what}_RETRY_INTERVAL", _RETRY_SECONDS)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)[:240]}"
