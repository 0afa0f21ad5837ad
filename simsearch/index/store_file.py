"""The SQLite file of the studies: opened read-only, and every value checked that is read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexClosedError, IndexCorruptError
from simsearch.index.values import CONTROL


class StoreFile:
    """The file, open for reading; threads may share it.

    Raises:
        IndexCorruptError: the file is missing, damaged or foreign; any method raises it too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed = False
        self.address = path.resolve().as_uri() + "?mode=ro&immutable=1"
        """The URI by which SQLite opens the file, read-only."""
        try:
            self._database = sqlite3.connect(self.address, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise IndexCorruptError(path, f"not a study store ({error})") from error
        try:
            self.n_studies = int(self._one("SELECT count(*) FROM study") or 0)
        except IndexCorruptError:
            self.close()
            raise

    def close(self) -> None:
        """Close the database; any later use raises `IndexClosedError`."""
        self._closed = True
        self._database.close()

    def integrity(self) -> str:
        """Return the result of SQLite's own check: `ok`, or the first damage found."""
        return str(self._one("PRAGMA integrity_check(1)"))

    def _rows(self, statement: str, *values: object) -> npt.NDArray[np.int64]:
        found = self._all(statement, *values)
        try:
            rows = np.fromiter((row for (row,) in found), dtype=np.int64, count=len(found))
        except (TypeError, ValueError, OverflowError) as error:
            raise self._damaged(error) from error
        if len(rows) and not (rows.min() >= 0 and rows.max() < self.n_studies):
            raise self._damaged(f"a row beyond {self.n_studies:,}")
        return rows

    def _row(self, value: object) -> int:
        """Return a value that must be the row of a study."""
        if not (isinstance(value, int) and 0 <= value < self.n_studies):
            raise self._damaged(f"row {value!r:.40}")
        return value

    def _texts(self, values: Iterable[object]) -> list[str]:
        """Return values that must all be texts without control characters."""
        texts: list[str] = []
        for value in values:
            if not isinstance(value, str) or CONTROL.search(value):
                raise self._damaged(f"{value!r:.40} is no text")
            texts.append(value)
        return texts

    def _damaged(self, what: object) -> IndexCorruptError:
        return IndexCorruptError(self._path, f"damaged study store ({what})")

    def _one(self, statement: str, *values: object) -> Any:
        for first, *_ in self._all(statement, *values):
            return first
        return None

    def _all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except (sqlite3.Error, UnicodeError) as error:  # the latter for what SQLite quotes
            if self._closed:
                raise IndexClosedError(self._path) from None
            raise self._damaged(error) from error
