"""A run that writes related lists: computed in batches, resumed if killed, written as a whole.

Finished batches are kept in a journal beside the output (`journal.py`). Once all lists are
there, they are written together with which neighbours are mutual, and the journal is removed.
Standard output gets each list as soon as those of its neighbours are there as well.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from simsearch.callbacks import Progress, no_progress
from simsearch.index.lock import output_lock
from simsearch.index.opened import OpenedIndex
from simsearch.related.batch_search import BatchSearch, batch_size
from simsearch.related.coarse_int8 import one_thread_each
from simsearch.related.files import SCHEMA, Identity, check_output, writing
from simsearch.related.journal import Journal
from simsearch.related.lists import HeldLists, Ints
from simsearch.related.memory import batches_at_once
from simsearch.related.tables import Tables
from simsearch.search.filters import NO_FILTERS, Filters
from simsearch.search.second_stage import Ranking
from simsearch.vectors import DEFAULT_WEIGHTS

# Lists in a part of what is streamed: the first soon, then as many as keep all threads busy.
_FIRST_PART, _GROWTH, _LARGEST_PART = 16, 4, 4096


Found = TypeVar("Found")


class RelatedReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did."""

    output: str
    n_lists: int
    """Lists written."""
    n_rows: int
    """Neighbours written."""
    n_without_text: int
    """Studies that have no list because they are registered without a text."""
    n_without_weighed: int
    """Studies that have no list because they lack every field with a weight."""
    n_short: int
    """Lists of fewer than k neighbours."""
    n_mutual: int
    """Neighbours whose own list contains the study."""
    n_computed: int
    """Lists computed by this run."""
    n_of_neighbours: int
    """Further lists computed, of the neighbours of the given studies, to find who is mutual."""
    n_resumed: int
    """Lists taken from the journal of a run that was killed."""
    seconds: float


def related(
    index: OpenedIndex,
    output: Path | None,
    k: int = 10,
    *,
    form: str = "",
    nct_ids: Sequence[str] | None = None,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    filters: Filters = NO_FILTERS,
    ranking: Ranking = "learned",
    with_titles: bool = False,
    force: bool = False,
    threads: int = 0,
    progress: Progress | None = None,
) -> RelatedReport:
    """Write the k neighbours of every study, exactly as a query for each finds them.

    Args:
        index: the index.
        output: a file; None is standard output.
        k: the number of neighbours of each study.
        form: parquet, csv or jsonl; by default what the ending of the file says, and JSON Lines
            on standard output.
        nct_ids: the studies whose lists are written; None for all.
        weights: signal name → weight, as for a single query.
        filters: what a neighbour must match, as for a single query.
        ranking: as for a single query.
        with_titles: add title and status of both studies.
        force: replace a file that holds something else.
        threads: the number of batches computed at the same time, fewer if memory does not allow
            as many; 0 for the number of processor cores.
        progress: called after every batch.

    Raises:
        ArgumentError, FilterError: as for a single query; or the output has another ending, or
            k is too large for so many studies.
        NctIdError, UnknownStudyError: one of `nct_ids` is not an NCT ID, or not in the index.
        RelatedFileError: the output holds something else, or cannot be written.
        RelatedBusyError: another run is writing the output.
    """
    began = time.perf_counter()
    check_output(output, form, force=force)
    search = BatchSearch(index, k, weights, filters, ranking)
    is_all = nct_ids is None
    named = np.arange(index.n_studies) if nct_ids is None else _rows_of(index, nct_ids)
    with_text = named[search.with_text[named]]
    listed = with_text[np.isin(with_text, search.listed)]
    threads = batches_at_once(search, len(listed), threads or os.cpu_count() or 1, is_all=is_all)
    identity = _identity(search, is_all=is_all)
    run = _Run(search, threads, progress or no_progress)
    with output_lock(output) if output else nullcontext():
        if output is not None:
            run.compute(listed, output, msgspec.json.encode(identity), is_all=is_all)
        tables = Tables(index, run.lists, k, with_titles=with_titles)
        complete = msgspec.structs.replace(identity, n_lists=len(listed))
        with writing(output, form, tables.names, msgspec.json.encode(complete)) as writer:
            for part in run.streamed(listed) if output is None else [listed]:
                for table in tables.of(part):
                    writer.write(table)
        run.remove_journal()
    return RelatedReport(
        output=str(output or "standard output"),
        n_lists=len(listed),
        n_rows=tables.n_rows,
        n_without_text=len(named) - len(with_text),
        n_without_weighed=len(with_text) - len(listed),
        n_short=tables.n_short,
        n_mutual=tables.n_mutual,
        n_computed=run.n_computed,
        n_of_neighbours=run.n_of_neighbours,
        n_resumed=run.n_resumed,
        seconds=time.perf_counter() - began,
    )


