"""An opened generation: its studies, rows and terms, read-only. Nothing here ranks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from threading import Lock
from typing import NoReturn, Self, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import FIELDS
from simsearch.errors import (
    GoneStudyError,
    IndexClosedError,
    IndexReadError,
    NctIdError,
    SharedNumberError,
    UnknownNumberError,
    UnknownStudyError,
)
from simsearch.facts import Facts
from simsearch.index.directory import (
    Generation,
    IndexFacts,
    facts_of,
    find_index,
    open_generation,
    pointed,
)
from simsearch.index.generation_files import (
    FIELD_FILES,
    LEARNED_PAIRS_FILE,
    PAIRS_FILE,
    TEXT_FILE,
    GenerationFiles,
    open_files,
    open_learned_pairs,
)
from simsearch.index.mistyped import meant
from simsearch.index.profiles import Profiles
from simsearch.index.remembered import Remembered
from simsearch.index.studies import StudyStore
from simsearch.index.synonyms import SYNONYMS_FILE, Synonyms, SynonymsFile
from simsearch.index.terms import LexicalIndex
from simsearch.index.values import check_cosines, check_unit_rows
from simsearch.index.vector_index import VectorIndex
from simsearch.records.other_numbers import (
    is_of_registry,
    looks_like_number,
    number_key,
    study_number,
)
from simsearch.study import NOT_AN_ID, Study, parse_nct_id

_MEASURED = 1024  # so many rows have their lengths checked when they are read

Value = TypeVar("Value")


class OpenedIndex:
    """One generation of an index, open for reading; threads may share it.

    When a new generation is published it keeps to its own: open the index again for the new one.
    It is a context manager: `with opened_index() as index: ...` closes it.

    Args:
        path: the folder of the index.
        generation: the generation to open.

    Raises:
        IndexCorruptError: a file is missing, damaged or foreign.
    """

    def __init__(self, path: Path, generation: Generation) -> None:
        self.path = path
        self.generation = generation
        self._remembered = Remembered()
        self._lock = Lock()
        self._files: GenerationFiles | None = open_files(generation)
        self._synonyms = _synonyms_file(generation)
        names = {**FIELD_FILES, "text": TEXT_FILE}
        self._paths = {field: generation.path / name for field, name in names.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = "" if self._files else ", closed"
        return f"<index {self.path}: {self.n_studies:,} studies{closed}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open index cannot be pickled: pass its path, and open it there")

    def close(self) -> None:
        """Close the files; any later use raises `IndexClosedError`, but for facts and repr."""
        with self._lock:
            files, self._files = self._files, None
            self._synonyms = None
            self._remembered.forget()
        if files:
            files.store.close()

    @property
    def _open(self) -> GenerationFiles:
        if self._files is None:
            raise IndexClosedError(self.path)
        return self._files

    @property
    def store(self) -> StudyStore:
        """The studies, by row."""
        return self._open.store

    @property
    def text(self) -> VectorIndex:
        """The vectors of the whole texts, which can be searched."""
        return self._open.text

    @property
    def lexical(self) -> LexicalIndex:
        """The term weights of the studies, which can be searched."""
        return self._open.lexical

    @property
    def profiles(self) -> Profiles:
        """What the learned ranking compares beside vectors and terms, by row."""
        return self._open.profiles

    @property
    def pairs(self) -> npt.NDArray[np.float16]:
        """(n_pairs, n_signals) float16, cosines of random pairs of studies, in `SIGNALS` order."""
        pairs = self._open.pairs
        path = self.generation.path / PAIRS_FILE
        self.remember("pairs were checked", lambda: check_cosines(path, pairs))
        return pairs

    @property
    def ranking(self) -> str:
        """Fingerprint of the net of the learned ranking that it was built for, or empty."""
        return self.generation.manifest.ranking

    @property
    def learned_pairs(self) -> npt.NDArray[np.float32]:
        """(n_pairs,) float32, ascending: similarities of random pairs by the learned ranking.

        Raises:
            IndexCorruptError: the index has none, or they are not such.
        """
        path = self.generation.path / LEARNED_PAIRS_FILE
        return self.remember("learned pairs", lambda: open_learned_pairs(path))

    @property
    def synonyms(self) -> Synonyms:
        """Names that mean the same, as the records use them; none in an older generation."""
        file = self._synonyms
        return self.remember("synonyms", lambda: file.read() if file else Synonyms(()))

    @property
    def has_text(self) -> npt.NDArray[np.bool_]:
        """(n_studies,) bool, which studies have a text to compare; withheld ones have none."""
        return self._open.has_text

    @property
    def n_studies(self) -> int:
        """The number of studies."""
        return self.generation.manifest.n_studies

    @property
    def facts(self) -> IndexFacts:
        """Which index this is, and its dates: what every answer carries."""
        return facts_of(self.path, self.generation)

    def remember(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return the value of `compute`, called once for each key that is still remembered.

        Values must not refer to this index, or its memory would not be freed with it.

        Raises:
            IndexClosedError: the index is closed.
            Exception: what `compute` raises; the next call tries again.
        """
        _ = self._open
        return self._remembered.value(key, compute)

    def locate(self, nct_id: str) -> tuple[str, int | None]:
        """Return the canonical NCT ID that a text spells, and its row, or None if it has none.

        An obsolete NCT ID has the row of the study that replaced it. A number that a study has
        elsewhere, in another registry or as its sponsor's own, stands for its NCT ID.

        Raises:
            NctIdError: the text is neither an NCT ID nor a number of a study here.
            UnknownNumberError: it is a number of another registry that no study here has.
            SharedNumberError: it is a number of several studies.
        """
        store = self.store
        try:
            canonical = parse_nct_id(nct_id)
        except NctIdError as error:
            return self._numbered(nct_id, error)
        return canonical, store.row_of(canonical)

    def _numbered(self, text: str, error: NctIdError) -> tuple[str, int]:
        """Return NCT ID and row of the study with a number elsewhere; raise what `locate` does."""
        studies = self.store.studies(self.store.rows_numbered(number_key(text)))
        if len(studies) > 1:
            raise SharedNumberError(text.strip(), [each.nct_id for each in studies])
        if studies:
            nct_id = studies[0].nct_id
            return nct_id, int(self.store.row_of(nct_id) or 0)
        if is_of_registry(text):
            facts = self.facts
            known = (study_number(text), facts.name, facts.n_studies, facts.records_date)
            raise UnknownNumberError(*known, facts.demo)
        reason, close = error.reason, meant(text, self.store.nct_ids())
        if reason == NOT_AN_ID and looks_like_number(text):
            reason = "is neither an NCT ID nor a number of a study here"
        raise NctIdError(error.text, reason, close) from None

    def lacks(self, canonical: str) -> UnknownStudyError:
        """Return the error to raise for a study that is not here: unknown, or gone.

        Args:
            canonical: its NCT ID, as `locate` returns it.
        """
        facts = self.facts
        known = (canonical, facts.name, facts.n_studies, facts.records_date, facts.demo)
        gone = self.store.gone(canonical)
        return (
            GoneStudyError(*known, gone.since, gone.became) if gone else UnknownStudyError(*known)
        )

    def row_of(self, nct_id: str) -> int:
        """Return the row of a study by any spelling of its NCT ID, or by an obsolete one.

        Raises:
            NctIdError: the text is not an NCT ID.
            UnknownStudyError: the study is not in the index.
        """
        canonical, row = self.locate(nct_id)
        if row is None:
            raise self.lacks(canonical)
        return row

    def holds(self, nct_id: str) -> bool:
        """Report whether a study is in the index, by any ID that `row_of` takes.

        Raises:
            NctIdError: the text is not an NCT ID.
        """
        try:
            return self.locate(nct_id)[1] is not None
        except SharedNumberError:
            return True
        except UnknownNumberError:
            return False

    def study(self, nct_id: str) -> Study:
        """Return a study by any ID that `row_of` takes, with its facts; raises what it raises."""
        row = self.row_of(nct_id)
        (study,), (facts,) = self.store.studies([row]), self.study_facts([row])
        return msgspec.structs.replace(study, facts=facts)

    def study_facts(self, rows: Sequence[int]) -> list[Facts | None]:
        """Return what is shown and compared of the studies with these rows, in their order.

        None stands for a study whose record gave none, or for each in an index without details.

        Raises:
            IndexCorruptError: the facts of one of them are damaged.
        """
        return self.store.facts(rows)

    def rows(self, field: str, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.floating]:
        """Return some rows of a field.

        Args:
            field: one of `FIELDS`.
            numbers: (n,) which rows.

        Returns:
            (n, dimension) float16, unit rows, or zeros where a study has no such text.

        Raises:
            IndexCorruptError: a row is neither, as far as can be checked quickly.
        """
        rows = self.unchecked(field)[numbers]
        path = self._paths[field]
        if len(rows) > _MEASURED:  # lengths take as long as cosines: only the values are checked
            check_cosines(path, rows)
            return rows
        sound = self.remember(("sound rows", field), lambda: np.zeros(self.n_studies, np.bool_))
        if not sound[numbers].all():
            check_unit_rows(path, rows)
            sound[numbers] = True
        return rows

    def stored(self, field: str) -> npt.NDArray[np.float16]:
        """Return (n_studies, dimension) float16, all rows of a field, memory-mapped.

        Raises:
            IndexCorruptError: one is neither of unit length nor zero; checked once.
        """
        rows = self.unchecked(field)
        path = self._paths[field]
        self.remember(("rows were checked", field), lambda: check_unit_rows(path, rows))
        return rows

    def unchecked(self, field: str) -> npt.NDArray[np.float16]:
        """Return (n_studies, dimension) float16, all rows of a field, whatever they hold."""
        return self.text.stored() if field == "text" else self._open.fields[field]

    def vectors(self, row: int) -> dict[str, npt.NDArray[np.float32]]:
        """Return field → (dimension,) float32, the vectors of the study with this row."""
        numbers = np.array([row], dtype=np.int64)
        return {field: self.rows(field, numbers)[0].astype(np.float32) for field in FIELDS}


def _synonyms_file(generation: Generation) -> SynonymsFile | None:
    entry = generation.manifest.files.get(SYNONYMS_FILE)
    return SynonymsFile(generation.path, entry.sha256) if entry else None


def opened_index(path: Path | str | None = None) -> OpenedIndex:
    """Open the current generation of an index.

    Args:
        path: the folder of the index; None stands for `index` in the current folder if that
            holds one, else the one in the user's data folder, else the demo index.

    Raises:
        IndexNotFoundError: the folder does not hold an index.
        IndexCorruptError: a file of it is missing, damaged or foreign.
        RecipeError: another version of simsearch built it.
        IndexReadError: the system gives no permission to read it.
    """
    folder = find_index(None if path is None else Path(path), Path())
    while True:
        name = pointed(folder)
        try:
            return OpenedIndex(folder, open_generation(folder, name))
        except IndexReadError:
            if name == pointed(folder):
                raise  # otherwise a new one has been published meanwhile, and this one pruned
