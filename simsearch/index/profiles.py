"""What the learned ranking compares beside vectors and term weights: the profile of each study.

A profile holds the terms of three fields by themselves (title, conditions, interventions), as
numbers in the vocabulary of the lexical index, and four small facts of the design. The profiles
of a generation lie in three arrays, some 130 bytes a study; a fourth has the mean vectors.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import FIELDS, plain_text
from simsearch.errors import IndexCorruptError
from simsearch.index.npy import gathered, mapped_array, write_array
from simsearch.index.terms import LexicalIndex
from simsearch.index.values import check_numbers, check_starts
from simsearch.study import Study

Ints = npt.NDArray[np.int64]

PROFILE_FILES = MappingProxyType(
    {
        "starts": ("profile-starts.npy", "<i8", 1),
        "terms": ("profile-terms.npy", "<i4", 1),
        "traits": ("profile-traits.npy", "<i4", 2),
        "means": ("profile-means.npy", "<f4", 2),
    }
)
"""Array → its file, dtype and number of dimensions."""

STUDY_TYPES = ("INTERVENTIONAL", "OBSERVATIONAL")
"""The study types that are told apart; any other is none."""

KINDS = (
    "DRUG", "BIOLOGICAL", "DEVICE", "PROCEDURE", "BEHAVIORAL", "RADIATION", "DIETARY_SUPPLEMENT",
    "GENETIC", "DIAGNOSTIC_TEST", "COMBINATION_PRODUCT", "OTHER",
)  # fmt: skip
"""The types of interventions, by bit."""

_PHASES = {"EARLY_PHASE1": 1, "PHASE1": 2, "PHASE2": 4, "PHASE3": 6, "PHASE4": 8}
_BLOCK = 4096  # rows read at once
_LONGEST = 1.01  # entry of a mean of unit rows, which are rounded
_TRAITS = 4  # study type, twice the mean phase, kinds of interventions, sponsor


def _title(study: Study) -> Iterable[str]:
    return (study.title, study.official_title, study.acronym)


def _conditions(study: Study) -> Iterable[str]:
    return (*study.conditions, *study.condition_mesh)


def _interventions(study: Study) -> Iterable[str]:
    names = (name for each in study.interventions for name in (each.name, *each.other_names))
    return (*names, *study.intervention_mesh)


TERM_FIELDS: Mapping[str, Callable[[Study], Iterable[str]]] = MappingProxyType(
    {"title": _title, "conditions": _conditions, "interventions": _interventions}
)
"""Field of a profile → the names in it."""


class Profile(msgspec.Struct, frozen=True):
    """One study: `terms` are (n,) ascending numbers for each of `TERM_FIELDS`."""

    terms: tuple[Ints, ...]
    traits: Ints
    """(4,) study type (1, 2; 0 unknown), phase (twice the mean; 0 none), kinds (bits), sponsor."""


class Profiles:
    """The profiles of a generation. Open with `open_profiles`."""

    def __init__(self, folder: Path, arrays: Mapping[str, npt.NDArray[Any]], n_terms: int) -> None:
        self._folder = folder
        self._arrays = arrays
        self._n_terms = n_terms
        self.means: npt.NDArray[np.float64] = arrays["means"].astype(np.float64)
        """(n_fields, dimension) the mean vector of the studies that have each of `FIELDS`."""

    def terms(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return the terms of the fields of some studies, one after the other.

        Args:
            rows: (n,) rows of studies.

        Returns:
            (m,) numbers of terms, and (n * 3,) how many belong to each study and field, study by
            study.

        Raises:
            IndexCorruptError: a number is not that of a term.
        """
        starts, n = self._arrays["starts"], len(TERM_FIELDS)
        bounds = starts[rows[:, np.newaxis] * n + np.arange(n + 1)]
        terms = gathered(self._arrays["terms"], bounds[:, 0], bounds[:, -1])
        check_numbers(self._folder / PROFILE_FILES["terms"][0], terms, self._n_terms)
        return terms, np.diff(bounds, axis=1).ravel()

    def traits(self, rows: Ints) -> Ints:
        """Return (n, 4) the design facts of some studies, as in a `Profile`."""
        found: Ints = self._arrays["traits"][rows].astype(np.int64)
        return found

    def row(self, number: int) -> Profile:
        """Return the profile of one study."""
        rows = np.array([number], dtype=np.int64)
        terms, lengths = self.terms(rows)
        parts = np.split(terms, np.cumsum(lengths)[:-1])
        return Profile(tuple(parts), self.traits(rows)[0])


