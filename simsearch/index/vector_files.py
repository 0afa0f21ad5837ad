"""Rows of distinct texts → the vector files of a generation, and its random pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import FIELDS
from simsearch.index.faiss_rows import write_vector_index
from simsearch.index.opened import FIELD_FILES, PAIRS_FILE, TEXT_FILE
from simsearch.index.terms import open_lexical_index

_BLOCK = 4096  # rows written at once
_PAIRS = 50_000  # random pairs of studies that a similarity is measured by


def write_vectors(
    folder: Path, numbers: npt.NDArray[np.int32], rows: npt.NDArray[np.float16]
) -> None:
    """Write a row for each study and field: zeros where it has no text.

    Args:
        folder: of the generation.
        numbers: (n_studies, n_fields) number of the text, or -1 for none.
        rows: (n_distinct, dimension) float16 unit rows, by number of the text.

    Raises:
        OSError: the disk refuses a write.
    """
    dimension = rows.shape[1]
    for column, field in enumerate(FIELDS):
        blocks = _blocks(rows, numbers[:, column])
        if field in FIELD_FILES:
            _write_rows(folder / FIELD_FILES[field], (len(numbers), dimension), blocks)
        else:
            write_vector_index(folder / TEXT_FILE, dimension, blocks)


def write_random_pairs(
    folder: Path,
    numbers: npt.NDArray[np.int32],
    rows: npt.NDArray[np.float16],
    mean_terms: float,
) -> None:
    """Write the cosines of random pairs of studies: what a similarity is measured by.

    The lexical files of the generation are there already; arguments as in `write_vectors`.
    """
    of_field = dict(zip(FIELDS, numbers.T, strict=True))
    left, right = random_pairs(np.flatnonzero(of_field["text"] >= 0))
    lexical = open_lexical_index(folder, len(numbers), mean_terms)
    columns = [
        _pair_cosines(rows, of_field[field][left], of_field[field][right]) for field in FIELDS
    ]
    columns.append(lexical.products(left, right))
    np.save(folder / PAIRS_FILE, np.stack(columns, axis=1).astype(np.float16))


def random_pairs(
    rows: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return `_PAIRS` pairs of different rows by lot, or all where there are fewer."""
    if len(rows) * (len(rows) - 1) // 2 <= _PAIRS:
        one, other = np.triu_indices(len(rows), 1)
        return rows[one], rows[other]
    chance = np.random.default_rng(0)
    left, right = chance.choice(rows, _PAIRS), chance.choice(rows, _PAIRS)
    return left[left != right], right[left != right]


def _pair_cosines(
    rows: npt.NDArray[np.float16], left: npt.NDArray[np.int32], right: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return (n,) the cosines of texts by their numbers, 0 where one is missing."""
    found = np.zeros(len(left))
    for at in range(0, len(left), _BLOCK):
        part = slice(at, at + _BLOCK)
        products = rows[left[part]].astype(np.float32) * rows[right[part]].astype(np.float32)
        found[part] = products.sum(axis=1)
    found[(left < 0) | (right < 0)] = 0
    return found


def _blocks(
    rows: npt.NDArray[np.float16], numbers: npt.NDArray[np.int32]
) -> Iterator[npt.NDArray[np.float16]]:
    """Yield (≤ `_BLOCK`, dim) rows by text number; zeros where the number is -1."""
    for at in range(0, len(numbers), _BLOCK):
        part = numbers[at : at + _BLOCK]
        block = rows[part]
        block[part < 0] = 0
        yield block


def _write_rows(
    path: Path, shape: tuple[int, int], blocks: Iterator[npt.NDArray[np.float16]]
) -> None:
    """Write an .npy file of float16 rows, block by block."""
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(block.astype("<f2", copy=False).tobytes())
