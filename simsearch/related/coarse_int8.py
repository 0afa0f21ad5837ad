"""The nearest of many texts at once, roughly: in 8-bit integers, tile by tile.

An importer of torch beside what encodes: its product of 8-bit integers is four times as
fast as one of floats, and twice as fast as one of bfloat16. What is found is to be scored again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import msgspec
import numpy as np
import numpy.typing as npt
import torch

CHUNK = 4096
"""Columns of a tile: its scores stay in the processor's cache."""

_EXACT_ENTRY = 79  # see `greatest_exact_entry`
_DEVIATIONS = 6  # standard deviations that a cosine may be off
_TRIED = 256  # rows: as many as a block of queries has
_GROUP = 16  # columns of which the greatest is looked at first
_SAMPLE = 16_384  # columns that tell from which score on a column is near
_NEAR_PER_CANDIDATE = 4
_QUANTILE_ROOM = 8

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]


class Near(msgspec.Struct, frozen=True):
    """Pairs of a query's number in its block and a column, by query, then column."""

    at: Ints
    columns: Ints
    cosine: npt.NDArray[np.float32]
    """(n,) the cosine of the whole texts."""
    floor: npt.NDArray[np.float32]
    """(n_queries,) the cosine that every other column is below."""
    within: float
    """How far these cosines may be off."""


class CoarseTexts:
    """The texts of some studies in 8-bit integers, all on one scale; threads may share it.

    Args:
        stored: (n_studies, dimension) float16 unit rows.
        columns: (n,) the rows that are searched, more than `depth`.
        depth: how many nearest are wanted of a text.
    """

    def __init__(self, stored: npt.NDArray[np.float16], columns: Ints, depth: int) -> None:
        self._stored = stored
        self._columns = columns
        parts = (stored[start : start + CHUNK] for start in range(0, len(stored), CHUNK))
        greatest_entry = max(float(np.abs(part).max(initial=0)) for part in parts)
        dimension = stored.shape[1]
        self._unit = greatest_exact_entry(dimension) / (greatest_entry or 1.0)
        # Entries of both unit rows are off by up to half a step, evenly: √(1/12) of one is their
        # standard deviation, and √(2/12) that of a cosine.
        self._within = _DEVIATIONS * float(np.sqrt(2 / 12)) / self._unit
        blocks = range(0, len(self._columns), CHUNK)
        self._coarse = torch.empty((len(self._columns), dimension), dtype=torch.int8)
        for start in blocks:
            part = self._texts(start)
            self._coarse[start : start + len(part)] = self._coarsened(part)
        n_sampled = min(_SAMPLE, len(self._columns) // _NEAR_PER_CANDIDATE)
        sampled = np.linspace(0, len(self._columns) - 1, n_sampled).astype(np.int64)
        self._sample = self._coarse[torch.from_numpy(sampled)]
        wanted = _NEAR_PER_CANDIDATE * depth * n_sampled / len(self._columns)
        self._sample_rank = min(int(wanted) + _QUANTILE_ROOM, n_sampled)

    def _texts(self, start: int) -> npt.NDArray[np.floating]:
        return self._stored[self._columns[start : start + CHUNK]]

    def _coarsened(self, rows: npt.NDArray[np.floating]) -> torch.Tensor:
        scaled = torch.from_numpy(np.asarray(rows, dtype=np.float32)) * self._unit
        return scaled.round_().to(torch.int8)

    def nearest(self, text: npt.NDArray[np.float32]) -> Near:
        """Return several times as many nearest by text as there are candidates."""
        coarse = self._coarsened(text)
        sample = torch._int_mm(coarse, self._sample.T)  # noqa: SLF001 - as torchao calls it
        floor = sample.topk(self._sample_rank, dim=1).values[:, -1].contiguous()
        found = [
            _above(torch._int_mm(coarse, self._coarse[start : start + CHUNK].T), floor, start)  # noqa: SLF001
            for start in range(0, len(self._columns), CHUNK)
        ]
        at, columns, products = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.argsort(at.astype(np.uint16), kind="stable")
        unit = np.float32(1 / self._unit**2)
        return Near(
            at[order], columns[order], products[order] * unit, floor.numpy() * unit, self._within
        )


@cache
def greatest_exact_entry(dimension: int) -> int:
    """Return how great the entries may be that this processor multiplies exactly.

    One without VNNI has no product of signed 8-bit integers: 128 is added to one side, and pairs of
    products are added up in 16 bits, where too great ones are cut off. None of entries up to 79
    are: 2 · (79 + 128) · 79 < 2¹⁵.
    """
    rows = torch.full((_TRIED, dimension), 127, dtype=torch.int8)
    is_exact = bool((torch._int_mm(rows, rows.T) == 127 * 127 * dimension).all())  # noqa: SLF001
    return 127 if is_exact else _EXACT_ENTRY


def _above(
    products: torch.Tensor, floor: torch.Tensor, start: int
) -> tuple[Ints, Ints, npt.NDArray[np.int32]]:
    """Return the places of a tile that reach their row's floor: rows, columns, values.

    The greatest of every few columns is looked at first: few reach it.
    """
    n, width = products.shape
    n_groups = width // _GROUP
    least = floor.numpy()
    grouped = products[:, : n_groups * _GROUP].view(n, _GROUP, n_groups)
    at, group = np.nonzero(grouped.amax(1).numpy() >= least[:, np.newaxis])
    values = grouped.numpy()[at, :, group]
    which, place = np.nonzero(values >= least[at, np.newaxis])
    rest = products[:, n_groups * _GROUP :].numpy()
    rest_at, rest_column = np.nonzero(rest >= least[:, np.newaxis])
    return (
        np.concatenate([at[which], rest_at]),
        start + np.concatenate([place * n_groups + group[which], n_groups * _GROUP + rest_column]),
        np.concatenate([values[which, place], rest[rest_at, rest_column]]),
    )


def kth(at: Ints, values: Floats, n: int, *ks: int) -> list[Floats]:
    """Return, for each k, (n,) the k-th greatest value of each query, -inf where it has fewer.

    `at` need not be in order.
    """
    counts = np.bincount(at, minlength=n)
    if (np.diff(at) < 0).any():
        order = np.argsort(at, kind="stable")
        at, values = at[order], values[order]
    table = np.full((n, max(*ks, counts.max(initial=0))), -np.inf, dtype=np.float32)
    table[at, np.arange(len(at)) - (np.cumsum(counts) - counts)[at]] = values
    table.sort(axis=1)  # faster than a partition, which many equal values slow down
    return [table[:, -k] for k in ks]


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Have torch compute in the threads that call it, and in no more of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def floats(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return rows in single precision: torch converts halves faster than numpy."""
    found: npt.NDArray[np.float32] = torch.from_numpy(np.ascontiguousarray(rows)).float().numpy()
    return found
