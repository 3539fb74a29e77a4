"""Loading pool files: batch by batch, idempotent, resumable after a kill, whole or not at all after an error."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from django.conf import settings

from curation.errors import ConfigError, RowError
from curation.hashing import digest64
from curation.layouts import MAX_NAME, is_storable, resolve
from curation.rows import RowReader
from curation.sources import find_source
from s1web.pool.merging import IdentifiedRow, Merger, identify
from s1web.pool.models import ImportFile, Question, Source
from s1web.pool.readers import expand_paths, open_table
from s1web.pool.rejected import RejectedRows
from s1web.pool.reserve import Reserve
from s1web.pool.tables import Limits, RawRow, Table
from s1web.pool.undo import undo_after

# bump when the same file would give other rows: files of an older version are read again
IMPORT_VERSION = 1

Report = Callable[[Table], None]


@dataclass
class LoadResult:
    """What a load did, in rows; `rejected_file` lists those that could not be read."""

    read: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    rejected_file: str | None = None
    seconds: float = 0.0
    ignored_columns: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LoadOptions:
    """How files are read.

    Attributes:
        source: the source of every row, in place of the file's own column.
        mapping: `column=field` pairs.
        existing_only: rows whose question the pool lacks are rejected instead of added.
    """

    source: str = ""
    mapping: tuple[str, ...] = ()
    existing_only: bool = False

    def __post_init__(self) -> None:
        if len(self.source) > MAX_NAME or not is_storable(self.source):
            raise ConfigError(
                f"--source {self.source[:40]!r} cannot name a source; at most {MAX_NAME} characters of valid UTF-8 "
                "are allowed"
            )

    def key(self, table: Table) -> str:
        """Identity of the file's content read with these options."""
        parts = json.dumps([IMPORT_VERSION, table.key, self.source, sorted(self.mapping), self.existing_only])
        return hashlib.sha256(parts.encode()).hexdigest()


def load_pool(paths: Sequence[str], options: LoadOptions, on_progress: Report | None = None) -> LoadResult:
    """Load files into the pool, in the order given; a folder stands for the pool files in it.

    Every file is opened, and its columns are understood, before the first row of any is written. A file that fails
    on the way is taken back whole; files before it stay.

    Raises:
        InputError, ConfigError: a file or a mapping that cannot be used.
    """
    started = time.monotonic()
    result = LoadResult()
    limits = Limits(
        line_bytes=settings.POOL_MAX_LINE_BYTES,
        expansion=settings.POOL_MAX_EXPANSION,
        batch_rows=settings.POOL_BATCH_ROWS,
        batch_bytes=settings.POOL_BATCH_BYTES,
    )
    tables = [open_table(path, limits) for path in expand_paths(list(paths))]
    loads = [_FileLoad(table, options, result) for table in tables]
    with RejectedRows(f"{Path(tables[0].name).name}-{tables[0].key[:8]}") as rejected:
        for load in loads:
            with Reserve() as reserve:
                load.run(rejected, reserve, on_progress or (lambda table: None))
    result.rejected_file = rejected.path
    result.seconds = round(time.monotonic() - started, 3)
    return result


