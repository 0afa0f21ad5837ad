"""Arrays in .npy files, memory-mapped.

The header is read here and not by numpy, which takes damaged ones for Python code: it prints
warnings, and accepts a wrong length of the header, by which every value of the file is shifted.
"""

from __future__ import annotations

import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexCorruptError

_MAGIC = b"\x93NUMPY\x01\x00"
_ALIGNMENT = 64
_HEADER = re.compile(
    rb"\{'descr': '([<|][a-zA-Z][0-9]{1,3})', 'fortran_order': False, "
    rb"'shape': \(([0-9]{1,18}),(?: ([0-9]{1,18}))?\), \} *\n"
)


def mapped_array(path: Path, dtype: str, n_dimensions: int) -> npt.NDArray[Any]:
    """Open an array in a .npy file, memory-mapped.

    Args:
        path: the file, as numpy writes it by rows.
        dtype: the dtype that it must have, such as `<f2`.
        n_dimensions: how many dimensions it must have, 1 or 2.

    Raises:
        IndexCorruptError: the file is missing, not an array, or another kind of array.
    """
    try:
        content = np.asarray(np.memmap(path, np.uint8, "r"))
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        reason = getattr(error, "strerror", "") or error
        raise IndexCorruptError(path, f"not an array ({reason})") from error
    start = len(_MAGIC) + 2
    offset = start + int.from_bytes(content[start - 2 : start].tobytes(), "little")
    header = _HEADER.fullmatch(content[start:offset].tobytes())
    if content[: len(_MAGIC)].tobytes() != _MAGIC or not header or offset % _ALIGNMENT:
        raise IndexCorruptError(path, "not an array (its header is damaged)")
    shape = tuple(int(size) for size in header.groups()[1:] if size)
    if header[1].decode() != np.dtype(dtype).str or len(shape) != n_dimensions:
        raise IndexCorruptError(path, f"not an array of {dtype} in {n_dimensions} dimensions")
    if len(content) != offset + prod(shape) * np.dtype(dtype).itemsize:
        raise IndexCorruptError(path, f"not an array (its size is not that of {shape})")
    # Not a numpy.memmap, each access to which costs a microsecond more.
    return content[offset:].view(dtype).reshape(shape)


def write_array(path: Path, values: npt.NDArray[Any], dtype: str) -> None:
    """Write an array of a dtype, such as `<f2`, as `mapped_array` opens it.

    Raises:
        OSError: a write failed.
    """
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(values, dtype=dtype))


def gathered(
    values: npt.NDArray[Any], starts: npt.NDArray[np.integer], ends: npt.NDArray[np.integer]
) -> npt.NDArray[np.int64]:
    """Return the parts of an array from each start to its end, one after the other."""
    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    places = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
    found: npt.NDArray[np.int64] = values[places].astype(np.int64)
    return found
