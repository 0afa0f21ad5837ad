"""The related list of every study: computed in blocks, resumed when killed, written whole.

Finished blocks are kept in a journal beside the output, `related.parquet.journal`: a line that
says what job they belong to, then each block with its checksum. When all are there, the lists
are written with who is whose neighbour mutually, and the journal goes.
"""

from __future__ import annotations

import os
import time
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.errors import RelatedFileError
from simsearch.index.lock import output_lock
from simsearch.index.opened import OpenedIndex
from simsearch.related.batch_search import SCALE, BlockSearch, Lists, block_size
from simsearch.related.carried_over import Earlier, FullRun, carried_over
from simsearch.related.coarse_int8 import one_thread_each
from simsearch.related.files import (
    COLUMNS,
    SCHEMA,
    TITLE_COLUMNS,
    Identity,
    Table,
    check_output,
    writing,
)
from simsearch.related.memory import blocks_at_once
from simsearch.search.filters import NO_FILTERS, Filters
from simsearch.vectors import DEFAULT_WEIGHTS

_JOURNAL = ".journal"
_MAGIC = b"simsearch related journal 1 "
_FRAME = np.dtype([("block", "<i4"), ("bytes", "<i4"), ("checksum", "<u4")])
_TABLE_ROWS = 200_000  # written at once
_COMPARED = 1 << 22  # neighbours looked at at once

Ints = npt.NDArray[np.int64]


class RelatedReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did."""

    output: str
    n_lists: int
    n_rows: int
    n_without_text: int
    """Studies asked for that are registered without a text: they have no list."""
    n_without_weighed: int
    """Studies asked for that lack every field that weighs: they have no list either."""
    n_short: int
    """Lists of fewer than k neighbours."""
    n_mutual: int
    n_computed: int
    n_of_neighbours: int
    """Lists computed beside, of the neighbours of some studies: they tell who is mutual."""
    n_resumed: int
    """Lists taken from the journal of a run that was killed."""
    n_kept: int
    """Lists that cannot have changed, taken from an earlier result."""
    note: str
    """Why everything was computed although there was an earlier result, or empty."""
    seconds: float


def related(
    index: OpenedIndex,
    output: Path | None,
    k: int = 10,
    *,
    nct_ids: Sequence[str] | None = None,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    filters: Filters = NO_FILTERS,
    since: Path | None = None,
    with_titles: bool = False,
    force: bool = False,
    threads: int = 0,
    progress: Progress | None = None,
) -> RelatedReport:
    """Write the k neighbours of every study, as a query for each would answer.

    Args:
        index: what is asked.
        output: a file that ends with .parquet, .csv or .jsonl; None is standard output.
        k: neighbours of a study.
        nct_ids: the studies to write the lists of; None for all.
        weights: signal name → weight, as for a single query.
        filters: what a neighbour must be, likewise.
        since: lists of an earlier generation, as Parquet; those that cannot have changed are
            taken from there. None looks at `output` itself.
        with_titles: write title and status of both studies too.
        force: replace a file that is something else.
        threads: how many blocks are computed at once, fewer where memory does not allow as
            many; 0 takes the processor's cores.
        progress: called after every block.

    Raises:
        ArgumentError, FilterError: as for a single query; or the output has another ending, or
            k is too large for so many studies.
        NctIdError, UnknownStudyError: no such study.
        RelatedFileError: the output is not ours or cannot be written, or `since` cannot be read.
        RelatedBusyError: another run writes there.
    """
    began = time.perf_counter()
    check_output(output, force=force)
    search = BlockSearch(index, k, weights, filters)
    named = np.arange(index.n_studies) if nct_ids is None else _rows_of(index, nct_ids)
    with_text = named[search.can_ask[named]]
    asked = with_text[np.isin(with_text, search.asked)]
    is_all = nct_ids is None
    threads = blocks_at_once(search, len(asked), threads or os.cpu_count() or 1, is_all=is_all)
    job = _Job(index, search, is_all=is_all)
    run = _Run(search, threads, progress or no_progress)
    with output_lock(output) if output else nullcontext():
        if is_all:
            earlier = carried_over(
                search, job.identity, since or output, is_asked=since is not None
            )
            run.compute_all(earlier, output, job.key)
        else:
            earlier = FullRun("")
            run.compute_some(asked, output, job.key)
        tables = _Tables(index, run, k, with_titles=with_titles)
        with writing(output, tables.names, job.metadata(run, len(asked))) as writer:
            for table in tables.of(asked):
                writer.write(table)
        run.forget()
    return RelatedReport(
        output=str(output or "standard output"),
        n_lists=len(asked),
        n_rows=tables.n_rows,
        n_without_text=len(named) - len(with_text),
        n_without_weighed=len(with_text) - len(asked),
        n_short=tables.n_short,
        n_mutual=tables.n_mutual,
        n_computed=run.n_computed,
        n_of_neighbours=run.n_of_neighbours,
        n_resumed=run.n_resumed,
        n_kept=run.n_kept,
        note=earlier.reason if isinstance(earlier, FullRun) else "",
        seconds=time.perf_counter() - began,
    )


def _rows_of(index: OpenedIndex, nct_ids: Sequence[str]) -> Ints:
    """Return the rows of studies, each once, in order."""
    return np.array(sorted({index.row_of(nct_id) for nct_id in nct_ids}), dtype=np.int64)


class _Job:
    """What lists are of: two jobs with the same key give the same lists."""

    def __init__(self, index: OpenedIndex, search: BlockSearch, *, is_all: bool) -> None:
        manifest = index.generation.manifest
        self.identity = Identity(
            schema=SCHEMA,
            generation=manifest.generation,
            records_date=manifest.records_date,
            n_studies=manifest.n_studies,
            recipe=manifest.recipe.digest,
            k=search.k,
            weights=search.weights,
            filters={
                name: value
                for name, value in _plain(search.filters).items()
                if value != _plain(NO_FILTERS)[name]
            },
            studies="all" if is_all else "some",
        )

    @property
    def key(self) -> bytes:
        return msgspec.json.encode(self.identity)

    def metadata(self, run: _Run, n_lists: int) -> bytes:
        """Return what stands in a file: with the room of each list, where all are there."""
        is_all = self.identity.studies == "all"
        room = zlib.compress(run.room.tobytes(), 6) if is_all else b""
        return msgspec.json.encode(
            msgspec.structs.replace(self.identity, n_lists=n_lists, room=room)
        )


def _plain(filters: Filters) -> dict[str, Any]:
    """Return filters as JSON has them, so that a file's and a job's can be compared."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(filters))
    return found