class _FileLoad:
    """One file on its way into the pool."""

    def __init__(self, table: Table, options: LoadOptions, result: LoadResult) -> None:
        self.table = table
        self.options = options
        self.result = result
        preset = find_source(options.source) if options.source else None
        self.preset_columns = preset.columns if preset else {}
        self.default_source = options.source or _stem(table.name)
        self.reader = self._make_reader()
        self.seen = _SeenDigests()
        self.num_read = 0
        self.num_rejected = 0
        self.file: ImportFile

    def run(self, rejected: RejectedRows, reserve: Reserve, on_progress: Report) -> None:
        """Load the file, or take back what it brought and raise what went wrong."""
        self.file, _ = ImportFile.objects.get_or_create(
            key=self.options.key(self.table),
            defaults={
                "content_key": self.table.key,
                "name": _storable(self.table.name),
                "options": asdict(self.options),
            },
        )
        if self.file.state == ImportFile.State.LOADED and not self.file.num_rejected:
            # the same bytes, read the same way: there is nothing to look at
            self.result.read += self.file.num_read
            self.result.unchanged += self.file.num_read
            return
        before = replace(self.result)
        was_loading = self.file.state == ImportFile.State.LOADING
        try:
            self._load(rejected, on_progress)
        except Exception as error:
            for name in ("read", "new", "updated", "unchanged", "rejected"):
                setattr(self.result, name, getattr(before, name))
            # a file that was whole before is not taken back, whatever hindered reading it again
            if was_loading:
                reserve.release()
                undo_after(error, self.file)
            raise

    def _load(self, rejected: RejectedRows, on_progress: Report) -> None:
        merger = Merger(self.file, small_model=settings.SMALL_MODEL, large_model=settings.LARGE_MODEL)
        # of JSON lines later rows may have columns that the first have not: all are read
        wanted = None if self.table.unit == "bytes" else self.reader.layout.needed
        for batch in self.table.batches(wanted):
            self._load_batch(batch, merger, rejected)
            on_progress(self.table)
        _complete_sources()
        rejected.flush()
        self.file.state = ImportFile.State.LOADED
        self.file.num_read, self.file.num_rejected = self.num_read, self.num_rejected
        self.file.save()
        for column in self.reader.layout.ignored:
            shown = _storable(column[:MAX_NAME])
            if shown not in self.result.ignored_columns:
                self.result.ignored_columns.append(shown)

    def _make_reader(self) -> RowReader:
        self.num_names = len(self.table.names)
        layout = resolve(self.table.names, self.options.mapping, self.preset_columns)
        return RowReader(
            layout,
            source=self.options.source,
            default_source=self.default_source,
            small_model=settings.SMALL_MODEL,
            large_model=settings.LARGE_MODEL,
        )

    def _load_batch(self, batch: list[RawRow], merger: Merger, rejected: RejectedRows) -> None:
        if len(self.table.names) != self.num_names:
            self.reader = self._make_reader()
        rows: list[IdentifiedRow] = []
        for line, raw in batch:
            self.num_read += 1
            try:
                if isinstance(raw, RowError):
                    raise raw
                rows.append(self.seen.distinguish(identify(self.reader.read(line, raw))))
            except RowError as error:
                self._reject(line, str(error), raw, rejected)
            except UnicodeEncodeError:
                reason = "a text holds half a surrogate pair, which no UTF-8 text can hold; repair the text"
                self._reject(line, reason, raw, rejected)
        if self.options.existing_only:
            rows = list(self._known(rows, rejected))
        counts = merger.merge(rows)
        self.result.read += len(batch)
        self.result.new += counts.new
        self.result.updated += counts.updated
        self.result.unchanged += counts.unchanged

    def _known(self, rows: Sequence[IdentifiedRow], rejected: RejectedRows) -> Iterator[IdentifiedRow]:
        hashes = {item.question_hash for item in rows}
        known = set(Question.objects.filter(question_hash__in=hashes).values_list("question_hash", flat=True))
        for item in rows:
            if item.question_hash in known:
                yield item
            else:
                reason = f"the pool has no question {item.question_hash}; load it first, or leave out --existing-only"
                self._reject(item.row.line, reason, {"question": item.row.question}, rejected)

    def _reject(self, line: int, reason: str, raw: object, rejected: RejectedRows) -> None:
        self.num_rejected += 1
        self.result.rejected += 1
        rejected.add(self.table.name, line, reason, raw)


class _SeenDigests:
    """Tells rows of one file that are equal in everything apart: the second one gets a digest of its own.

    Keeps 8 bytes a row, so that a file of a million rows costs 8 MB.
    """

    def __init__(self) -> None:
        self._sorted = np.empty(0, dtype=np.int64)
        self._recent: Counter[int] = Counter()

    def distinguish(self, item: IdentifiedRow) -> IdentifiedRow:
        digest = item.digest
        earlier = self._recent[digest]
        if len(self._sorted):
            left, right = np.searchsorted(self._sorted, digest), np.searchsorted(self._sorted, digest, side="right")
            earlier += int(right - left)
        self._recent[digest] += 1
        if len(self._recent) >= 50_000:
            recent = np.fromiter(self._recent.elements(), np.int64)
            self._sorted = np.sort(np.concatenate([self._sorted, recent]))
            self._recent.clear()
        if not earlier:
            return item
        return replace(item, digest=digest64(str(digest), str(earlier)))


def _complete_sources() -> None:
    """Fill what s1's presets know of sources that have just appeared."""
    for source in Source.objects.filter(preset=""):
        preset = find_source(source.name)
        if preset:
            source.preset, source.hub_id, source.licence = preset.name, preset.hub_id, preset.licence
            source.save()


def _storable(text: str) -> str:
    """A name as a database text: what is no UTF-8 in a file's name is shown by a question mark."""
    return text.encode(errors="replace").decode().replace("\0", "?")


def _stem(name: str) -> str:
    """A file's name without folders and endings, the source of rows that name none."""
    name = _storable(name)
    return Path(name.partition("?")[0].partition("@")[0]).name.partition(".")[0]
