"""An opened generation: its files and their rows, read-only. Nothing here ranks.

Vectors lie in one FAISS file (the whole text) and one .npy file for each other field, term
weights in `terms.py`'s arrays, studies in SQLite. Row n of every file belongs to the nth study
in the order of NCT IDs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, Self, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import FIELDS
from simsearch.errors import (
    GoneStudyError,
    IndexClosedError,
    IndexCorruptError,
    NctIdError,
    UnknownStudyError,
)
from simsearch.index.directory import (
    Generation,
    IndexFacts,
    facts_of,
    find_index,
    open_generation,
    pointed,
)
from simsearch.index.faiss_rows import VectorIndex, open_vector_index
from simsearch.index.studies import TEXTLESS, StudyStore
from simsearch.index.terms import LEXICAL_FILES, LexicalIndex, open_lexical_index
from simsearch.study import Study, parse_nct_id
from simsearch.vectors import SIGNALS

TEXT_FILE = "text.faiss"
STORE_FILE = "studies.sqlite"
PAIRS_FILE = "random-pairs.npy"
FIELD_FILES = {"conditions": "conditions.npy", "interventions": "interventions.npy"}

_FILES = (STORE_FILE, TEXT_FILE, PAIRS_FILE, *FIELD_FILES.values(), *LEXICAL_FILES)
_REMEMBERED = 128

Value = TypeVar("Value")


class _Files(msgspec.Struct, frozen=True):
    """The files of a generation, as long as it is open."""

    store: StudyStore
    text: VectorIndex
    fields: dict[str, npt.NDArray[np.float16]]
    lexical: LexicalIndex
    pairs: npt.NDArray[np.float16]
    has_text: npt.NDArray[np.bool_]


class OpenedIndex:
    """One generation of an index, open for reading; threads may share it.

    It stays with its generation when a new one is published: open again for that. A context
    manager: `with opened_index() as index: ...` closes it.

    Args:
        path: the folder of the index.
        generation: the generation to open.

    Raises:
        IndexCorruptError: a file is missing, damaged or foreign.
    """

    def __init__(self, path: Path, generation: Generation) -> None:
        manifest = generation.manifest
        n_studies, dimension = manifest.n_studies, manifest.recipe.dimension
        for name in _FILES:
            if name not in manifest.files:
                raise IndexCorruptError(generation.path, f"its manifest lacks {name}")
        self.path = path
        self.generation = generation
        self._remembered: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()
        with ExitStack() as opened:  # where the rest fails, what is open is closed
            store = opened.enter_context(closing(StudyStore(generation.path / STORE_FILE)))
            if store.n_studies != n_studies:
                raise IndexCorruptError(
                    generation.path / STORE_FILE,
                    f"{store.n_studies:,} studies where the manifest says {n_studies:,}",
                )
            text = open_vector_index(generation.path / TEXT_FILE, n_studies, dimension)
            fields = {
                field: _open_rows(generation.path / name, n_studies, dimension)
                for field, name in FIELD_FILES.items()
            }
            lexical = open_lexical_index(generation.path, n_studies, manifest.mean_terms)
            pairs = _open_pairs(generation.path / PAIRS_FILE)
            has_text = np.ones(n_studies, dtype=np.bool_)
            has_text[store.rows_of(*TEXTLESS)] = False
            opened.pop_all()
        self._files: _Files | None = _Files(store, text, fields, lexical, pairs, has_text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = "" if self._files else ", closed"
        return f"<index {self.path}: {self.n_studies:,} studies{closed}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open index cannot be pickled: pass its path on, and open it there")

    def close(self) -> None:
        """Close the files; whatever is asked afterwards is refused."""
        files, self._files = self._files, None
        self._remembered.clear()
        if files:
            files.store.close()

    @property
    def _open(self) -> _Files:
        if self._files is None:
            raise IndexClosedError(self.path)
        return self._files

    @property
    def store(self) -> StudyStore:
        """The studies."""
        return self._open.store

    @property
    def text(self) -> VectorIndex:
        """The vectors of the whole texts, to be searched."""
        return self._open.text

    @property
    def lexical(self) -> LexicalIndex:
        """The term weights."""
        return self._open.lexical

    @property
    def pairs(self) -> npt.NDArray[np.float16]:
        """(n_pairs, n_signals) the cosines of random pairs of studies."""
        return self._open.pairs

    @property
    def has_text(self) -> npt.NDArray[np.bool_]:
        """(n_studies,) which studies have a text to compare; withheld ones do not."""
        return self._open.has_text

    @property
    def n_studies(self) -> int:
        """The number of studies."""
        return self.generation.manifest.n_studies

    @property
    def facts(self) -> IndexFacts:
        """What dates and identifies an answer of this index."""
        return facts_of(self.path, self.generation)

    def remember(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return what `compute` returns, computed once for each key while the index is open.

        The last few are kept. They must not refer to the index: its memory is freed with it.
        """
        with self._lock:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                found: Value = self._remembered[key]
                return found
        value = compute()
        with self._lock:
            self._remembered[key] = value
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return value

    def locate(self, nct_id: str) -> tuple[str, int | None]:
        """Return the NCT ID that a text spells, and the row of that study: None if not here.

        An obsolete number leads to the row of the study that it became.

        Raises:
            NctIdError: the text is not an NCT ID.
        """
        try:
            canonical = parse_nct_id(nct_id)
        except NctIdError as error:
            raise NctIdError(error.text, error.reason, self._close_id(nct_id)) from None
        return canonical, self.store.row_of(canonical)

    def lacks(self, canonical: str) -> UnknownStudyError:
        """Return the error that says that a study is not here, or has left the registry."""
        facts = self.facts
        known = (canonical, facts.name, facts.n_studies, facts.records_date, facts.demo)
        gone = self.store.gone(canonical)
        return (
            GoneStudyError(*known, gone.since, gone.became) if gone else UnknownStudyError(*known)
        )

    def row_of(self, nct_id: str) -> int:
        """Return the row of a study by any spelling of its NCT ID, or by an alias of it.

        Raises:
            NctIdError: the text is not an NCT ID.
            UnknownStudyError: the index does not hold the study.
        """
        canonical, row = self.locate(nct_id)
        if row is None:
            raise self.lacks(canonical)
        return row

    def holds(self, nct_id: str) -> bool:
        """Report whether the index holds a study; `nct_id` is refused as in `row_of`."""
        return self.locate(nct_id)[1] is not None

    def study(self, nct_id: str) -> Study:
        """Return a study; `nct_id` is understood, and refused, as in `row_of`."""
        return self.store.studies([self.row_of(nct_id)])[0]

    def rows(self, field: str, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.floating]:
        """Return (n, dimension), unit or zero: the stored rows of a field with these numbers."""
        return self.text.rows(numbers) if field == "text" else self._open.fields[field][numbers]

    def stored(self, field: str) -> npt.NDArray[np.float16]:
        """Return (n_studies, dimension) float16: all rows of a field, as they lie in its file."""
        return self.text.stored() if field == "text" else self._open.fields[field]

    def vectors(self, row: int) -> dict[str, npt.NDArray[np.float32]]:
        """Return field name → (dimension,) float32, the stored vectors of one row."""
        numbers = np.array([row], dtype=np.int64)
        return {field: self.rows(field, numbers)[0].astype(np.float32) for field in FIELDS}

    def _close_id(self, text: str) -> str:
        """Return the ID in this index that a mistyped one is nearest to, or `""`."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        typed = "".join(text.upper().split())[:20]
        if not any(character.isdigit() for character in typed):
            return ""
        if typed.isdigit():
            typed = f"NCT{typed:>08}"
        found = process.extractOne(typed, self.store.nct_ids(), scorer=OSA.distance, score_cutoff=2)
        return str(found[0]) if found else ""


def opened_index(path: Path | str | None = None) -> OpenedIndex:
    """Open the current generation of an index.

    Args:
        path: the folder of the index; None takes `index` in the current folder where that
            holds one, else the one in the user's data folder, else the demo index.

    Raises:
        IndexNotFoundError: the folder holds no index.
        IndexCorruptError: a file of it is missing, damaged or foreign.
        RecipeError: another version of simsearch built it.
    """
    folder = find_index(None if path is None else Path(path), Path())
    while True:
        name = pointed(folder)
        try:
            return OpenedIndex(folder, open_generation(folder, name))
        except IndexCorruptError:
            if name == pointed(folder):
                raise  # else a newer one was published meanwhile, and this one pruned


def _open_rows(path: Path, n_rows: int, dimension: int) -> npt.NDArray[np.float16]:
    """Open a file of (n_rows, dimension) float16 unit or zero rows, memory-mapped."""
    try:
        rows: npt.NDArray[np.float16] = np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except Exception as error:  # numpy's reader of headers raises nearly anything
        raise IndexCorruptError(path, f"not an array ({error})") from error
    if rows.shape != (n_rows, dimension) or rows.dtype != np.float16:
        raise IndexCorruptError(
            path,
            f"{rows.shape} {rows.dtype} where {(n_rows, dimension)} float16 is needed",
        )
    return rows


def _open_pairs(path: Path) -> npt.NDArray[np.float16]:
    """Open the (n_pairs, n_signals) float16 cosines of random pairs of studies."""
    try:
        pairs: npt.NDArray[np.float16] = np.load(path)
    except Exception as error:
        raise IndexCorruptError(path, f"not an array ({error})") from error
    if pairs.ndim != 2 or pairs.shape[1] != len(SIGNALS) or pairs.dtype != np.float16:  # noqa: PLR2004 - pairs by signals
        raise IndexCorruptError(path, f"{pairs.shape} {pairs.dtype} is not pairs by signals")
    return pairs
