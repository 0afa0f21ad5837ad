"""The studies nearest by the whole text for many queries at once, approximately: 8-bit integers.

torch's matrix product of 8-bit integers takes a quarter of the time of one in single precision,
and half that of one in bfloat16 (DECISIONS.md), but many times as long on a processor without
VNNI: which is faster is measured once. Whatever is found must be scored again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from itertools import repeat
from time import perf_counter

import msgspec
import numpy as np
import numpy.typing as npt
import torch

CHUNK = 4096
"""Studies compared at a time: their scores stay in the processor's cache."""

_GREATEST = 127  # entry of a coarse row
_EXACT_ENTRY = 79  # see `greatest_exact_entry`
_DEVIATIONS = 6  # standard deviations that the error of a cosine is taken to stay within
_TRIED = 256  # rows, as many as a batch of queries has
_GROUP = 16  # columns whose greatest score is compared first
_SAMPLE = 16_384  # columns from which the score of a near column is estimated
_NEAR_PER_CANDIDATE = 4
_QUANTILE_ROOM = 8

_TIMES = 3  # that each way of multiplying is tried; the fastest counts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]


class Near(msgspec.Struct, frozen=True):
    """n pairs of a query and a near study, ordered by query."""

    at: Ints
    """(n,) numbers of queries in their batch."""
    columns: Ints
    """(n,) places of studies among those that are searched."""
    cosine: npt.NDArray[np.float32]
    """(n,) approximate cosines of the whole texts."""
    floor: npt.NDArray[np.float32]
    """(n_queries,) the approximate cosines of all other studies are below this."""
    within: float
    """The largest error of an approximate cosine."""


class CoarseTexts:
    """The texts of the searched studies in 8-bit integers, all on one scale; threads may share it.

    Args:
        stored: (n_studies, dimension) float16 unit rows.
        columns: (n,) the rows that are searched, more than `depth`.
        depth: the number of nearest studies wanted for a query.
        in_integers: whether to multiply integers, or the same numbers as floats; what is found
            is the same. None takes what is faster on this processor.
    """

    def __init__(
        self,
        stored: npt.NDArray[np.float16],
        columns: Ints,
        depth: int,
        *,
        in_integers: bool | None = None,
    ) -> None:
        self._stored = stored
        self._columns = columns
        parts = (stored[start : start + CHUNK] for start in range(0, len(stored), CHUNK))
        greatest_entry = max(float(np.abs(part).max(initial=0)) for part in parts)
        dimension = stored.shape[1]
        if in_integers is None:
            in_integers = integers_are_faster(dimension)
        self._product = _integer_product if in_integers else _float_product
        greatest_coarse = greatest_exact_entry(dimension) if in_integers else _GREATEST
        self._unit = greatest_coarse / (greatest_entry or 1.0)
        # The entries of both unit rows have errors of up to half a step, uniformly distributed: a
        # standard deviation of √(1/12) of a step, and of √(2/12) for a cosine.
        self._within = _DEVIATIONS * float(np.sqrt(2 / 12)) / self._unit
        self._coarse = torch.empty((len(self._columns), dimension), dtype=torch.int8)
        for start in range(0, len(self._columns), CHUNK):
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
        """Return the nearest studies of each query, several times as many as `depth`.

        Args:
            text: (n_queries, dimension) unit or zero rows, at most 65,536.
        """
        coarse = self._coarsened(text)
        sample = self._product(coarse, self._sample)
        floor = sample.topk(self._sample_rank, dim=1).values[:, -1].contiguous()
        found = [
            _above(self._product(coarse, self._coarse[start : start + CHUNK]), floor, start)
            for start in range(0, len(self._columns), CHUNK)
        ]
        at, columns, products = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.argsort(at.astype(np.uint16), kind="stable")
        unit = np.float32(1 / self._unit**2)
        return Near(
            at[order], columns[order], products[order] * unit, floor.numpy() * unit, self._within
        )


def _integer_product(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return (n, m) int32, the products of (n, dimension) and (m, dimension) int8."""
    return torch._int_mm(rows, others.T)  # noqa: SLF001 - as torchao calls it


def _float_product(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return the same as float32: exact up to a dimension of 1,040, where sums reach 2²⁴."""
    return torch.mm(rows.float(), others.float().T)


@cache
def integers_are_faster(dimension: int) -> bool:
    """Report whether this processor multiplies 8-bit integers faster than floats.

    Some fifty milliseconds, once for a dimension.
    """
    rows = torch.ones((_TRIED, dimension), dtype=torch.int8)
    others = torch.ones((CHUNK, dimension), dtype=torch.int8)
    with one_thread_each():
        integers, floating = (
            min(map(_seconds, repeat(partial(product, rows, others), _TIMES)))
            for product in (_integer_product, _float_product)
        )
    return integers <= floating


def _seconds(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return perf_counter() - began


@cache
def greatest_exact_entry(dimension: int) -> int:
    """Return the greatest entries that this processor multiplies exactly.

    A processor without VNNI cannot multiply signed 8-bit integers: 128 is added to one side, and
    pairs of products are summed in 16 bits, where large sums saturate. Those of entries up to 79
    do not: 2 · (79 + 128) · 79 < 2¹⁵.
    """
    rows = torch.full((_TRIED, dimension), _GREATEST, dtype=torch.int8)
    is_exact = bool((_integer_product(rows, rows) == _GREATEST**2 * dimension).all())
    return _GREATEST if is_exact else _EXACT_ENTRY


def _above(
    products: torch.Tensor, floor: torch.Tensor, start: int
) -> tuple[Ints, Ints, npt.NDArray[np.number]]:
    """Return the entries that reach their row's floor: rows, columns and values.

    The greatest of every `_GROUP` columns is compared first: few groups reach the floor.

    Args:
        products: (n_queries, n_columns) products.
        floor: (n_queries,) the floor of each row.
        start: the number of the first column.
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

    Args:
        at: (n_values,) numbers of queries, in any order.
        values: (n_values,) values.
        n: the number of queries.
        ks: ranks, from 1.
    """
    counts = np.bincount(at, minlength=n)
    if (np.diff(at) < 0).any():
        order = np.argsort(at, kind="stable")
        at, values = at[order], values[order]
    table = np.full((n, max(*ks, counts.max(initial=0))), -np.inf, dtype=np.float32)
    table[at, np.arange(len(at)) - (np.cumsum(counts) - counts)[at]] = values
    table.sort(axis=1)  # a partition would be slower: many values are equal
    return [table[:, -k] for k in ks]


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep torch in the threads that call it, without threads of its own.

    This is torch's own setting, which applies to every thread: a limit by threadpoolctl would
    apply only to the thread that sets it.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def floats(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return rows in single precision; torch converts 16-bit floats faster than numpy."""
    found: npt.NDArray[np.float32] = torch.from_numpy(np.ascontiguousarray(rows)).float().numpy()
    return found
