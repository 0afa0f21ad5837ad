"""Why the neighbours of many studies are related: the lines, computed by several processes.

A reason takes a quarter of a millisecond of Python, so threads do not help. Workers open the
index by themselves; its files are memory-mapped and shared.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsearch.index.directory import open_generation
from simsearch.index.opened import OpenedIndex
from simsearch.search.reasons import lines_of_pairs

if TYPE_CHECKING:  # workers need not load what computes lists
    from simsearch.export.lists import RelatedBlock, RelatedLists
    from simsearch.related.lists import Ints

_BLOCK = 1024  # studies

_worker: dict[str, Any] = {}


def reason_lines(
    index: OpenedIndex, blocks: Sequence[Ints], processes: int = 0
) -> Iterator[list[str]]:
    """Yield for each block, in order, a line for each of its pairs.

    Args:
        index: the index.
        blocks: each (n, 2), as `lines_of_pairs` takes them.
        processes: how many; 0 for the number of cores, 1 for this process alone.
    """
    processes = min(processes or os.cpu_count() or 1, len(blocks))
    if processes <= 1:
        yield from (lines_of_pairs(index, block) for block in blocks)
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
    gc.disable()  # the many studies of a block have no cycles, and are gone with it


def _lines_of_worker(block: Ints) -> list[str]:
    return lines_of_pairs(_worker["index"], block)
