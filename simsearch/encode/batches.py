"""Texts encoded in small batches, each by one thread of its own, on all cores.

A library that splits each product of matrices over all cores waits for the slowest of them at
every layer; beside other busy processes nearly all of its time is waiting. Here a core has a batch
to itself, and takes the next one when it is done. A batch is the same whatever the number of
threads, and is computed by one: so are the bytes of its vectors.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from simsearch.files import batches

BATCH = 256
"""Texts encoded between two commits: at most so many per thread are encoded again after a kill."""

Part = tuple[npt.NDArray[np.int64], npt.NDArray[np.floating]]
"""The positions of some of the texts, (n,), and their rows, (n, dimension)."""

Encode = Callable[[Sequence[str], str], npt.NDArray[np.float32]]
"""Texts and what each begins with → (n_texts, dimension) rows, in one go."""

# Small batches of texts of similar length need the least padding; 16 was fastest on two cores.
_TOGETHER = 16
_PIECES = 2  # of `BATCH` texts per thread and call: threads wait for the last batch of a call


class Workers:
    """Threads that encode batches.

    Args:
        n_threads: how many; one for each core.
        worker: called in each thread for the function that encodes there. No two threads share
            what it uses, since tokenizers change while they run.
    """

    def __init__(self, n_threads: int, worker: Callable[[], Encode]) -> None:
        self._n_threads = n_threads
        self._worker = worker
        self._own = threading.local()
        self._pool: ThreadPoolExecutor | None = None

    @property
    def n_at_once(self) -> int:
        """How many texts to pass to `encode_parts` at once, to keep all threads busy."""
        return BATCH * (_PIECES * self._n_threads if self._n_threads > 1 else 1)

    def encode_parts(self, texts: Sequence[str], prefix: str) -> Iterator[Part]:
        """Yield the positions and rows of each 256 texts, in the order of their completion.

        If the caller stops before the end, batches that have begun are waited for, a few seconds
        at most, and no other one begins.
        """
        pieces = list(batches(range(len(texts)), BATCH))
        tasks = [(n, task) for n, piece in enumerate(pieces) for task in _together(piece, texts)]
        left = Counter(n for n, _ in tasks)
        rows: dict[int, npt.NDArray[np.float32]] = {}
        # The last texts are the longest: they are started first, so as not to end last.
        for number, found in self._computed(
            [[texts[place] for place in task] for _, task in reversed(tasks)], prefix
        ):
            piece, places = tasks[-1 - number]
            if piece not in rows:
                rows[piece] = np.zeros((len(pieces[piece]), found.shape[1]), dtype=np.float32)
            rows[piece][np.array(places) - pieces[piece][0]] = found
            left[piece] -= 1
            if not left[piece]:
                yield np.array(pieces[piece], dtype=np.int64), rows.pop(piece)

    def _computed(
        self, tasks: Sequence[list[str]], prefix: str
    ) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """Yield the number and rows of each task as it is done."""
        with _one_torch_thread():
            if self._n_threads == 1 or len(tasks) == 1:
                for number, task in enumerate(tasks):
                    yield number, self._encode(task, prefix)
                return
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._n_threads, "encode")
            futures = {
                self._pool.submit(self._encode, task, prefix): number
                for number, task in enumerate(tasks)
            }
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            finally:
                for future in futures:
                    future.cancel()
                wait(futures)

    def _encode(self, texts: Sequence[str], prefix: str) -> npt.NDArray[np.float32]:
        if not hasattr(self._own, "encode"):
            self._own.encode = self._worker()
        rows: npt.NDArray[np.float32] = self._own.encode(texts, prefix)
        return rows


def _together(piece: Sequence[int], texts: Sequence[str]) -> list[list[int]]:
    """Return the positions of a piece in batches of similar length, the shortest first."""
    order = [piece[n] for n in np.argsort([-len(texts[place]) for place in piece]).tolist()]
    return [order[at : at + _TOGETHER] for at in range(0, len(order), _TOGETHER)][::-1]


_limit = threading.Lock()
_limited = {"n": 0, "before": 1}


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Restrict torch to the calling thread, in each thread; the last one out lifts the limit."""
    import torch

    with _limit:
        if not _limited["n"]:
            _limited["before"] = torch.get_num_threads()
            torch.set_num_threads(1)
        _limited["n"] += 1
    try:
        yield
    finally:
        with _limit:
            _limited["n"] -= 1
            if not _limited["n"]:
                torch.set_num_threads(_limited["before"])
