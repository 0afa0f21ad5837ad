"""The studies of an index: what answers show and filters select by (`study_tables`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.errors import IndexCorruptError
from simsearch.facts import Facts, OtherNumber
from simsearch.index import number_table, place_table, traits
from simsearch.index.place_table import Place
from simsearch.index.store_file import StoreFile
from simsearch.index.study_tables import COLUMNS, COMPARED, LISTS
from simsearch.index.traits import Traits
from simsearch.index.values import CONTROL
from simsearch.records import Gone
from simsearch.study import Study

if TYPE_CHECKING:  # zstandard is loaded when facts are read
    from simsearch.index.facts_blobs import FactsReader

Value = TypeVar("Value")
_DIFFERING = f"""
SELECT here.nct_id, ifnull(there.row, -1), here.row
FROM main.study AS here LEFT JOIN old.study AS there ON there.nct_id = here.nct_id
WHERE here.row >= ? AND here.row < ? AND (there.row IS NULL OR {
    " OR ".join(f"here.{name} IS NOT there.{name}" for name in COMPARED)
})
ORDER BY here.row
"""
_GONE = """
SELECT nct_id, row, -1 FROM old.study
WHERE row >= ? AND row < ? AND nct_id NOT IN (SELECT nct_id FROM main.study) ORDER BY row
"""
_BY_OWN = """
SELECT row, nct_id, nct_id FROM study WHERE nct_id IN (SELECT value FROM json_each(?))
"""
_BY_ALIAS = """
SELECT study.row, alias, nct_id FROM alias JOIN study ON study.row = alias.row
WHERE alias IN (SELECT value FROM json_each(?))
"""
# NULL, text of bytes, broken JSON, lists in lists without end.
_NOT_A_STUDY = (msgspec.MsgspecError, TypeError, ValueError, RecursionError)
# The same as JSON escapes, after an even number of backslashes.
_ESCAPED = re.compile(
    r"(?<!\\)(?:\\\\)*\\(?:[bfnrt]|u00[01189][0-9a-f]|u007f|u202[a-e]|u206[6-9])", re.IGNORECASE
)
_LEAST_KEY = 3  # letters and digits of a number that is asked with
_BLOCK = 20_000  # studies compared between two reports of progress
_MAX_VARIABLES = 500  # in one statement; every build of SQLite takes that many


class StudyStore(StoreFile):
    """Read access to the studies of an index, by the row numbers that its vectors have too.

    Threads may share it.

    Raises:
        IndexCorruptError: the file is missing, damaged or foreign; any method raises it too.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._reader: FactsReader | None = None

    def row_of(self, nct_id: str) -> int | None:
        """Return the row of a study by its NCT ID or one of its aliases; None if there is none."""
        row = self._one("SELECT row FROM study WHERE nct_id = ?", nct_id)
        if row is None:
            row = self._one("SELECT row FROM alias WHERE alias = ?", nct_id)
        return None if row is None else self._row(row)

    def rows_of_studies(self, nct_ids: Sequence[str]) -> list[int]:
        """Return the rows of studies by their own NCT IDs, in the order given.

        Raises:
            IndexCorruptError: one of them is not in the store.
        """
        known = dict(
            self._all(
                "SELECT nct_id, row FROM study WHERE nct_id IN (SELECT value FROM json_each(?))",
                msgspec.json.encode(list(nct_ids)).decode(),
            )
        )
        return [self._row(known.get(nct_id)) for nct_id in nct_ids]

    def located(self, nct_ids: Collection[str]) -> dict[str, tuple[int, str]]:
        """Return NCT ID or alias → row and own NCT ID of the study, of those that are here."""
        wanted = msgspec.json.encode(list(nct_ids)).decode()
        found = {}
        for statement in (_BY_ALIAS, _BY_OWN):  # the own one counts where a number is both
            for row, *texts in self._all(statement, wanted):
                asked, own = self._texts(texts)
                found[asked] = self._row(row), own
        return found

    def rows_numbered(self, key: str) -> list[int]:
        """Return the rows of the studies that have a number elsewhere, in row order.

        Args:
            key: of the number, as `number_key` returns it; one without a digit finds nothing.
        """
        if len(key) < _LEAST_KEY or not any(map(str.isdecimal, key)):
            return []
        return [self._row(row) for (row,) in self._all(number_table.BY_KEY, key)]

    def numbers_of(self, rows: Sequence[int]) -> dict[int, dict[str, OtherNumber]]:
        """Return row → key → number, the numbers that studies have elsewhere."""
        wanted = msgspec.json.encode([int(row) for row in rows]).decode()
        found: dict[int, dict[str, OtherNumber]] = {int(row): {} for row in rows}
        for row, *texts in self._all(number_table.BY_ROW, wanted):
            key, number, registry = self._texts(texts)
            found[row][key] = OtherNumber(number, registry)
        return found

    def places(self) -> list[Place]:
        """Return the places where studies of the index are run, by their numbers."""
        found = self._all(place_table.ALL)
        try:
            return [msgspec.convert(values, Place) for values in found]
        except msgspec.ValidationError as error:
            raise self._damaged(error) from error

    def rows_at(self, places: Collection[int] | None) -> npt.NDArray[np.int64]:
        """Return (n,) the rows of the studies with a site at one of several places.

        None stands for any place: the studies whose records give one.
        """
        if places is None:
            return self._rows(place_table.ROWS_ANYWHERE)
        return self._rows(place_table.ROWS_AT, msgspec.json.encode(sorted(places)).decode())

    def gone(self, nct_id: str) -> Gone | None:
        """Return what is known about a study that has left the registry; None if it has not."""
        for found in self._all("SELECT nct_id, since, became FROM gone WHERE nct_id = ?", nct_id):
            return Gone(*self._texts(found))
        return None

    def studies(self, rows: Sequence[int]) -> list[Study]:
        """Return the studies with these row numbers, in the order given."""
        found: dict[int, Study] = {}
        for start in range(0, len(rows), _MAX_VARIABLES):
            part = [int(row) for row in rows[start : start + _MAX_VARIABLES]]
            marks = ", ".join("?" * len(part))
            statement = f"SELECT row, {', '.join(COLUMNS)} FROM study WHERE row IN ({marks})"
            for row, *values in self._all(statement, *part):
                try:
                    found[row] = _study(values)
                except _NOT_A_STUDY as error:
                    raise self._damaged(error) from error
        missing = [row for row in rows if row not in found]
        if missing:
            raise IndexCorruptError(self._path, f"the study of row {missing[0]:,} is missing")
        return [found[row] for row in rows]

    def facts(self, rows: Sequence[int]) -> list[Facts | None]:
        """Return the facts of the studies with these row numbers, in the order given.

        None stands for a study of which the index keeps no facts.
        """
        found: dict[int, Facts] = {}
        for start in range(0, len(rows), _MAX_VARIABLES):
            part = [int(row) for row in rows[start : start + _MAX_VARIABLES]]
            marks = ", ".join("?" * len(part))
            blobs = self._all(f"SELECT row, body FROM facts WHERE row IN ({marks})", *part)
            found |= self._unpacked(blobs, lambda reader, body: reader.unpack(body))
        return [found.get(int(row)) for row in rows]

    def trait_facets(self) -> dict[int, tuple[str, str]]:
        """Return number → kind and value of the facets of which `traits` are made."""
        found = {}
        for number, *texts in self._all(traits.FACETS):
            kind, value = self._texts(texts)
            found[number] = kind, value
        return found

    def traits(
        self, facets: Mapping[int, tuple[str, str]], rows: Sequence[int], further: int = 0
    ) -> dict[int, Traits]:
        """Return row → purpose and population of the studies whose records give any.

        Args:
            facets: those of `trait_facets` that are looked up.
            rows: of the studies, each once.
            further: how many of the rows after each are looked up too.
        """
        among = further, msgspec.json.encode([int(row) for row in rows]).decode()
        wanted = msgspec.json.encode([*facets]).decode()
        try:
            return traits.traits_by_row(
                facets,
                self._all(traits.BY_ROWS, *among, wanted),
                self._all(traits.AGES_BY_ROWS, *among),
            )
        except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
            raise self._damaged(error) from error

    def _unpacked(
        self, blobs: list[tuple[Any, ...]], read: Callable[[FactsReader, bytes], Value]
    ) -> dict[int, Value]:
        """Return row → what is read from the blob of its facts."""
        from simsearch.index.facts_blobs import BROKEN, FactsReader

        if not blobs:
            return {}
        try:
            if self._reader is None:
                self._reader = FactsReader(self._one("SELECT body FROM facts_dictionary") or b"")
            return {row: read(self._reader, blob) for row, blob in blobs}
        except BROKEN as error:
            raise self._damaged(error) from error

    def packed(self, start: int, stop: int) -> list[bytes]:
        """Return bytes of some studies, in row order, that differ if record or facts differ."""
        of_row = "row >= ? AND row < ? ORDER BY row"
        bodies = self._all(f"SELECT row, body FROM facts WHERE {of_row}", start, stop)
        facts = self._unpacked(bodies, lambda reader, body: reader.text(body))
        columns = ", ".join(COMPARED)
        found = self._all(f"SELECT row, {columns} FROM study WHERE {of_row}", start, stop)
        return [msgspec.msgpack.encode((values, facts.get(row))) for row, *values in found]

    def columns(self, names: Sequence[str]) -> Iterator[str]:
        """Yield columns of each study as one text, in row order; lists are JSON."""
        joined = " || ' ' || ".join(name for name in COLUMNS if name in names)
        found = self._all(f"SELECT {joined} FROM study ORDER BY row")
        yield from self._texts(text for (text,) in found)

    def nct_ids(self) -> list[str]:
        """Return the NCT IDs of all studies, in row order."""
        found = self._all("SELECT nct_id FROM study ORDER BY row")
        return self._texts(nct_id for (nct_id,) in found)

    def values_of(self, kind: str) -> list[str]:
        """Return the values of a facet (`status`, `country`, …; see `study_tables`), sorted."""
        found = self._all("SELECT value FROM facet WHERE kind = ? ORDER BY value", kind)
        return self._texts(value for (value,) in found)

    def rows_of(self, kind: str, values: Collection[str]) -> npt.NDArray[np.int64]:
        """Return (n,) the rows of the studies with one of these values of a facet."""
        return self._rows(
            "SELECT row FROM facet JOIN has_facet ON facet = id WHERE kind = ? "
            "AND value IN (SELECT value FROM json_each(?))",
            kind,
            msgspec.json.encode(list(values)).decode(),
        )

    def facet_rows(
        self, kind: str
    ) -> tuple[list[str], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return the values of a facet, and (n,) the place of a value beside (n,) its row."""
        values = self.values_of(kind)
        places = {value: place for place, value in enumerate(values)}
        found = self._all(
            "SELECT value, row FROM facet JOIN has_facet ON facet = id WHERE kind = ?", kind
        )
        try:
            pairs = np.array([(places[value], row) for value, row in found], dtype=np.int32)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._damaged(error) from error
        numbers, rows = pairs.reshape(-1, 2).T
        if len(rows) and not (rows.min() >= 0 and rows.max() < self.n_studies):
            raise self._damaged(f"a row beyond {self.n_studies:,}")
        return values, numbers.copy(), rows.copy()

    def rows_started(self, after: str, before: str) -> npt.NDArray[np.int64]:
        """Return (n,) the rows of the studies that started between two dates, inclusive.

        Dates are compared to the precision that both have: `2018` includes `2018-06-10`.

        Args:
            after: `2018`, `2018-06` or `2018-06-10`; `""` for no limit.
            before: likewise.
        """
        return self._rows(
            "SELECT row FROM study WHERE start_date > '' "
            "AND substr(start_date, 1, length(?1)) >= substr(?1, 1, length(start_date)) "
            "AND (?2 = '' "
            "OR substr(start_date, 1, length(?2)) <= substr(?2, 1, length(start_date)))",
            after,
            before,
        )

    def rows_enrolling(self, least: int) -> npt.NDArray[np.int64]:
        """Return (n,) the rows of the studies with at least so many participants."""
        return self._rows("SELECT row FROM study WHERE enrollment >= ?", least)

    def rows_with_results(self, *, has_results: bool) -> npt.NDArray[np.int64]:
        """Return (n,) the rows of the studies known to have results, or known to have none."""
        return self._rows("SELECT row FROM study WHERE has_results = ?", int(has_results))

    def differing_rows(
        self, old: StudyStore, progress: Progress = no_progress
    ) -> npt.NDArray[np.int64]:
        """Return the studies whose `COMPARED` fields differ between two stores.

        Args:
            old: the other store.
            progress: called after every few thousand studies.

        Returns:
            (n, 2) the rows of each study, in the order of NCT IDs: in `old`, and here; -1 where
            the study is missing.
        """
        total = self.n_studies + old.n_studies
        done = 0

        def found(statement: str, n_studies: int) -> Iterator[tuple[str, int, int]]:
            nonlocal done
            for start in range(0, n_studies, _BLOCK):
                yield from self._all(statement, start, start + _BLOCK)
                done += min(_BLOCK, n_studies - start)
                progress("comparing", done, total, "studies")

        self._all("ATTACH ? AS old", old.address)
        try:
            here, gone = found(_DIFFERING, self.n_studies), found(_GONE, old.n_studies)
            pairs = [pair[1:] for pair in merge(here, gone)]
        except TypeError as error:  # NCT IDs that are no texts
            raise self._damaged(error) from error
        finally:
            self._all("DETACH old")
        return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _study(values: Sequence[object]) -> Study:
    texts = "".join(text for text in values if isinstance(text, str))
    if not texts.isprintable() and CONTROL.search(texts):  # twice as fast, and all are
        raise ValueError("control characters in a text")
    fields = dict(zip(COLUMNS, values, strict=True))
    lists = {name: str(fields[name]) for name in LISTS}
    escaped = " ".join(text for text in lists.values() if "\\" in text)
    if _ESCAPED.search(escaped):
        raise ValueError("control characters in a list")
    fields |= {name: msgspec.json.decode(text) for name, text in lists.items()}
    if fields["has_results"] is not None:
        fields["has_results"] = bool(fields["has_results"])
    return msgspec.convert(fields, Study)
