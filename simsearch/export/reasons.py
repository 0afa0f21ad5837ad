"""Why the neighbours of many studies are related: the lines, computed by several processes.

A reason takes half a millisecond of Python, so threads do not help. Workers open the index by
themselves; its files are memory-mapped and shared.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from simsearch.export.lists import RelatedBlock, RelatedLists
from simsearch.index.directory import open_generation
from simsearch.index.opened import OpenedIndex
from simsearch.related.lists import Ints
from simsearch.search.nearest import signals
from simsearch.search.neighbour import Neighbour
from simsearch.search.query_parts import study_part
from simsearch.search.reasons import explain
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS

Pairs = Sequence[tuple[int, int, float]]
"""Query study, neighbour (rows of the index), similarity; queries together."""

_BLOCK = 1024  # studies

_worker: dict[str, Any] = {}


def reason_lines(
    index: OpenedIndex, blocks: Sequence[Pairs], processes: int = 0
) -> Iterator[list[str]]:
    """Yield for each block, in order, a line for each of its pairs.

    Args:
        index: the index.
        blocks: the pairs.
        processes: how many; 0 for the number of cores, 1 for this process alone.
    """
    processes = min(processes or os.cpu_count() or 1, len(blocks))
    if processes <= 1:
        yield from (_lines(index, block) for block in blocks)
        return
    with ProcessPoolExecutor(
        processes,
        multiprocessing.get_context("spawn"),  # a fork would take locks along
        _open,
        (index.path, index.generation.manifest.generation, os.getpid()),
    ) as pool:
        try:
            yield from pool.map(_lines_of_worker, blocks)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def blocks_with_reasons(
    index: OpenedIndex, lists: RelatedLists, *, reasons: bool
) -> Iterator[tuple[Ints, RelatedBlock, list[str]]]:
    """Yield all rows of the index in blocks, with their lists and a line a neighbour.

    Args:
        index: the index.
        lists: of all its studies.
        reasons: whether to say why; the lines are empty otherwise.
    """
    blocks = lists.blocks(_BLOCK)
    found = [lists.block(block) for block in blocks]
    lines = iter([[""] * len(each.query) for each in found])
    if reasons:
        lines = reason_lines(index, [each.pairs() for each in found])
    yield from zip(blocks, found, lines, strict=True)


def _open(path: Path, generation: str, parent: int) -> None:
    """Open the index in a worker, and end the worker when its parent is killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    _worker["index"] = OpenedIndex(path, open_generation(path, generation))


def _lines_of_worker(block: Pairs) -> list[str]:
    return _lines(_worker["index"], block)


def _lines(index: OpenedIndex, block: Pairs) -> list[str]:
    named = sorted({row for query, neighbour, _ in block for row in (query, neighbour)})
    studies = dict(zip(named, index.store.studies(named), strict=True))
    return [
        line
        for query, pairs in groupby(block, key=itemgetter(0))
        for line in _of_query(index, query, [*pairs], studies)
    ]


def _of_query(index: OpenedIndex, query: int, pairs: Pairs, studies: dict[int, Study]) -> list[str]:
    part = study_part(index, query)
    rows = np.array([row for _, row, _ in pairs])
    by_signal = signals(index, part, rows)
    neighbours = [
        Neighbour(
            at + 1,
            studies[row],
            value,
            {name: float(values[at]) for name, values in by_signal.items()},
            0,  # no reason needs the percentile
        )
        for at, (_, row, value) in enumerate(pairs)
    ]
    found = explain(index, [part], [studies[query]], neighbours, DEFAULT_WEIGHTS)
    return [reason.line for reason in found]
