"""The term arrays of a generation: their files and types, written and opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from simsearch.index.npy import mapped_array, write_array
from simsearch.index.terms.words import MAX_BYTES

TERM_TYPE = f"S{MAX_BYTES}"
"""The dtype of the array of terms."""

ARRAY_FILES = {
    "terms": ("lexical-terms.npy", TERM_TYPE),
    "idf": ("lexical-idf.npy", "<f4"),
    "row_starts": ("lexical-row-starts.npy", "<i8"),
    "row_terms": ("lexical-row-terms.npy", "<i4"),
    "row_weights": ("lexical-row-weights.npy", "<f2"),
    "posting_starts": ("lexical-posting-starts.npy", "<i8"),
    "posting_rows": ("lexical-posting-rows.npy", "<i4"),
    "posting_weights": ("lexical-posting-weights.npy", "<f2"),
}
"""Array → its file and dtype. All have one dimension; rows and postings are CSR arrays."""

LEXICAL_FILES = tuple(name for name, _ in ARRAY_FILES.values())
"""The names of the files."""


def write_arrays(folder: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write the arrays of `ARRAY_FILES` into a folder.

    Raises:
        OSError: a write failed.
    """
    for key, (name, dtype) in ARRAY_FILES.items():
        write_array(folder / name, arrays[key], dtype)


def open_array(folder: Path, key: str) -> npt.NDArray[Any]:
    """Open one array of a generation, memory-mapped.

    Raises:
        IndexCorruptError: the file is missing, not an array, or of another type.
    """
    name, dtype = ARRAY_FILES[key]
    return mapped_array(folder / name, dtype, 1)


def path_of(folder: Path, key: str) -> Path:
    """Return the file of an array."""
    return folder / ARRAY_FILES[key][0]
