"""The data files of a generation: their names, and opening them all.

Row n of every file belongs to the nth study in the order of NCT IDs.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexCorruptError
from simsearch.index.directory import Generation, verify_checksum
from simsearch.index.faiss_rows import open_rows
from simsearch.index.npy import mapped_array
from simsearch.index.profiles import PROFILE_FILES, Profiles, open_profiles
from simsearch.index.studies import StudyStore
from simsearch.index.study_tables import TEXTLESS
from simsearch.index.terms import LEXICAL_FILES, LexicalIndex, open_lexical_index
from simsearch.index.vector_index import Coarse, VectorIndex, open_coarse
from simsearch.vectors import SIGNALS

STORE_FILE = "studies.sqlite"
"""The studies."""

TEXT_FILE = "text.faiss"
"""The vectors of the whole texts."""

COARSE_FILES = ("text-8bit.faiss", "text-8bit-scale.npy")
"""The same in 8 bits, and their scale, in a large index; one without is searched without."""

FIELD_FILES = {"conditions": "conditions.npy", "interventions": "interventions.npy"}
"""Other field → the file of its vectors."""

PAIRS_FILE = "random-pairs.npy"
"""The cosines of random pairs of studies, the scale of percentiles."""

LEARNED_PAIRS_FILE = "random-pairs-learned.npy"
"""The similarities of other random pairs by the learned ranking, ascending."""

FIT_FILES = (PROFILE_FILES["means"][0], LEARNED_PAIRS_FILE)
"""What is kept with the term weights of an earlier generation."""

_CHECKED_BYTES = 2 * 2**20
"""Files of so many bytes in all, the smallest first, are compared with their checksums when they
are opened, which takes one to three milliseconds: in an index of 46,289 studies those of idf, of
starts and of random pairs."""

_FILES = (
    STORE_FILE, TEXT_FILE, PAIRS_FILE, *FIELD_FILES.values(), *LEXICAL_FILES,
    *(name for name, _, _ in PROFILE_FILES.values()), LEARNED_PAIRS_FILE,
)  # fmt: skip


class GenerationFiles(msgspec.Struct, frozen=True):
    """The open files of a generation."""

    store: StudyStore
    text: VectorIndex
    fields: dict[str, npt.NDArray[np.float16]]
    lexical: LexicalIndex
    profiles: Profiles
    pairs: npt.NDArray[np.float16]
    has_text: npt.NDArray[np.bool_]


def open_files(generation: Generation) -> GenerationFiles:
    """Open all files of a generation.

    Raises:
        IndexCorruptError: one is missing, damaged or foreign.
    """
    folder, manifest = generation.path, generation.manifest
    n_studies, dimension = manifest.n_studies, manifest.recipe.dimension
    for name in _FILES:
        if name not in manifest.files:
            raise IndexCorruptError(folder, f"its manifest lacks {name}")
    _check_small_files(generation)
    with ExitStack() as opened:  # an error below closes what is open by then
        store = opened.enter_context(closing(StudyStore(folder / STORE_FILE)))
        if store.n_studies != n_studies:
            found = f"{store.n_studies:,} studies where the manifest says {n_studies:,}"
            raise IndexCorruptError(folder / STORE_FILE, found)
        has_text = np.ones(n_studies, dtype=np.bool_)
        has_text[store.rows_of(*TEXTLESS)] = False
        lexical = open_lexical_index(folder, n_studies, manifest.mean_terms)
        files = GenerationFiles(
            store,
            VectorIndex(
                open_rows(folder / TEXT_FILE, n_studies, dimension), _open_coarse(generation)
            ),
            {
                field: _open_rows(folder / name, n_studies, dimension)
                for field, name in FIELD_FILES.items()
            },
            lexical,
            open_profiles(folder, lexical, dimension),
            _open_pairs(folder / PAIRS_FILE),
            has_text,
        )
        opened.pop_all()
    return files


def _open_coarse(generation: Generation) -> Coarse | None:
    manifest = generation.manifest
    if not all(name in manifest.files for name in COARSE_FILES):
        return None
    coarse, scale = (generation.path / name for name in COARSE_FILES)
    return open_coarse(coarse, scale, manifest.n_studies, manifest.recipe.dimension)


def _open_rows(path: Path, n_rows: int, dimension: int) -> npt.NDArray[np.float16]:
    """Return (n_rows, dimension) float16, the unit or zero rows of a file, memory-mapped."""
    rows: npt.NDArray[np.float16] = mapped_array(path, "<f2", 2)
    if rows.shape != (n_rows, dimension):
        raise IndexCorruptError(path, f"{rows.shape} where {(n_rows, dimension)} is needed")
    return rows


def _open_pairs(path: Path) -> npt.NDArray[np.float16]:
    """Return (n_pairs, n_signals) float16, the cosines of random pairs of studies."""
    pairs: npt.NDArray[np.float16] = mapped_array(path, "<f2", 2).copy()
    if pairs.shape[1] != len(SIGNALS):
        raise IndexCorruptError(path, f"{pairs.shape} where pairs by {len(SIGNALS)} are needed")
    return pairs


def open_learned_pairs(path: Path) -> npt.NDArray[np.float32]:
    """Return (n_pairs,) float32, ascending, the similarities of pairs by the learned ranking.

    Raises:
        IndexCorruptError: the file is missing, or holds something else.
    """
    pairs: npt.NDArray[np.float32] = mapped_array(path, "<f4", 1).copy()
    if not ((pairs >= 0) & (pairs <= 1)).all() or (pairs[1:] < pairs[:-1]).any():
        raise IndexCorruptError(path, "it holds values that are not similarities in order")
    return pairs


def _check_small_files(generation: Generation) -> None:
    """Compare the small files with their checksums, as many as take a few milliseconds."""
    entries = generation.manifest.files
    left = _CHECKED_BYTES
    for name in sorted(_FILES, key=lambda name: (entries[name].bytes, name)):
        left -= entries[name].bytes
        if left < 0:
            return
        verify_checksum(generation, name)
