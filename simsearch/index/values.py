"""What the files of a generation may hold: each check names the file that holds anything else.

A query checks what it reads, so that damage which opening an index does not see (the large files
are compared with their checksums only by `verify`) is an error and no traceback.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexCorruptError

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What no text of the study store has, but line breaks in long ones."""

_ONE = 0x3C00  # 1.0 as the bits of a 16-bit float
_BESIDE_THE_SIGN = 0x7FFF
_ROOM = 4  # units in the last place by which a rounded cosine may exceed 1
_LENGTH_TOLERANCE = 0.02  # of the squared length of a unit row, after rounding to 16 bits
_BLOCK = 4096  # rows checked at once


def check_unit_rows(path: Path, rows: npt.NDArray[np.float16]) -> None:
    """Check (n, dimension) float16 rows: each has length 1, or is all zeros.

    Raises:
        IndexCorruptError: one has another length.
    """
    for at in range(0, len(rows), _BLOCK):
        wide = rows[at : at + _BLOCK].astype(np.float32)
        # A sum that is no number is neither.
        with np.errstate(invalid="ignore", over="ignore"):
            squares = np.vecdot(wide, wide)
        if not ((np.abs(squares - 1) < _LENGTH_TOLERANCE) | (squares == 0)).all():
            raise IndexCorruptError(
                path, "it holds vectors that are not numbers, or not of unit length"
            )


def check_cosines(path: Path, values: npt.NDArray[np.float16]) -> None:
    """Check float16 values of any shape: each is from -1 to 1.

    Raises:
        IndexCorruptError: one is not.
    """
    bits = values.view(np.uint16) & np.uint16(_BESIDE_THE_SIGN)
    if bits.max(initial=0) > _ONE + _ROOM:
        raise IndexCorruptError(path, "it holds values that are not cosines")


def check_weights(path: Path, weights: npt.NDArray[np.float16]) -> None:
    """Check (n,) float16 weights of terms in unit rows: each is from 0 to 1.

    Raises:
        IndexCorruptError: one is not.
    """
    if weights.view(np.uint16).max(initial=0) > _ONE:
        raise IndexCorruptError(path, "it holds values that are not weights")


def check_numbers(path: Path, numbers: npt.NDArray[np.integer], end: int) -> None:
    """Check (n,) numbers of rows or terms: each is from 0 to `end` - 1.

    Raises:
        IndexCorruptError: one is not.
    """
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < end):
        raise IndexCorruptError(path, f"it holds numbers beyond {end:,}")


def check_starts(path: Path, starts: npt.NDArray[np.int64], n_entries: int) -> None:
    """Check (n + 1,) the starts of n parts of an array: from 0 to its length, never falling.

    Raises:
        IndexCorruptError: they are not such.
    """
    if (
        not (len(starts) and starts[0] == 0 and starts[-1] == n_entries)
        or (starts[1:] < starts[:-1]).any()
    ):
        raise IndexCorruptError(path, f"it does not divide {n_entries:,} entries")


def check_idf(path: Path, idf: npt.NDArray[np.float32]) -> None:
    """Check (n_terms,) float32 idf of terms: finite and not negative.

    Raises:
        IndexCorruptError: one is not.
    """
    if len(idf) and not (idf.min() >= 0 and idf.max() < np.inf):
        raise IndexCorruptError(path, "it holds values that are not an idf")
