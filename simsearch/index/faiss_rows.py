"""Flat files of rows, scanned by FAISS: the only importer of faiss.

A row's number is its study's position in the order of NCT IDs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexCorruptError

Kind = Literal["<f2", "<i1"]
"""The numbers of a row: 16-bit floats, or whole numbers from -128 to 127."""

_KINDS = {
    "<f2": faiss.ScalarQuantizer.QT_fp16,
    "<i1": faiss.ScalarQuantizer.QT_8bit_direct_signed,
}


def write_rows(
    path: Path, dimension: int, blocks: Iterable[npt.NDArray[Any]], kind: Kind = "<f2"
) -> None:
    """Write a file of rows.

    Args:
        path: the file to write.
        dimension: length of a row.
        blocks: (n, dimension) rows in order, of numbers that the kind has.
        kind: of the numbers.

    Raises:
        OSError: the file cannot be written.
    """
    index = _empty(dimension, kind)
    for block in blocks:
        index.add(np.ascontiguousarray(block, dtype=np.float32))
    try:
        path.touch()
        with _named(path, "r+b") as name:
            faiss.write_index(index, name)
    except RuntimeError as error:
        raise OSError(_short(error)) from error


class FaissRows:
    """The rows of a file, memory-mapped. Open them with `open_rows`."""

    def __init__(self, path: Path, index: faiss.IndexScalarQuantizer) -> None:
        self.path = path
        self._index = index

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """The length of a row."""
        return int(self._index.d)

    def stored(self) -> npt.NDArray[np.float16]:
        """Return (n_rows, dimension) float16, all rows of a file of such."""
        return np.asarray(_Codes(self._index))

    def scan(
        self,
        query: npt.NDArray[np.float32],
        k: int,
        among: npt.NDArray[np.bool_] | None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return the numbers and products of the k rows of greatest product, highest first.

        Args:
            query: (dimension,) float32, finite; for rows of whole numbers it has such too.
            k: how many, from 1 to as many as there are.
            among: (n_rows,) bool, the rows to choose from; None for all.
        """
        parameters = None
        if among is not None:
            bits = np.packbits(among, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg] # added at run time
        with _one_thread():
            values, numbers = self._index.search(query[np.newaxis], k, params=parameters)
        return numbers[0], values[0]


def open_rows(path: Path, n_rows: int, dimension: int, kind: Kind = "<f2") -> FaissRows:
    """Open a file of rows.

    Raises:
        IndexCorruptError: the file is no such file, or not of this size or kind.
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
    expected = _empty(dimension, kind)
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
    return FaissRows(path, index)


class _Codes:
    """The rows of an index for numpy: an array that views them keeps the index alive."""

    def __init__(self, index: faiss.IndexScalarQuantizer) -> None:
        self.index = index
        codes = faiss.rev_swig_ptr(index.codes.data(), index.codes.size())
        self.__array_interface__ = codes.view(np.float16).reshape(-1, index.d).__array_interface__


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


def _empty(dimension: int, kind: Kind) -> faiss.IndexScalarQuantizer:
    return faiss.IndexScalarQuantizer(dimension, _KINDS[kind], faiss.METRIC_INNER_PRODUCT)


def _short(error: RuntimeError | MemoryError) -> str:
    """Return the last part of a FAISS message, which begins with its source file."""
    return (str(error).strip() or "damaged").splitlines()[-1].split("Error: ")[-1][:120]
