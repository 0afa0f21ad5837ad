"""The cache of vectors: texts encoded before, in one SQLite file that all builds share.

A vector is stored under its space (everything that determines it: model, length, precision) and
the hash of its text, with a checksum. Damage to the file therefore costs time, but it never makes
a build fail and never yields a wrong vector. `cache_file.py` opens and repairs the file.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt
import platformdirs

from simsearch.callbacks import Log, no_log
from simsearch.encode.cache_file import CacheFile
from simsearch.encode.fields import text_key
from simsearch.encode.space import Space
from simsearch.errors import ArgumentError, CacheError
from simsearch.files import batches

# Dates have a table of their own: updating one must not rewrite the vector.
# AUTOINCREMENT: no id is ever reused, so a late date cannot be written to another entry.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS space (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT UNIQUE NOT NULL,
    model TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    max_tokens INTEGER NOT NULL,
    precision TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    space INTEGER NOT NULL,
    key BLOB NOT NULL,           -- `text_key` of the text
    used TEXT NOT NULL,          -- ISO date (UTC) of the last look-up
    UNIQUE (space, key)
);
CREATE TABLE IF NOT EXISTS vector (
    id INTEGER PRIMARY KEY,      -- the id of its entry
    checksum INTEGER NOT NULL,
    row BLOB NOT NULL            -- 16-bit floats, little-endian
);
"""
# Every build of SQLite accepts a few hundred variables in a statement.
_MAX_VARIABLES = 500
_MAX_USED = 50_000  # dates written at once
_OVERHEAD = 120  # bytes of an entry in addition to its vector
_MAX_SLACK = 1.5  # ratio of file size to content up to which pruning does not rewrite the file
_PORTION = 10_000  # entries pruned in one transaction: pruning needs disk only for its journal


class SpaceFacts(msgspec.Struct, frozen=True):
    """What the cache holds for one space; `last_used` is an ISO date, or empty."""

    digest: str
    model: str
    dimension: int
    max_tokens: int
    precision: str
    n_vectors: int
    bytes: int
    last_used: str


class Pruned(msgspec.Struct, frozen=True):
    """How much a pruning removed, and the size of the file before and after, in bytes."""

    n_vectors: int
    n_spaces: int
    bytes_before: int
    bytes_after: int


def default_cache() -> Path:
    """Return the default path of the cache, in the user's cache folder."""
    return platformdirs.user_cache_path("simsearch", appauthor=False) / "vectors.sqlite"