def computed(
    lists_of: Callable[[Ints], Found], batches: Sequence[Ints], threads: int
) -> Generator[Found, None, None]:
    """Yield the lists of batches of studies, in order, several computed at the same time.

    Close it to cancel the batches that have not been started.

    Args:
        lists_of: computes those of a batch.
        batches: rows of studies, all of which have a list.
        threads: the number of batches computed at the same time.
    """
    with one_thread_each(), ThreadPoolExecutor(threads) as pool:
        try:
            yield from pool.map(lists_of, batches)
        finally:
            pool.shutdown(cancel_futures=True)


def _rows_of(index: OpenedIndex, nct_ids: Sequence[str]) -> Ints:
    """Return the rows of studies, each once, in ascending order."""
    return np.array(sorted({index.row_of(nct_id) for nct_id in nct_ids}), dtype=np.int64)


def _identity(search: BatchSearch, *, is_all: bool) -> Identity:
    """Return what the lists are computed from: runs with the same identity give the same lists."""
    manifest = search.index.generation.manifest
    no_filters = _plain(NO_FILTERS)
    return Identity(
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
            if value != no_filters[name]
        },
        ranking=search.index.ranking if search.ranking == "learned" else "",
        studies="all" if is_all else "some",
    )


def _plain(filters: Filters) -> dict[str, Any]:
    """Return filters as they are in JSON."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(filters))
    return found


class _Run:
    """Computes lists, with a journal, and holds them."""

    def __init__(self, search: BatchSearch, threads: int, progress: Progress) -> None:
        self._search = search
        self._threads = threads
        self._progress = progress
        self._journals: list[Journal] = []
        self.lists = HeldLists(search.index.n_studies, search.k)
        self._held = np.zeros(search.index.n_studies, dtype=np.bool_)  # which lists are there
        self.n_computed = self.n_of_neighbours = self.n_resumed = 0

    def compute(self, rows: Ints, output: Path | None, job: bytes, *, is_all: bool) -> None:
        """Compute the lists of studies and, if they are not all, those of their neighbours.

        Args:
            rows: the studies.
            output: the file that the lists are for.
            job: identifies them, in the journal.
            is_all: whether these are all lists.
        """
        self.n_computed = self._compute(rows, output, job, self._progress)
        if not is_all:
            self.n_of_neighbours = self._compute(self._neighbours(rows), None, job, self._progress)

    def streamed(self, rows: Ints) -> Iterator[Ints]:
        """Yield the studies in parts, each once its lists and those of its neighbours are there.

        Args:
            rows: the studies.
        """
        start, step = 0, _FIRST_PART
        while start < len(rows):
            part = rows[start : start + step]
            self._progress("related", start, len(rows), "studies")
            self._compute(part[~self._held[part]], None, b"", no_progress)
            self._compute(self._neighbours(part), None, b"", no_progress)
            yield part
            start, step = start + len(part), min(step * _GROWTH, _LARGEST_PART)
        self._progress("related", len(rows), len(rows), "studies")
        self.n_computed = int(self._held[rows].sum())
        self.n_of_neighbours = int(self._held.sum()) - self.n_computed

    def remove_journal(self) -> None:
        """Remove the journal, once the lists have been written."""
        for journal in self._journals:
            journal.remove()

    def _neighbours(self, rows: Ints) -> Ints:
        """Return the neighbours of studies whose lists, which show who is mutual, are missing."""
        neighbours = np.intersect1d(self.lists.of(rows).rows, self._search.listed)
        return neighbours[~self._held[neighbours]]

    def _compute(self, rows: Ints, output: Path | None, job: bytes, progress: Progress) -> int:
        """Compute and hold lists; return how many were not in the journal."""
        self.lists.make_room(rows)
        self._held[rows] = True
        n_computed = done = 0
        step = batch_size(self._search.k)
        batches = [rows[start : start + step] for start in range(0, len(rows), step)]
        job += b" %08x" % zlib.crc32(rows.tobytes())
        journal = Journal(output, job, [len(batch) for batch in batches], self._search.k)
        self._journals.append(journal)
        with journal.opened():
            for number, lists in journal.read():
                self.lists.put(batches[number], lists)
                done += len(batches[number])
            self.n_resumed += done
            progress("related", done, len(rows), "studies")
            missing = [number for number in range(len(batches)) if number not in journal.finished]
            left = [batches[number] for number in missing]
            with closing(computed(self._search.lists, left, self._threads)) as found:
                for number, lists in zip(missing, found, strict=True):
                    self.lists.put(batches[number], lists)
                    journal.add(number, lists)
                    n_computed += len(batches[number])
                    done += len(batches[number])
                    progress("related", done, len(rows), "studies")
        return n_computed
