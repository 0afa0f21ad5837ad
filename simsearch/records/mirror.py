"""A local mirror of the registry: raw records in one SQLite file, one row a study.

A page of records and the place to go on from are committed together, so the mirror never
holds half a page and a killed fetch goes on where it was. A study that has left the
registry stays as a tombstone.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import platformdirs

from simsearch.errors import MirrorError

MAGIC = b"SQLite format 3\0"
_APPLICATION_ID = 0x51A51A51
_SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {_APPLICATION_ID};
CREATE TABLE IF NOT EXISTS record (
    nct_id TEXT PRIMARY KEY NOT NULL,
    last_update TEXT NOT NULL,   -- last update posted, ISO date
    fetched TEXT NOT NULL,       -- when this record came, UTC
    checked TEXT NOT NULL,       -- when it was last seen in the registry, UTC
    body BLOB NOT NULL           -- the record as the API gave it, JSON, zlib
);
CREATE INDEX IF NOT EXISTS record_checked ON record (checked);
CREATE TABLE IF NOT EXISTS tombstone (
    nct_id TEXT PRIMARY KEY,
    since TEXT NOT NULL,         -- when it was first missed, ISO date
    became TEXT NOT NULL         -- the study it was merged into, or empty
);
CREATE TABLE IF NOT EXISTS scope (
    query TEXT PRIMARY KEY,      -- what was asked for, JSON of API parameters
    synced TEXT NOT NULL         -- date of the registry's data that it is complete to
);
CREATE TABLE IF NOT EXISTS window (
    query TEXT NOT NULL,         -- as in scope
    name TEXT NOT NULL,          -- the range of a fetch
    token TEXT NOT NULL,         -- page to go on with, or empty
    stamp TEXT NOT NULL,         -- of the registry's data that the token belongs to
    broken INTEGER NOT NULL,     -- studies received that are no records
    total INTEGER,               -- as the first page said
    done INTEGER NOT NULL,
    PRIMARY KEY (query, name)
);
CREATE TABLE IF NOT EXISTS window_study (
    query TEXT NOT NULL, name TEXT NOT NULL, nct_id TEXT NOT NULL,
    PRIMARY KEY (query, name, nct_id)
) WITHOUT ROWID;
COMMIT;
"""


class Window(msgspec.Struct, frozen=True):
    """How far the fetch of one range has come.

    `stamp` is the time of the registry's data that the token belongs to; `received`
    counts each study once, the `broken` ones among them.
    """

    token: str = ""
    stamp: str = ""
    broken: int = 0
    total: int | None = None
    done: bool = False
    received: int = 0


class MirroredRecord(msgspec.Struct, frozen=True):
    """One raw record: its JSON as the API gave it."""

    nct_id: str
    last_update: str
    body: bytes


def user_mirror() -> Path:
    """Return the mirror in the user's data folder, where it is by default."""
    return platformdirs.user_data_path("simsearch", appauthor=False) / "mirror.sqlite"


def is_mirror(path: Path) -> bool:
    """Tell whether a file is a mirror."""
    try:
        with path.open("rb") as file:
            head = file.read(72)
    except OSError:
        return False
    return head.startswith(MAGIC) and int.from_bytes(head[68:72], "big") == _APPLICATION_ID


def is_empty(path: Path) -> bool:
    """Tell that there is no mirror, or one without a study."""
    if not path.exists():
        return True
    with Mirror(path) as mirror:
        return not mirror.n_records


