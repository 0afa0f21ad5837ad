"""Checks that an index is whole: its files, and that its parts belong together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.encode.fields import FIELDS, has_words, lexical_text
from simsearch.errors import VerificationError
from simsearch.index.directory import Generation, open_generation, verify_checksums
from simsearch.index.opened import OpenedIndex
from simsearch.index.study_tables import TEXTLESS
from simsearch.index.vector_files import random_pairs
from simsearch.study import Study

_BLOCK = 4096  # rows or studies checked at once
_LENGTH_TOLERANCE = 0.01  # of a unit row, after rounding to 16 bits
_PAIRS = 2000  # random pairs compared
_SAMPLE = 50  # studies that must be their own nearest


def verify_generation(index: Path, name: str = "", progress: Progress = no_progress) -> Generation:
    """Check every byte and every study of a generation; return it.

    Args:
        index: the folder.
        name: the whole name of the generation; the current one if empty.
        progress: called after every few thousand studies.

    Raises:
        IndexReadError: a file is missing, damaged, or of another version.
        VerificationError: the parts do not belong together.
    """
    generation = open_generation(index, name)
    with OpenedIndex(index, generation) as opened:
        verify_opened(opened, progress)
    return generation


def verify_opened(index: OpenedIndex, progress: Progress = no_progress) -> None:
    """Check every byte and every study of an opened index; see `verify_generation`."""
    verify_checksums(index.generation)
    verify_index(index)
    verify_studies(index, progress)


def verify_index(index: OpenedIndex) -> None:
    """Check that the parts of an index belong together, without reading every study.

    Raises:
        VerificationError: NCT IDs are not in order, rows are neither unit nor zero, or not as
            many as the manifest says, or a study of the sample is not its own nearest.
    """
    if index.store.integrity() != "ok":
        raise VerificationError("the study store", index.store.integrity())
    ids = index.store.nct_ids()
    if ids != sorted(set(ids)) or len(ids) != index.n_studies:
        raise VerificationError("NCT IDs", "not unique and in order")
    for field in FIELDS:
        _verify_rows(index, field, ids)
    _verify_pairs(index)
    sample = np.unique(np.linspace(0, index.n_studies - 1, _SAMPLE).astype(np.int64)).tolist()
    for row, study in zip(sample, index.store.studies(sample), strict=True):
        vector = index.rows("text", np.array([row]))[0]
        if vector.any() and not index.text.nearest(vector, 1)[1][0] > 1 - _LENGTH_TOLERANCE:
            raise VerificationError("sample queries", f"{ids[row]} is not found by its own vector")
        _verify_terms(index, row, study)


def _verify_pairs(index: OpenedIndex) -> None:
    """Check that rows belong to their studies: random pairs are as similar as at the build."""
    with_text = np.flatnonzero(index.has_text)
    left, right = (rows[:_PAIRS] for rows in random_pairs(with_text))
    for column, field in enumerate(FIELDS):
        products = index.rows(field, left).astype(np.float32) * index.rows(field, right)
        found = products.sum(axis=1)
        was = index.pairs[: len(found), column].astype(np.float32)
        if len(found) and not np.abs(found - was).max() < _LENGTH_TOLERANCE:
            raise VerificationError(f"the {field} vectors", "rows belong to other studies")


def _verify_terms(index: OpenedIndex, row: int, study: Study) -> None:
    """Check that a study's stored terms are those of its texts, and find it."""
    stored, expected = index.lexical.row(row), index.lexical.encode(lexical_text(study))
    if not np.array_equal(stored.terms, expected.terms) or not np.allclose(
        stored.weights, expected.weights, atol=_LENGTH_TOLERANCE
    ):
        raise VerificationError("the terms", f"{study.nct_id} has the terms of another text")
    if stored and not index.lexical.signal(stored)[row] > 1 - _LENGTH_TOLERANCE:
        raise VerificationError("the terms", f"{study.nct_id} is not found by its own terms")


def verify_studies(index: OpenedIndex, progress: Progress = no_progress) -> None:
    """Check that every study has a vector for exactly the fields that it has a text for.

    Raises:
        VerificationError: one has a vector without a text, or a text without a vector.
    """
    for numbers in _blocks(index.n_studies):
        progress("verifying", int(numbers[0]), index.n_studies, "studies")
        studies = index.store.studies(numbers.tolist())
        for field, text_of in FIELDS.items():
            has_vector = np.any(index.rows(field, numbers), axis=1).tolist()
            for study, has in zip(studies, has_vector, strict=True):
                if has != has_words([text_of(study)]):
                    found = "a vector and no text" if has else "a text and no vector"
                    raise VerificationError(f"the {field} vectors", f"{study.nct_id} has {found}")
    progress("verifying", index.n_studies, index.n_studies, "studies")


def _verify_rows(index: OpenedIndex, field: str, ids: list[str]) -> None:
    """Check that the rows of a field are unit or zero, and as many as the manifest says."""
    has_row = np.zeros(index.n_studies, dtype=np.bool_)
    for numbers in _blocks(index.n_studies):
        rows = index.unchecked(field)[numbers]
        has_row[numbers] = rows.any(axis=1)
        lengths = np.linalg.norm(rows.astype(np.float32), axis=1)
        bad = numbers[has_row[numbers] & ~(np.abs(lengths - 1) < _LENGTH_TOLERANCE)]
        if len(bad):
            found = f"the row of {ids[bad[0]]} is not of unit length"
            raise VerificationError(f"the {field} vectors", found)
    expected = index.generation.manifest.field_coverage.get(field)
    if int(has_row.sum()) != expected:
        found = f"{int(has_row.sum()):,} where the manifest says {expected}"
        raise VerificationError(f"the {field} vectors", found)
    if field == "text":
        wrong = np.setxor1d(np.flatnonzero(~has_row), index.store.rows_of(*TEXTLESS))
        if len(wrong):
            found = f"the study store disagrees on whether {ids[wrong[0]]} has a text"
            raise VerificationError("the text vectors", found)


def _blocks(n_rows: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield all row numbers in blocks."""
    for start in range(0, n_rows, _BLOCK):
        yield np.arange(start, min(start + _BLOCK, n_rows))