class VectorCache:
    """An open cache; several processes may share its file.

    Args:
        path: the file; created if it is missing.
        log: called with a line for a person when a damaged file is set aside.

    Raises:
        ForeignCacheError: the file is something else; it is not touched.
        CacheError: the file cannot be opened or created.
    """

    def __init__(self, path: Path, log: Log = no_log) -> None:
        self.log = log
        self._file = CacheFile(path, _SCHEMA, log, is_at_home=path == default_cache())
        self._used: set[int] = set()
        """Ids of the entries whose date of use is not yet written."""
        self._file.guarded(self._file.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write the dates on which vectors were used, and close the file."""
        self._write_used()
        self._file.close()

    def get(
        self, space: Space, texts: Sequence[str]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float16]]:
        """Look up the vectors of n texts.

        Returns:
            (n,) bool, whether the vector was found; (n, dimension) float16, the vectors, zeros
            for those not found.

        Raises:
            CacheError: the file cannot be read.
        """
        keys = [text_key(text) for text in texts]
        distinct = list(dict.fromkeys(keys))
        kept: dict[bytes, bytes] = {}
        for some in batches(distinct, _MAX_VARIABLES):
            kept |= self._file.guarded(self._find, space, some)
        if len(self._used) > _MAX_USED:
            self._write_used()
        found = np.array([key in kept for key in keys], dtype=np.bool_)
        rows = np.zeros((len(keys), space.dimension), dtype=np.float16)
        packed = b"".join(kept[key] for key in keys if key in kept)
        rows[found] = np.frombuffer(packed, dtype="<f2").reshape(-1, space.dimension)
        return found, rows

    def put(self, space: Space, texts: Sequence[str], rows: npt.NDArray[np.floating]) -> None:
        """Store the vectors of n texts, in one transaction; rows that are not finite are skipped.

        Args:
            space: of the vectors.
            texts: n texts.
            rows: (n, dimension), any float type, rounded to 16 bits.

        Raises:
            ArgumentError: `rows` has another shape.
            CacheError: the file cannot be written.
        """
        expected = (len(texts), space.dimension)
        if rows.shape != expected:
            raise ArgumentError("rows", rows.shape, f"of shape {expected}")
        rounded = rows.astype("<f2")
        entries = {
            text_key(text): row.tobytes()
            for text, row, keep in zip(
                texts, rounded, np.isfinite(rounded).all(axis=1).tolist(), strict=True
            )
            if keep
        }
        self._file.guarded(self._store, space, entries)

    def facts(self) -> tuple[SpaceFacts, ...]:
        """Return the facts of each space, the most recently used first.

        Raises:
            CacheError: the file cannot be read.
        """
        return self._file.guarded(self._read_facts)

    def prune(self, older_than_days: int) -> Pruned:
        """Remove vectors that were not used lately, and return their space to the disk.

        Entries are removed in portions, and so are free pages, so that little disk is needed and
        other processes hardly wait. The file is rewritten only if many pages are half empty.

        Args:
            older_than_days: remove vectors last used more than so many days ago; 0 keeps only
                those used today (UTC).

        Raises:
            ArgumentError: the number of days is negative.
            CacheError: the file cannot be written.
        """
        if older_than_days < 0:
            raise ArgumentError("older_than_days", older_than_days, "0 or more")
        self._write_used()
        date, before = _days_ago(older_than_days), self._file.size
        n_vectors, last = 0, 0
        while portion := self._file.guarded(self._drop_portion, last, date):
            last, n_dropped = portion
            n_vectors += n_dropped
        n_spaces = self._file.guarded(self._drop_empty_spaces)
        filled = sum(each.bytes + _OVERHEAD * each.n_vectors for each in self.facts())
        self._file.guarded(self._file.shrink, int(_MAX_SLACK * filled))
        return Pruned(n_vectors, n_spaces, before, self._file.size)

    def _find(self, space: Space, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return key → packed row of those that are stored and undamaged."""
        marks = ", ".join("?" * len(keys))
        found = self._file.database().execute(
            "SELECT entry.id, key, used < ?, checksum, row FROM entry JOIN vector USING (id) "
            f"WHERE space = (SELECT id FROM space WHERE digest = ?) AND key IN ({marks})",
            (_days_ago(0), space.digest, *keys),
        )
        kept = {}
        for number, key, is_due, checksum, row in found.fetchall():
            if checksum == _checksum(space, key, row) and len(row) == 2 * space.dimension:
                kept[key] = row
                if is_due:
                    self._used.add(number)
        return kept

    def _store(self, space: Space, entries: dict[bytes, bytes]) -> None:
        today = _days_ago(0)
        with self._file.transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO space (digest, model, dimension, max_tokens, precision) "
                "VALUES (?, ?, ?, ?, ?)",
                (space.digest, space.model, space.dimension, space.max_tokens, space.precision),
            )
            ((number,),) = database.execute(
                "SELECT id FROM space WHERE digest = ?", (space.digest,)
            ).fetchall()
            database.executemany(
                "INSERT INTO entry (space, key, used) VALUES (?, ?, ?) "
                "ON CONFLICT (space, key) DO UPDATE SET used = excluded.used",
                [(number, key, today) for key in entries],
            )
            database.executemany(
                "INSERT OR REPLACE INTO vector "
                "SELECT id, ?, ? FROM entry WHERE space = ? AND key = ?",
                [(_checksum(space, key, row), row, number, key) for key, row in entries.items()],
            )

    def _write_used(self) -> None:
        """Write today's date for all entries used: once a day for each, and many at once.

        If that fails, or the process is killed before it, a later pruning may remove a vector
        that is still in use, and its text is encoded again.
        """
        if self._used:
            with suppress(CacheError):
                self._file.guarded(self._update_used, sorted(self._used))
        self._used.clear()

    def _update_used(self, numbers: Sequence[int]) -> None:
        today = _days_ago(0)
        with self._file.transaction() as database:
            database.executemany(
                "UPDATE entry SET used = ? WHERE id = ?", [(today, number) for number in numbers]
            )

    def _read_facts(self) -> tuple[SpaceFacts, ...]:
        found = self._file.database().execute(
            "SELECT digest, model, dimension, max_tokens, precision, count(entry.id), "
            "count(entry.id) * dimension * 2, coalesce(max(used), '') AS last "
            "FROM space LEFT JOIN entry ON entry.space = space.id "
            "GROUP BY space.id ORDER BY last DESC, digest"
        )
        return tuple(SpaceFacts(*row) for row in found.fetchall())

    def _drop_portion(self, after: int, date: str) -> tuple[int, int] | None:
        """Remove those of the next entries, by id, that were last used before a date.

        Returns:
            The id of the last entry examined and the number removed; None after the last entry.
        """
        with self._file.transaction() as database:
            ((last,),) = database.execute(
                "SELECT max(id) FROM (SELECT id FROM entry WHERE id > ? ORDER BY id LIMIT ?)",
                (after, _PORTION),
            ).fetchall()
            if last is None:
                return None
            doomed, values = "id > ? AND id <= ? AND used < ?", (after, last, date)
            database.execute(
                f"DELETE FROM vector WHERE id IN (SELECT id FROM entry WHERE {doomed})", values
            )
            return last, database.execute(f"DELETE FROM entry WHERE {doomed}", values).rowcount

    def _drop_empty_spaces(self) -> int:
        with self._file.transaction() as database:
            return database.execute(
                "DELETE FROM space WHERE NOT EXISTS "
                "(SELECT 1 FROM entry WHERE entry.space = space.id)"
            ).rowcount


def _checksum(space: Space, key: bytes, row: object) -> int:
    """Return the CRC-32 of a row, its text's key and its space; -1 if `row` is not bytes."""
    if not isinstance(row, bytes):
        return -1
    return zlib.crc32(row, zlib.crc32(key, zlib.crc32(space.digest.encode())))


def _days_ago(days: int) -> str:
    """Return the ISO date (UTC) of some days ago."""
    today = dt.datetime.now(dt.UTC).date()
    return dt.date.fromordinal(max(1, today.toordinal() - days)).isoformat()
