"""Exact nearest rows by cosine, with ties in the order of rows.

The rows have 16 bits a number. Beside those of a large index lie the same in 8 bits (`Coarse`),
which are scanned first, with a query in 8 bits: they are half as many bytes to read. No product of
theirs is off by more than the lengths of the two rounding errors. So the first of them, computed
again from the 16 bits, are the exact answer as soon as the last place is far enough above the rows
that were not fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexCorruptError
from simsearch.index.faiss_rows import FaissRows, open_rows, write_rows
from simsearch.index.npy import mapped_array, write_array
from simsearch.vectors import by_similarity, cosines

Rows = npt.NDArray[np.float16]
Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]

LEAST_COARSE = 100_000
"""From so many rows on they are kept in 8 bits too (docs/experiments.md)."""

# How many rows beyond k are fetched at first, so that ties at the last place can be broken.
_TIE_ROOM = 16
# If more than this share of the rows is allowed, all rows are searched first, for `_MARGIN` times
# as many as should suffice: looking up whether each row is allowed takes FAISS twice as long.
_WIDE = 0.2
_MARGIN = 1.3

_GREATEST = 127  # of the numbers in 8 bits
# So many times k are fetched of them (2.2 times sufficed in 150 of 150 queries to 46,285 studies),
# unless k is more than a share of all rows, where computing again takes longer than is gained.
_COARSE_MARGIN = 3
_COARSE_SHARE = 8
_ROUNDING = 1e-5  # of a product of unit rows in 32 bits


class Coarse(msgspec.Struct, frozen=True):
    """The rows in 8 bits. Open them with `open_coarse`."""

    rows: FaissRows
    step: float
    """What 1 is worth."""
    error: float
    """The greatest length of the difference to a row in 16 bits."""


def write_coarse(
    path: Path, scale_path: Path, dimension: int, blocks: Callable[[], Iterable[Rows]]
) -> None:
    """Write rows in 8 bits.

    Args:
        path: the file of the rows.
        scale_path: the file of their step and error.
        dimension: length of a row.
        blocks: yields the (n, dimension) float16 rows in order, each time that it is called.

    Raises:
        OSError: a file cannot be written.
    """
    greatest = max(float(np.abs(block).max(initial=0)) for block in blocks())
    step = np.float32((greatest or 1) / _GREATEST)
    errors = [0.0]

    def rounded() -> Iterator[npt.NDArray[np.float32]]:
        for block in blocks():
            rows = block.astype(np.float32)
            numbers = np.rint(rows / step)
            errors.append(float(np.linalg.norm(rows - numbers * step, axis=1).max(initial=0)))
            yield numbers

    write_rows(path, dimension, rounded(), "<i1")
    write_array(scale_path, np.array([step, max(errors) + _ROUNDING]), "<f4")


def open_coarse(path: Path, scale_path: Path, n_rows: int, dimension: int) -> Coarse:
    """Open rows in 8 bits, memory-mapped.

    Raises:
        IndexCorruptError: a file is not such, or not of this size.
    """
    rows = open_rows(path, n_rows, dimension, "<i1")
    scale = mapped_array(scale_path, "<f4", 1).tolist()
    if len(scale) != 2 or not all(0 < each < 1 for each in scale):  # noqa: PLR2004
        raise IndexCorruptError(scale_path, "it holds no step and error of rows in 8 bits")
    return Coarse(rows, *scale)


class VectorIndex:
    """The rows of one field, searched exactly.

    Args:
        rows: in 16 bits.
        coarse: the same in 8 bits; None where there are none.
    """

    def __init__(self, rows: FaissRows, coarse: Coarse | None = None) -> None:
        self._faiss = rows
        self._coarse = coarse
        self._rows = rows.stored()

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return self._faiss.n_rows

    @property
    def dimension(self) -> int:
        """The length of a row."""
        return self._faiss.dimension

    def rows(self, numbers: npt.NDArray[np.int64]) -> Rows:
        """Return (n, dimension) float16, a copy of the rows with these (n,) numbers."""
        return self._rows[numbers]

    def stored(self) -> Rows:
        """Return (n_rows, dimension) float16, all rows, memory-mapped."""
        return self._rows

    def nearest(
        self,
        query: npt.NDArray[np.float32],
        k: int,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> Found:
        """Return the k rows of highest cosine; equal cosines by row number.

        Args:
            query: (dimension,) float32, a unit row.
            k: how many, at least 1; fewer are returned if fewer are allowed.
            allowed: (n_rows,) bool, which rows may be returned; None for all.

        Returns:
            (k,) int64 row numbers and (k,) float32 cosines, highest first.

        Raises:
            ValueError: the query has another shape, or a value that is not finite.
            IndexCorruptError: the rows in 8 bits are not those in 16.
        """
        if query.shape != (self.dimension,) or not np.isfinite(query).all():
            needed = f"({self.dimension},) with finite values"
            raise ValueError(f"the query is of shape {query.shape}, where {needed} is needed")
        n_allowed = self.n_rows if allowed is None else int(allowed.sum())
        wanted = min(k, n_allowed)
        if not wanted:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        for fetched, among in self._tries(wanted, n_allowed, allowed):
            numbers, values = self._first(query, fetched, among)
            complete, last = len(values) < fetched, values[-1]
            if allowed is not None and among is None:
                passing = allowed[numbers]
                numbers, values = numbers[passing], values[passing]
            if complete or (len(values) >= wanted and values[wanted - 1] > last):
                break  # no row that was not fetched can be among the first k
        order = by_similarity(numbers, values)[:wanted]
        return numbers[order], values[order]

    def _tries(
        self, wanted: int, n_allowed: int, allowed: npt.NDArray[np.bool_] | None
    ) -> Iterator[tuple[int, npt.NDArray[np.bool_] | None]]:
        """Yield how many rows to fetch, and among which, until all are fetched."""
        if allowed is not None and n_allowed > _WIDE * self.n_rows:
            yield int(_MARGIN * (wanted + _TIE_ROOM) * self.n_rows / n_allowed), None
        fetched = wanted + _TIE_ROOM
        yield fetched, allowed
        while fetched <= n_allowed:
            fetched *= 2
            yield fetched, allowed

    def _first(
        self, query: npt.NDArray[np.float32], k: int, among: npt.NDArray[np.bool_] | None
    ) -> Found:
        """Return the numbers and cosines of the first k rows, highest first, or of all rows."""
        n_rows = self.n_rows if among is None else int(among.sum())
        if self._coarse and k * _COARSE_SHARE < n_rows:
            return self._first_by_coarse(self._coarse, query, k, among, n_rows)
        return self._faiss.scan(query, min(k, n_rows), among)

    def _first_by_coarse(
        self,
        coarse: Coarse,
        query: npt.NDArray[np.float32],
        k: int,
        among: npt.NDArray[np.bool_] | None,
        n_rows: int,
    ) -> Found:
        """Return the same by way of the rows in 8 bits; k of n_rows, or fewer."""
        step = np.float32((np.abs(query).max() or 1) / _GREATEST)
        asked = np.rint(query / step)
        length, off = float(np.linalg.norm(query)), float(np.linalg.norm(query - asked * step))
        error = coarse.error * length + off * (1 + coarse.error) + _ROUNDING
        scale = np.float32(coarse.step) * step
        fetched = k
        while True:
            fetched = min(_COARSE_MARGIN * fetched, n_rows)
            numbers, products = coarse.rows.scan(asked, fetched, among)
            about = products * scale
            values = cosines(query, self._rows[numbers]).astype(np.float32)
            if not (np.abs(values - about) <= error).all():
                raise IndexCorruptError(coarse.rows.path, "it holds other rows than the index")
            order = by_similarity(numbers, values)[:k]
            if fetched == n_rows or values[order[-1]] > about[-1] + error:
                return numbers[order], values[order]