def profile_of(study: Study, lexical: LexicalIndex) -> Profile:
    """Return the profile of a study, by the terms that an index knows."""
    terms = tuple(
        lexical.numbers(plain_text("\n".join(names_of(study)))) for names_of in TERM_FIELDS.values()
    )
    phases = [_PHASES[phase] for phase in study.phases if phase in _PHASES]
    kinds = {each.type.upper() for each in study.interventions}
    sponsor = study.sponsor.casefold().encode()
    traits = (
        STUDY_TYPES.index(kind) + 1 if (kind := study.study_type.upper()) in STUDY_TYPES else 0,
        round(sum(phases) / len(phases)) if phases else 0,
        sum(1 << bit for bit, kind in enumerate(KINDS) if kind in kinds),
        max(1, zlib.crc32(sponsor) & 0x7FFFFFFF) if sponsor else 0,
    )
    return Profile(terms, np.array(traits, dtype=np.int64))


def write_profiles(folder: Path, studies: Iterable[Study], lexical: LexicalIndex) -> None:
    """Write the profiles of the studies of a generation, whose term arrays are there already.

    Raises:
        OSError: a write failed.
    """
    terms: list[npt.NDArray[np.int32]] = []
    lengths: list[int] = [0]
    traits: list[Ints] = []
    for study in studies:
        profile = profile_of(study, lexical)
        terms += [each.astype(np.int32) for each in profile.terms]
        lengths += [len(each) for each in profile.terms]
        traits.append(profile.traits)
    _write(folder, "starts", np.cumsum(lengths))
    _write(folder, "terms", np.concatenate([np.zeros(0, dtype=np.int32), *terms]))
    _write(folder, "traits", np.array(traits).reshape(-1, _TRAITS))


def write_means(
    folder: Path, numbers: npt.NDArray[np.int32], rows: npt.NDArray[np.float16]
) -> None:
    """Write the mean vector of each field.

    Args:
        folder: of the generation.
        numbers: (n_studies, n_fields) the number of each text, or -1 for none.
        rows: (n_distinct, dimension) float16 unit rows, by number of the text.

    Raises:
        OSError: a write failed.
    """
    means = np.zeros((numbers.shape[1], rows.shape[1]))
    for field, column in enumerate(numbers.T):
        often = np.bincount(column[column >= 0], minlength=len(rows))
        for at in range(0, len(rows), _BLOCK):
            means[field] += often[at : at + _BLOCK] @ rows[at : at + _BLOCK].astype(np.float64)
        means[field] /= max(1, often.sum())
    _write(folder, "means", np.nan_to_num(means))  # what is no number is found when it is verified


def open_profiles(folder: Path, lexical: LexicalIndex, dimension: int) -> Profiles:
    """Open the profiles of a generation, memory-mapped.

    Raises:
        IndexCorruptError: a file is missing, not an array, or does not fit the others.
    """
    arrays = {
        key: mapped_array(folder / name, dtype, n_dimensions)
        for key, (name, dtype, n_dimensions) in PROFILE_FILES.items()
    }
    n = lexical.n_rows
    shapes = {
        "starts": (n * len(TERM_FIELDS) + 1,),
        "traits": (n, _TRAITS),
        "means": (len(FIELDS), dimension),
    }
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            found = f"{arrays[key].shape} where {shape} is needed"
            raise IndexCorruptError(folder / PROFILE_FILES[key][0], found)
    check_starts(folder / PROFILE_FILES["starts"][0], arrays["starts"], len(arrays["terms"]))
    if not (np.abs(arrays["means"]) <= _LONGEST).all():
        raise IndexCorruptError(folder / PROFILE_FILES["means"][0], "it holds no mean vectors")
    return Profiles(folder, arrays, len(lexical.terms))


def _write(folder: Path, key: str, values: npt.NDArray[Any]) -> None:
    name, dtype, _ = PROFILE_FILES[key]
    write_array(folder / name, values, dtype)