class _Run:
    """Computes lists, with a journal; afterwards holds them by the row of their study."""

    def __init__(self, search: BlockSearch, threads: int, progress: Progress) -> None:
        self._search = search
        self._threads = threads
        self._progress = progress
        self._journals: list[_Journal] = []
        self._lists = Lists.empty(1, search.k)
        self._place = np.zeros(search.index.n_studies, dtype=np.int32)  # 0: the list is empty
        self.n_computed = self.n_of_neighbours = self.n_resumed = self.n_kept = 0

    def compute_all(self, earlier: Earlier | FullRun, output: Path | None, key: bytes) -> None:
        """Compute the lists of all studies, but for those that an earlier result has."""
        rows = self._search.asked
        self.hold(rows)
        if isinstance(earlier, Earlier):
            self._put(earlier.rows, earlier.lists)
            self.n_kept = len(earlier.rows)
            rows = np.setdiff1d(rows, earlier.rows)
        self.n_computed = self.compute(rows, output, key)

    def compute_some(self, rows: Ints, output: Path | None, key: bytes) -> None:
        """Compute the lists of some studies, and those of their neighbours: who is mutual?"""
        self.hold(rows)
        self.n_computed = self.compute(rows, output, key)
        neighbours = np.intersect1d(self.of(rows).rows, self._search.asked)
        others = np.setdiff1d(neighbours, rows)
        self.hold(others)
        self.n_of_neighbours = self.compute(others, None, key)

    def forget(self) -> None:
        """Remove the journal: the lists are written."""
        for journal in self._journals:
            journal.remove()

    def of(self, rows: Ints) -> Lists:
        """Return the lists of studies; of one that was not computed an empty one."""
        place = self._place[rows]
        return Lists(self._lists.rows[place], self._lists.parts[place], self._lists.room[place])

    def have(self, rows: npt.NDArray[np.integer], neighbours: Ints) -> npt.NDArray[np.bool_]:
        """Return (n,) which studies have the one beside it in their list."""
        step = max(1, _COMPARED // self._search.k)
        found = np.zeros(len(rows), dtype=np.bool_)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            theirs = self._lists.rows[self._place[rows[part]]]
            found[part] = (theirs == neighbours[part, np.newaxis]).any(axis=1)
        return found

    @property
    def room(self) -> npt.NDArray[np.uint8]:
        """(n_studies,) `Lists.room` of all."""
        return self._lists.room[self._place]

    def hold(self, rows: Ints) -> None:
        """Make place for the lists of more studies."""
        before, n = self._lists, len(self._lists.rows)
        self._lists = Lists.empty(n + len(rows), self._search.k)
        self._place[rows] = n + np.arange(len(rows))
        self._lists.rows[:n] = before.rows
        self._lists.parts[:n] = before.parts
        self._lists.room[:n] = before.room

    def _put(self, rows: Ints, lists: Lists) -> None:
        place = self._place[rows]
        self._lists.rows[place] = lists.rows
        self._lists.parts[place] = lists.parts
        self._lists.room[place] = lists.room

    def compute(self, rows: Ints, output: Path | None, key: bytes) -> int:
        """Put the lists of studies in their places; return how many were not in the journal."""
        n_computed = 0
        step = block_size(self._search.k)
        parts = [rows[start : start + step] for start in range(0, len(rows), step)]
        key += b" %08x" % zlib.crc32(rows.tobytes())
        journal = _Journal(output, key, [len(part) for part in parts], self._search.k)
        self._journals.append(journal)
        done = 0
        with journal.opened():
            for number, lists in journal.read():
                self._put(parts[number], lists)
                self.n_resumed += len(parts[number])
                done += len(parts[number])
            self._progress("related", done, len(rows), "studies")
            missing = [number for number in range(len(parts)) if number not in journal.blocks]
            for number, lists in self._in_threads(parts, missing):
                self._put(parts[number], lists)
                journal.add(number, lists)
                n_computed += len(parts[number])
                done += len(parts[number])
                self._progress("related", done, len(rows), "studies")
        return n_computed

    def _in_threads(
        self, parts: Sequence[Ints], numbers: Sequence[int]
    ) -> Iterator[tuple[int, Lists]]:
        """Yield the lists of blocks, a few of which are computed at the same time."""
        with one_thread_each(), ThreadPoolExecutor(self._threads) as pool:
            waiting: deque[tuple[int, Future[Lists]]] = deque()
            try:
                for number in numbers:
                    waiting.append((number, pool.submit(self._search.lists, parts[number])))
                    if len(waiting) > self._threads:
                        yield _result(*waiting.popleft())
                while waiting:
                    yield _result(*waiting.popleft())
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def _result(number: int, future: Future[Lists]) -> tuple[int, Lists]:
    return number, future.result()


class _Journal:
    """The finished blocks of a job, in a file beside its output; without an output, nowhere."""

    def __init__(self, output: Path | None, key: bytes, sizes: Sequence[int], k: int) -> None:
        self._path = output.with_name(output.name + _JOURNAL) if output else None
        self._head = _MAGIC + key + b"\n"
        self._sizes = sizes
        self._k = k
        self._file: Any = None
        self.blocks: set[int] = set()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the file, new where it belongs to another job; one with no block does not stay."""
        if self._path is None:
            yield
            return
        try:
            with self._path.open("a+b") as self._file:
                yield
        except OSError as error:
            raise RelatedFileError(
                str(self._path), f"cannot be written: {error.strerror or error}"
            ) from error
        finally:
            with suppress(OSError):
                if not self._path.stat().st_size:
                    self._path.unlink()

    def read(self) -> Iterator[tuple[int, Lists]]:
        """Yield the blocks that are whole, and cut off what comes after them."""
        if self._file is None:
            return
        self._file.seek(0)
        head = self._file.readline(1 << 16)
        if head and not head.startswith(_MAGIC):
            raise RelatedFileError(str(self._path), "is no journal: move it away")
        if head != self._head:
            self._file.truncate(0)
            return
        good = self._file.tell()
        while (found := self._frame()) is not None:
            good = self._file.tell()
            self.blocks.add(found[0])
            yield found
        self._file.truncate(good if self.blocks else 0)

    def add(self, number: int, lists: Lists) -> None:
        """Append a block."""
        self.blocks.add(number)
        if self._file is not None:
            body = b"".join(each.tobytes() for each in (lists.rows, lists.parts, lists.room))
            frame = np.array([(number, len(body), zlib.crc32(body))], dtype=_FRAME)
            head = b"" if self._file.seek(0, os.SEEK_END) else self._head
            self._file.write(head + frame.tobytes() + body)
            self._file.flush()
            os.fsync(self._file.fileno())

    def remove(self) -> None:
        """Remove the file."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _frame(self) -> tuple[int, Lists] | None:
        """Return the block that comes next, or None where none does or it is damaged."""
        head = self._file.read(_FRAME.itemsize)
        if len(head) < _FRAME.itemsize:
            return None
        number, size, checksum = np.frombuffer(head, dtype=_FRAME)[0].tolist()
        if not 0 <= number < len(self._sizes) or size != self._sizes[number] * (8 * self._k + 1):
            return None
        body = self._file.read(size)
        if len(body) < size or zlib.crc32(body) != checksum:
            return None
        n = self._sizes[number]
        numbers = np.frombuffer(body, dtype=np.int32, count=2 * n * self._k)
        rows, parts = numbers.reshape(2, n, self._k)
        room = np.frombuffer(body, dtype=np.uint8, offset=8 * n * self._k)
        return number, Lists(rows, parts, room)


class _Tables:
    """The rows to write: neighbours by study, then rank."""

    def __init__(self, index: OpenedIndex, run: _Run, k: int, *, with_titles: bool) -> None:
        self._k = k
        self._store = index.store
        self._run = run
        self._ids = np.array(index.store.nct_ids(), dtype="U11")
        self._with_titles = with_titles
        self.names = (*COLUMNS, *TITLE_COLUMNS) if with_titles else COLUMNS
        self.n_rows = self.n_short = self.n_mutual = 0

    def of(self, rows: Ints) -> Iterator[Table]:
        """Yield the rows of these studies' lists, some hundred thousand at once."""
        step = max(1, _TABLE_ROWS // self._k)
        for start in range(0, len(rows), step):
            yield self._table(rows[start : start + step])

    def _table(self, rows: Ints) -> Table:
        lists = self._run.of(rows)
        place, rank = np.nonzero(lists.rows >= 0)
        query, neighbour = rows[place], lists.rows[place, rank]
        mutual = self._run.have(neighbour, query)
        self.n_rows += len(query)
        self.n_short += int((lists.rows[:, -1] < 0).sum())
        self.n_mutual += int(mutual.sum())
        columns: dict[str, Any] = {
            "nct_id": self._ids[query],
            "rank": (rank + 1).astype(np.int32),
            "neighbour_id": self._ids[neighbour],
            "similarity": lists.parts[place, rank] / SCALE,
            "mutual": mutual,
        }
        if self._with_titles:
            shown = self._titles(np.union1d(query, neighbour))
            values = [
                [*shown[one], *shown[other]] for one, other in zip(query, neighbour, strict=True)
            ]
            columns |= {
                name: [each[at] for each in values] for at, name in enumerate(TITLE_COLUMNS)
            }
        return Table(columns)

    def _titles(self, rows: Ints) -> dict[int, tuple[str, str]]:
        studies = self._store.studies(rows.tolist())
        return {
            row: (study.title, study.status)
            for row, study in zip(rows.tolist(), studies, strict=True)
        }
