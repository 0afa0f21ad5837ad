"""The vector files of a generation, and its random pairs, written from rows of distinct texts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import FIELDS
from simsearch.index import vector_index
from simsearch.index.faiss_rows import write_rows
from simsearch.index.generation_files import COARSE_FILES, FIELD_FILES, PAIRS_FILE, TEXT_FILE
from simsearch.index.terms import open_lexical_index

_BLOCK = 4096  # rows written at once
_PAIRS = 50_000  # random pairs of studies, the scale of percentiles


def write_vectors(
    folder: Path, numbers: npt.NDArray[np.int32], rows: npt.NDArray[np.float16]
) -> None:
    """Write a row for each study and field, zeros where the study has no such text.

    Args:
        folder: of the generation.
        numbers: (n_studies, n_fields) the number of each text, or -1 for none.
        rows: (n_distinct, dimension) float16 unit rows, by number of the text.

    Raises:
        OSError: a write failed.
    """
    dimension = rows.shape[1]
    for column, field in enumerate(FIELDS):
        blocks = _blocks(rows, numbers[:, column])
        if field in FIELD_FILES:
            _write_rows(folder / FIELD_FILES[field], (len(numbers), dimension), blocks)
        else:
            write_rows(folder / TEXT_FILE, dimension, blocks)
            if len(numbers) >= vector_index.LEAST_COARSE:
                coarse, scale = (folder / name for name in COARSE_FILES)
                again = partial(_blocks, rows, numbers[:, column])
                vector_index.write_coarse(coarse, scale, dimension, again)


def write_random_pairs(
    folder: Path,
    numbers: npt.NDArray[np.int32],
    rows: npt.NDArray[np.float16],
    mean_terms: float,
) -> None:
    """Write the cosines of random pairs of studies by each signal, the scale of percentiles.

    The term arrays of the generation must be there already.

    Args:
        folder: of the generation.
        numbers: as in `write_vectors`.
        rows: as in `write_vectors`.
        mean_terms: the mean number of terms of a text, as `write_lexical` returned it.

    Raises:
        OSError: a write failed.
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
    """Return (n,), (n,) the two rows of random pairs, or of all pairs if they are few.

    Args:
        rows: (m,) the rows to choose from.

    Returns:
        About 50,000 pairs of different rows; the same every time.
    """
    if len(rows) * (len(rows) - 1) // 2 <= _PAIRS:
        one, other = np.triu_indices(len(rows), 1)
        return rows[one], rows[other]
    chance = np.random.default_rng(0)
    left, right = chance.choice(rows, _PAIRS), chance.choice(rows, _PAIRS)
    return left[left != right], right[left != right]


def _pair_cosines(
    rows: npt.NDArray[np.float16], left: npt.NDArray[np.int32], right: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return (n,) float64, the cosines of pairs of texts by number, 0 where one is missing."""
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
    """Yield (≤ `_BLOCK`, dimension) the rows of texts by number, zeros for -1."""
    for at in range(0, len(numbers), _BLOCK):
        part = numbers[at : at + _BLOCK]
        block = rows[part]
        block[part < 0] = 0
        yield block


def _write_rows(
    path: Path, shape: tuple[int, int], blocks: Iterator[npt.NDArray[np.float16]]
) -> None:
    """Write a .npy file of float16 rows, block by block."""
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(block.astype("<f2", copy=False).tobytes())