class Mirror:
    """An opened mirror. One process writes at a time; SQLite sees to it.

    Raises:
        MirrorError: the file is something else, damaged, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=30)
            is_ours = self._one("PRAGMA application_id") == _APPLICATION_ID
            if not is_ours and self._one("SELECT count(*) FROM sqlite_master"):
                self._database.close()
                raise MirrorError(path, "is no mirror of simsearch")
            if not is_ours:
                self._database.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def n_records(self) -> int:
        """How many studies the mirror holds."""
        return int(self._one("SELECT count(*) FROM record"))

    def window(self, query: str, name: str) -> Window:
        """Return how far a range has come; a new one has not begun."""
        for token, stamp, broken, total, done in self._rows(
            "SELECT token, stamp, broken, total, done FROM window WHERE query = ? AND name = ?",
            query, name,
        ):  # fmt: skip
            n_studies = self._one(
                "SELECT count(*) FROM window_study WHERE query = ? AND name = ?", query, name
            )
            return Window(token, stamp, broken, total, bool(done), n_studies + broken)
        return Window()

    def add_page(
        self, query: str, name: str, window: Window, records: Iterable[MirroredRecord]
    ) -> None:
        """Keep the records of a page and where to go on, both or neither."""
        now = _now()
        with self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO window VALUES (?, ?, ?, ?, ?, ?, ?)",
                (query, name, window.token, window.stamp, window.broken, window.total,
                 int(window.done)),
            )  # fmt: skip
            for record in records:
                self._put(record, now)
                self._database.execute(
                    "INSERT OR IGNORE INTO window_study VALUES (?, ?, ?)",
                    (query, name, record.nct_id),
                )

    def add(self, records: Iterable[MirroredRecord]) -> None:
        """Keep records, all or none."""
        now = _now()
        with self._transaction():
            for record in records:
                self._put(record, now)

    def restart_window(self, query: str, name: str, *, only_done: bool = False) -> None:
        """Forget how far a range has come, or only that it is done; its records stay."""
        if only_done and not self.window(query, name).done:
            return
        with self._transaction():
            for table in ("window", "window_study"):
                self._database.execute(
                    f"DELETE FROM {table} WHERE query = ? AND name = ?", (query, name)
                )

    def finish(self, query: str, synced: str) -> None:
        """Remember that a query is complete to a date of the registry's data."""
        with self._transaction():
            self._database.execute("INSERT OR REPLACE INTO scope VALUES (?, ?)", (query, synced))
            for table in ("window", "window_study"):
                self._database.execute(f"DELETE FROM {table} WHERE query = ?", (query,))

    def scopes(self) -> list[tuple[str, str]]:
        """Return each query that was completed, with the date that it is complete to."""
        return self._rows("SELECT query, synced FROM scope ORDER BY query")

    def oldest_checked(self, limit: int) -> list[str]:
        """Return the NCT IDs that were not seen in the registry for the longest time."""
        return [
            nct_id
            for (nct_id,) in self._rows(
                "SELECT nct_id FROM record ORDER BY checked, nct_id LIMIT ?", limit
            )
        ]

    def mark_seen(self, nct_ids: Sequence[str]) -> None:
        """Remember that these studies are in the registry now."""
        now = _now()
        with self._transaction():
            self._database.executemany(
                "UPDATE record SET checked = ? WHERE nct_id = ?", [(now, each) for each in nct_ids]
            )

    def bury(self, nct_id: str, became: str = "") -> None:
        """Replace a study that has left the registry by a tombstone."""
        with self._transaction():
            self._database.execute("DELETE FROM record WHERE nct_id = ?", (nct_id,))
            self._database.execute(
                "INSERT OR IGNORE INTO tombstone VALUES (?, ?, ?)", (nct_id, _now()[:10], became)
            )

    def records(self) -> Iterator[bytes]:
        """Yield the raw records in the order of their NCT IDs."""
        last = ""
        while rows := self._rows(  # by the thousand, so that no fetch waits for a reader
            "SELECT nct_id, body FROM record WHERE nct_id > ? ORDER BY nct_id LIMIT 1000", last
        ):
            last = rows[-1][0]
            with self._errors():
                bodies = [zlib.decompress(body) for _, body in rows]
            yield from bodies

    def tombstones(self) -> list[tuple[str, str, str]]:
        """Return the studies that have left the registry: NCT ID, since when, what it became."""
        return self._rows("SELECT nct_id, since, became FROM tombstone ORDER BY nct_id")

    def _put(self, record: MirroredRecord, now: str) -> None:
        self._database.execute(
            "INSERT INTO record VALUES (?, ?, ?, ?, ?) ON CONFLICT (nct_id) DO UPDATE SET "
            "last_update = excluded.last_update, fetched = excluded.fetched, "
            "checked = excluded.checked, body = excluded.body "
            "WHERE excluded.last_update >= last_update",
            (record.nct_id, record.last_update, now, now, zlib.compress(record.body)),
        )
        self._database.execute("DELETE FROM tombstone WHERE nct_id = ?", (record.nct_id,))

    def _one(self, statement: str, *values: object) -> Any:
        ((value,),) = self._rows(statement, *values)
        return value

    def _rows(self, statement: str, *values: object) -> list[Any]:
        with self._errors():
            return self._database.execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, zlib.error, OverflowError, TypeError) as error:
            raise MirrorError(self.path, f"cannot be used ({error})") from error
        except OSError as error:
            raise MirrorError(self.path, error.strerror or str(error)) from error


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
