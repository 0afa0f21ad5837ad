"""Exact nearest rows by cosine, with FAISS: the only importer of faiss.

A flat index of 16-bit floats. A row's number is its study's position in the order of
NCT IDs. What FAISS does at its edges is settled here: k beyond the corpus, ties at the
last place, queries that are not finite or not a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexCorruptError

# How many rows beyond k are fetched at first, to settle ties at the last place.
_TIE_ROOM = 16
# Where more than this share of the rows may come back, first all are searched, for so many times
# what should be enough: FAISS takes twice as long where it looks up whether each may come back.
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
        OSError: the file cannot be written in full.
    """
    index = _empty(dimension)
    for block in blocks:
        index.add(np.ascontiguousarray(block, dtype=np.float32))
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:
        raise OSError(_short(error)) from error


class _Codes:
    """The rows of an index as numpy takes them: a view of them keeps the index."""

    def __init__(self, index: faiss.IndexScalarQuantizer) -> None:
        self.index = index
        codes = faiss.rev_swig_ptr(index.codes.data(), index.codes.size())
        self.__array_interface__ = codes.view(np.float16).reshape(-1, index.d).__array_interface__


class VectorIndex:
    """Rows of one field, searched exactly. Open with `open_vector_index`."""

    def __init__(self, index: faiss.IndexScalarQuantizer) -> None:
        self._index = index
        self._rows: npt.NDArray[np.float16] = np.asarray(_Codes(index))

    @property
    def n_rows(self) -> int:
        """How many rows the index holds."""
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Length of a row."""
        return int(self._index.d)

    def rows(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float16]:
        """Return (n, dimension) float16, the stored rows with these (n,) numbers."""
        return self._rows[numbers]

    def stored(self) -> npt.NDArray[np.float16]:
        """Return (n_rows, dimension) float16, all rows as they lie in the mapped file."""
        return self._rows

    def nearest(
        self,
        query: npt.NDArray[np.float32],
        k: int,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return the k rows of highest cosine, ties by row number.

        Args:
            query: (dimension,) float32, a unit row.
            k: how many, at least 1; fewer come back where the index holds fewer.
            allowed: (n_rows,) which rows may come back; None for all.

        Returns:
            (k,) int64 row numbers and (k,) float32 cosines, highest first.

        Raises:
            ValueError: the query is no finite row of this dimension.
        """
        if query.shape != (self.dimension,) or not np.isfinite(query).all():
            raise ValueError(f"query of shape {query.shape} is no finite row of {self.dimension}")
        n_allowed = self.n_rows if allowed is None else int(allowed.sum())
        wanted = min(k, n_allowed)
        if not wanted:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        tries: list[tuple[int, npt.NDArray[np.bool_] | None]] = [(wanted + _TIE_ROOM, allowed)]
        while tries[-1][0] <= n_allowed:
            tries.append((2 * tries[-1][0], allowed))
        if allowed is not None and n_allowed > _WIDE * self.n_rows:
            enough = _MARGIN * (wanted + _TIE_ROOM) * self.n_rows / n_allowed
            tries.insert(0, (int(enough), None))
        for fetched, among in tries:
            numbers, values = self._search(query, fetched, among)
            complete, last = len(values) < fetched, values[-1]
            if allowed is not None and among is None:
                passing = allowed[numbers]
                numbers, values = numbers[passing], values[passing]
            if complete or (len(values) >= wanted and values[wanted - 1] > last):
                break
        order = np.lexsort((numbers, -values))[:wanted]
        return numbers[order], values[order]

    def _search(
        self, query: npt.NDArray[np.float32], k: int, among: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return k rows and their cosines, highest first, or as many as there are."""
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
        IndexCorruptError: the file is no such index, or not of this many rows.
    """
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise IndexCorruptError(path, f"no FAISS index ({_short(error)})") from error
    if index.d != dimension or index.ntotal != n_rows:
        raise IndexCorruptError(
            path, f"{index.ntotal:,} rows of {index.d} where {n_rows:,} of {dimension} are needed"
        )
    expected = _empty(dimension)
    if (
        not isinstance(index, faiss.IndexScalarQuantizer)
        or index.metric_type != expected.metric_type
        or index.sq.qtype != expected.sq.qtype
    ):
        raise IndexCorruptError(path, "a FAISS index of another kind")
    return VectorIndex(index)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep FAISS in the calling thread.

    It spreads queries over threads, never one query, for which the others only wait: on a
    busy machine that takes many times as long as the search.
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


def _short(error: RuntimeError) -> str:
    """Return the last part of a FAISS message, which begins with its source file."""
    return str(error).strip().splitlines()[-1].split("Error: ")[-1][:120]
