"""Loading pool files: batch by batch, idempotent, resumable after a kill, whole or not at all after an error."""

import gc
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from django.conf import settings

from curation.errors import ConfigError
from curation.identity import IdentifiedRow
from curation.layouts import MAX_NAME, is_storable
from curation.sources import find_source
from s1web.pool.ahead import ReadingProcess
from s1web.pool.merging import Merger
from s1web.pool.models import ImportFile, Question, Source
from s1web.pool.parsing import ParsedBatch, ParseOptions, make_layout, parse_file, parse_table
from s1web.pool.readers import expand_paths, open_table
from s1web.pool.rejected import RejectedRows
from s1web.pool.reserve import Reserve
from s1web.pool.tables import Limits, Table, excerpt
from s1web.pool.undo import undo_after
from s1web.progress import Report, ignore

# bump when the same file would give other rows: files of an older version are read again
IMPORT_VERSION = 1
# less is read before a second process has started
_READ_AHEAD_BYTES = 4 * 2**20


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


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Let objects go by their counts alone: rows hold no circles, and looking for some costs a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_without_collecting()
def load_pool(paths: Sequence[str], options: LoadOptions, on_progress: Report | None = None) -> LoadResult:
    """Load files into the pool, in the order given; a folder stands for the pool files in it.

    Every file is opened, and its columns are understood, before the first row of any is written. A file that fails
    on the way is taken back whole; files before it stay.

    Raises:
        InputError, ConfigError: a file or a mapping that cannot be used.
    """
    started = time.monotonic()
    result = LoadResult()
    tables = open_tables(paths, options)
    extent = Extent(tables)
    report = on_progress or ignore

    def tell(*, is_all: bool = False) -> None:
        done = extent.done()
        if extent.total and not is_all:
            # a small file is read whole before its first row is stored: it is not done by then
            done = min(done, extent.total - 1)
        report(done, extent.total, rows=result.new + result.updated)

    loads = [_FileLoad(table, options, result) for table in tables]
    local = [load for load in loads if not load.table.name.startswith("hf://")]
    if sum(Path(load.table.name).stat().st_size for load in local) >= _READ_AHEAD_BYTES:
        for load in local:
            load.is_read_ahead = True
    with RejectedRows(f"{Path(tables[0].name).name}-{tables[0].key[:8]}") as rejected, ReadingProcess() as reading:
        for load in loads:
            with Reserve() as reserve:
                load.run(reading, rejected, reserve, tell)
        tell(is_all=True)
    result.rejected_file = rejected.path
    result.seconds = round(time.monotonic() - started, 3)
    return result


def open_tables(paths: Sequence[str], options: LoadOptions, key: str = "") -> list[Table]:
    """Open every file, a folder standing for those in it, and see that its columns are understood.

    Args:
        key: in place of each file's own, for who will not load them: to know it the whole file is read.

    Raises:
        InputError, ConfigError: a file or a mapping that cannot be used.
    """
    tables = [open_table(path, _limits(), key) for path in expand_paths(list(paths))]
    for table in tables:
        make_layout(table, _parse_options(table, options))
    return tables


def _limits() -> Limits:
    return Limits(
        line_bytes=settings.POOL_MAX_LINE_BYTES,
        expansion=settings.POOL_MAX_EXPANSION,
        batch_rows=settings.POOL_BATCH_ROWS,
        batch_bytes=settings.POOL_BATCH_BYTES,
    )


def _parse_options(table: Table, options: LoadOptions) -> ParseOptions:
    return ParseOptions(
        source=options.source,
        default_source=options.source or _stem(table.name),
        mapping=options.mapping,
        small_model=settings.SMALL_MODEL,
        large_model=settings.LARGE_MODEL,
        limits=_limits(),
    )


class Extent:
    """How much several files hold together, and how much of it is read.

    Attributes:
        unit: rows where every file says how many it has (or none does), bytes otherwise.
        total: in that unit; 0 where a data set of the Hub is among them, which does not say.
    """

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables
        is_known = all(table.total for table in tables)
        self.unit = "bytes" if is_known and any(table.unit == "bytes" for table in tables) else "rows"
        self.total = sum(self._size(table) for table in tables) if is_known else 0

    def done(self) -> int:
        if not self.total:
            return sum(table.done for table in self._tables)
        return sum(self._size(table) * table.done // table.total for table in self._tables)

    def _size(self, table: Table) -> int:
        return table.total if table.unit == self.unit else Path(table.name).stat().st_size


class _FileLoad:
    """One file on its way into the pool."""

    def __init__(self, table: Table, options: LoadOptions, result: LoadResult) -> None:
        self.table = table
        self.options = options
        self.result = result
        self.parse_options = _parse_options(table, options)
        self.is_read_ahead = False
        self.num_read = 0
        self.num_rejected = 0
        self.file: ImportFile

    def run(
        self, reading: ReadingProcess, rejected: RejectedRows, reserve: Reserve, tell: Callable[[], None]
    ) -> None:
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
            self.table.done = self.table.total
            tell()
            return
        before = replace(self.result)
        was_loading = self.file.state == ImportFile.State.LOADING
        try:
            self._load(reading, rejected, tell)
        except Exception as error:
            for name in ("read", "new", "updated", "unchanged", "rejected"):
                setattr(self.result, name, getattr(before, name))
            # a file that was whole before is not taken back, whatever hindered reading it again
            if was_loading:
                reserve.release()
                undo_after(error, self.file)
            raise

    def _load(self, reading: ReadingProcess, rejected: RejectedRows, tell: Callable[[], None]) -> None:
        merger = Merger(self.file, small_model=settings.SMALL_MODEL, large_model=settings.LARGE_MODEL)
        ignored: tuple[str, ...] = ()
        for batch in self._batches(reading):
            self._merge(batch, merger, rejected)
            ignored = batch.ignored
            self.table.done = batch.done
            tell()
        _complete_sources()
        rejected.flush()
        self.file.state = ImportFile.State.LOADED
        self.file.num_read, self.file.num_rejected = self.num_read, self.num_rejected
        self.file.save()
        for column in ignored:
            shown = _storable(column[:MAX_NAME])
            if shown not in self.result.ignored_columns:
                self.result.ignored_columns.append(shown)

    def _batches(self, reading: ReadingProcess) -> Iterator[ParsedBatch]:
        """The file's rows; where there is much to read, a second process reads while this one writes."""
        if not self.is_read_ahead:
            return parse_table(self.table, self.parse_options)
        return reading.read(parse_file, self.table.name, self.table.key, self.parse_options)

    def _merge(self, batch: ParsedBatch, merger: Merger, rejected: RejectedRows) -> None:
        self.num_read += batch.num_read
        for line, reason, shown in batch.rejected:
            self._reject(line, reason, shown, rejected)
        rows = list(self._known(batch.rows, rejected)) if self.options.existing_only else batch.rows
        counts = merger.merge(rows)
        self.result.read += batch.num_read
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
                self._reject(item.row.line, reason, excerpt({"question": item.row.question}), rejected)

    def _reject(self, line: int, reason: str, shown: str, rejected: RejectedRows) -> None:
        self.num_rejected += 1
        self.result.rejected += 1
        rejected.add(self.table.name, line, reason, shown)


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
    """The source of rows that name none: a file's name without folders and endings, a data set's owner/name."""
    name = _storable(name)
    if name.startswith("hf://"):
        # as s1 names the sources that it took from the Hub
        return name.removeprefix("hf://").removeprefix("datasets/").partition("@")[0]
    return Path(name).name.partition(".")[0]
