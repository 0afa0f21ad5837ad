"""Exact nearest rows by cosine, with FAISS: the only importer of faiss.

A flat index of 16-bit floats; a row's number is its study's position in the order of NCT IDs. The
edge cases of FAISS are handled here: k beyond the number of rows, ties at the last place, queries
that are not finite or not of the right shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import faiss
import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexCorruptError
from simsearch.vectors import by_similarity

# How many rows beyond k are fetched at first, so that ties at the last place can be broken.
_TIE_ROOM = 16
# If more than this share of the rows is allowed, all rows are searched first, for `_MARGIN` times
# as many as should suffice: looking up whether each row is allowed takes FAISS twice as long.
_WIDE = 0.2
_MARGIN = 1.3


def write_vector_index(
    path: Path, dimension: int, blocks: Iterable[npt.NDArray[np.float16]]
) -> None:
    """Write a flat index of 16-bit rows.

    Args:
        path: the file to write.
        dimension: length of a row.
        blocks: (n, dimension) float16, unit or zero rows, in row order.

    Raises:
        OSError: the file cannot be written.
    """
    index = _empty(dimension)
    for block in blocks:
        index.add(np.ascontiguousarray(block, dtype=np.float32))
    try:
        path.touch()
        with _named(path, "r+b") as name:
            faiss.write_index(index, name)
    except RuntimeError as error:
        raise OSError(_short(error)) from error


class _Codes:
    """The rows of an index for numpy: an array that views them keeps the index alive."""

    def __init__(self, index: faiss.IndexScalarQuantizer) -> None:
        self.index = index
        codes = faiss.rev_swig_ptr(index.codes.data(), index.codes.size())
        self.__array_interface__ = codes.view(np.float16).reshape(-1, index.d).__array_interface__


class VectorIndex:
    """The rows of one field, searched exactly. Open one with `open_vector_index`."""

    def __init__(self, index: faiss.IndexScalarQuantizer) -> None:
        self._index = index
        self._rows: npt.NDArray[np.float16] = np.asarray(_Codes(index))

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """The length of a row."""
        return int(self._index.d)

    def rows(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float16]:
        """Return (n, dimension) float16, a copy of the rows with these (n,) numbers."""
        return self._rows[numbers]

    def stored(self) -> npt.NDArray[np.float16]:
        """Return (n_rows, dimension) float16, all rows, memory-mapped."""
        return self._rows

    def nearest(
        self,
        query: npt.NDArray[np.float32],
        k: int,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return the k rows of highest cosine; equal cosines by row number.

        Args:
            query: (dimension,) float32, a unit row.
            k: how many, at least 1; fewer are returned if fewer are allowed.
            allowed: (n_rows,) bool, which rows may be returned; None for all.

        Returns:
            (k,) int64 row numbers and (k,) float32 cosines, highest first.

        Raises:
            ValueError: the query has another shape, or a value that is not finite.
        """
        if query.shape != (self.dimension,) or not np.isfinite(query).all():
            needed = f"({self.dimension},) with finite values"
            raise ValueError(f"the query is of shape {query.shape}, where {needed} is needed")
        n_allowed = self.n_rows if allowed is None else int(allowed.sum())
        wanted = min(k, n_allowed)
        if not wanted:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        for fetched, among in self._tries(wanted, n_allowed, allowed):
            numbers, values = self._search(query, fetched, among)
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

    def _search(
        self, query: npt.NDArray[np.float32], k: int, among: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return the numbers and cosines of the first k rows, highest first, or of all rows."""
        parameters, n_rows = None, self.n_rows
        if among is not None:
            bits, n_rows = np.packbits(among, bitorder="little"), int(among.sum())
            selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg] # added at run time
        with _one_thread():
            values, numbers = self._index.search(
                query[np.newaxis], min(k, n_rows), params=parameters
            )
        return numbers[0], values[0]


def open_vector_index(path: Path, n_rows: int, dimension: int) -> VectorIndex:
    """Open an index file, memory-mapped.

    Raises:
        IndexCorruptError: the file is not such an index, or not of this size.
    """
    try:
        # FAISS takes only names in UTF-8, so it opens the file by its descriptor if need be.
        with _named(path) as name:
            index = faiss.read_index(name, faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:
        raise IndexCorruptError(path, f"not a FAISS index ({_short(error)})") from error
    except OSError as error:
        raise IndexCorruptError(path, error.strerror or "unreadable") from error
    if index.d != dimension or index.ntotal != n_rows:
        raise IndexCorruptError(
            path, f"{index.ntotal:,} rows of {index.d} where {n_rows:,} of {dimension} are needed"
        )
    expected = _empty(dimension)
    if (
        not isinstance(index, faiss.IndexScalarQuantizer)
        or index.metric_type != expected.metric_type
        or index.sq.qtype != expected.sq.qtype
        or (index.sq.d, index.sq.code_size) != (dimension, expected.sq.code_size)
        or index.code_size != expected.code_size
        or index.codes.size() != n_rows * expected.code_size
        or not index.is_trained
    ):
        raise IndexCorruptError(path, "a FAISS index of another kind")
    return VectorIndex(index)


@contextmanager
def _named(path: Path, mode: Literal["rb", "r+b"] = "rb") -> Iterator[str]:
    """Give a name of an existing file that can be written in UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open(mode) as file:
            yield f"/dev/fd/{file.fileno()}"
    else:
        yield str(path)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep FAISS to the calling thread.

    It gives each thread some of the queries: with one query the other threads only wait, which on
    a busy machine takes many times as long as the search. FAISS's own setting is used because
    threadpoolctl would add 15 ms to the first query.
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _empty(dimension: int) -> faiss.IndexScalarQuantizer:
    return faiss.IndexScalarQuantizer(
        dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )


def _short(error: RuntimeError | MemoryError) -> str:
    """Return the last part of a FAISS message, which begins with its source file."""
    return (str(error).strip() or "damaged").splitlines()[-1].split("Error: ")[-1][:120]
