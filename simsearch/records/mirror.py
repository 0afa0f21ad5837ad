"""A local mirror of the registry: raw records in one SQLite file, one row per study.

A page of records is committed together with the position to resume from, so the mirror never
contains half a page, and a killed fetch resumes where it stopped.

A study that a check does not find in the registry is first noted as missing. Only a later check
that agrees (see `registry.recheck`) replaces it with a tombstone.
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
from simsearch.records.mirror_tables import ABSENCE, APPLICATION_ID, SCHEMA

MAGIC = b"SQLite format 3\0"
_CANNOT_WRITE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL}


class Window(msgspec.Struct, frozen=True):
    """How far the fetch of one range of last-update dates (see `registry.scope`) has come.

    `stamp` is the time of the registry's data that the page `token` belongs to. `received`
    counts each study once, including the `broken` ones, whose records cannot be kept. `total` is
    the number of studies according to the first page.
    """

    token: str = ""
    stamp: str = ""
    broken: int = 0
    total: int | None = None
    done: bool = False
    received: int = 0


class MirroredRecord(msgspec.Struct, frozen=True):
    """A raw record: `body` is its JSON as the API returned it, `last_update` an ISO date.

    `aliases` are its obsolete NCT IDs, as the record lists them; the mirror does not keep them.
    """

    nct_id: str
    last_update: str
    body: bytes
    aliases: tuple[str, ...] = ()


class Missing(msgspec.Struct, frozen=True):
    """A study that the last check did not find, `since` when (UTC, ISO) no check has found it.

    `became` is the study that it seems to be merged into, or empty.
    """

    nct_id: str
    since: str
    became: str = ""


def user_mirror() -> Path:
    """Return the default path of the mirror, in the user's data folder."""
    return platformdirs.user_data_path("simsearch", appauthor=False) / "mirror.sqlite"


def is_mirror(path: Path) -> bool:
    """Return whether a file is a mirror."""
    try:
        with path.open("rb") as file:
            head = file.read(72)
    except OSError:
        return False
    return head.startswith(MAGIC) and int.from_bytes(head[68:72], "big") == APPLICATION_ID


def is_empty(path: Path) -> bool:
    """Return whether there is no mirror at `path`, or one without studies."""
    if not path.exists():
        return True
    with Mirror(path) as mirror:
        return not mirror.n_records


class Mirror:
    """An open mirror, created if it does not exist; a context manager.

    Only one process can write at a time; SQLite ensures this.

    Raises:
        MirrorError: the file is not a mirror, is damaged, or cannot be read or written. Every
            method may raise it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=30)
            is_ours = self._one("PRAGMA application_id") == APPLICATION_ID
            if not is_ours and self._one("SELECT count(*) FROM sqlite_master"):
                self._database.close()
                raise MirrorError(path, "is not a mirror of simsearch")
            if not is_ours:
                self._database.executescript(SCHEMA)
            elif not self._one("SELECT count(*) FROM sqlite_master WHERE name = 'missing'"):
                self._add_tables()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add_tables(self) -> None:
        """Add the tables that a mirror of an earlier version lacks, unless it is read-only."""
        try:
            self._database.executescript(f"BEGIN IMMEDIATE; {ABSENCE} COMMIT;")
        except sqlite3.OperationalError as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            if error.sqlite_errorcode & 0xFF not in _CANNOT_WRITE:
                raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def n_records(self) -> int:
        """The number of studies in the mirror."""
        return int(self._one("SELECT count(*) FROM record"))

    def n_updated_since(self, date: str) -> int:
        """Return the number of studies whose last update was posted on or after an ISO date."""
        return int(self._one("SELECT count(*) FROM record WHERE last_update >= ?", date))

    def window(self, query: str, name: str) -> Window:
        """Return how far the fetch of a range has come; a new `Window` if it has not begun."""
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
        """Store the records of a page together with the position to resume from, or neither."""
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
        """Store records, all or none; an older record never replaces a newer one."""
        now = _now()
        with self._transaction():
            for record in records:
                self._put(record, now)

    def restart_window(self, query: str, name: str, *, only_done: bool = False) -> None:
        """Forget how far a range has come; its records stay.

        Args:
            query: the scope, as its key.
            name: the range.
            only_done: do so only if the range is done.
        """
        if only_done and not self.window(query, name).done:
            return
        with self._transaction():
            for table in ("window", "window_study"):
                self._database.execute(
                    f"DELETE FROM {table} WHERE query = ? AND name = ?", (query, name)
                )

    def finish(self, query: str, synced: str) -> None:
        """Store that a query is complete to a date (ISO) of the registry's data."""
        with self._transaction():
            self._database.execute("INSERT OR REPLACE INTO scope VALUES (?, ?)", (query, synced))
            for table in ("window", "window_study"):
                self._database.execute(f"DELETE FROM {table} WHERE query = ?", (query,))

    def scopes(self) -> list[tuple[str, str]]:
        """Return each completed query with the date to which it is complete."""
        return self._rows("SELECT query, synced FROM scope ORDER BY query")

    def oldest_checked(self, limit: int) -> list[str]:
        """Return the `limit` NCT IDs whose last check in the registry is the longest ago."""
        return [
            nct_id
            for (nct_id,) in self._rows(
                "SELECT nct_id FROM record ORDER BY checked, nct_id LIMIT ?", limit
            )
        ]

    def mark_seen(self, nct_ids: Sequence[str]) -> None:
        """Store that these studies are in the registry now."""
        now = _now()
        with self._transaction():
            self._database.executemany(
                "UPDATE record SET checked = ? WHERE nct_id = ?", [(now, each) for each in nct_ids]
            )
            self._database.executemany(
                "DELETE FROM missing WHERE nct_id = ?", [(each,) for each in nct_ids]
            )

    def missing(self) -> list[Missing]:
        """Return the studies that the last check of each did not find, the longest absent first."""
        rows = self._rows("SELECT nct_id, since, became FROM missing ORDER BY since, nct_id")
        return [Missing(*row) for row in rows]

    def mark_missing(self, nct_id: str, became: str = "") -> Missing:
        """Store that a check did not find a study.

        Args:
            nct_id: the study.
            became: the study that it seems to be merged into, if any.

        Returns:
            Since when that is so: since now, unless the check before found the same.
        """
        with self._transaction():
            self._database.execute(
                "INSERT INTO missing VALUES (?, ?, ?) ON CONFLICT (nct_id) DO UPDATE SET "
                "since = excluded.since, became = excluded.became WHERE became <> excluded.became",
                (nct_id, _now(), became),
            )
        row = "SELECT nct_id, since, became FROM missing WHERE nct_id = ?"
        return Missing(*self._rows(row, nct_id)[0])

    def bury(self, nct_id: str, became: str = "", since: str = "") -> None:
        """Replace a study that has left the registry with a tombstone.

        Args:
            nct_id: the study.
            became: the study that it was merged into, if any.
            since: when it was first found missing (ISO); empty for now.
        """
        with self._transaction():
            self._database.execute("DELETE FROM record WHERE nct_id = ?", (nct_id,))
            self._database.execute("DELETE FROM missing WHERE nct_id = ?", (nct_id,))
            self._database.execute(
                "INSERT OR IGNORE INTO tombstone VALUES (?, ?, ?)",
                (nct_id, (since or _now())[:10], became),
            )

    def oldest_tombstones(self) -> list[str]:
        """Return the NCT IDs of all tombstones, those checked the longest ago first."""
        rows = self._rows(
            "SELECT tombstone.nct_id FROM tombstone LEFT JOIN tombstone_check USING (nct_id) "
            "ORDER BY coalesce(checked, ''), tombstone.nct_id"
        )
        return [nct_id for (nct_id,) in rows]

    def mark_absent(self, nct_ids: Sequence[str]) -> None:
        """Store that the studies of these tombstones are not in the registry now either."""
        now = _now()
        with self._transaction():
            self._database.executemany(
                "INSERT OR REPLACE INTO tombstone_check VALUES (?, ?)",
                [(each, now) for each in nct_ids],
            )

    def records(self) -> Iterator[bytes]:
        """Yield the raw records in the order of their NCT IDs."""
        last = ""
        while rows := self._rows(  # by the thousand, so that a fetch does not wait for a reader
            "SELECT nct_id, body FROM record WHERE nct_id > ? ORDER BY nct_id LIMIT 1000", last
        ):
            last = rows[-1][0]
            with self._errors():
                bodies = [zlib.decompress(body) for _, body in rows]
            yield from bodies

    def tombstones(self) -> list[tuple[str, str, str]]:
        """Return (NCT ID, since, became) of each study that has left the registry; see `Gone`."""
        return self._rows("SELECT nct_id, since, became FROM tombstone ORDER BY nct_id")

    def _put(self, record: MirroredRecord, now: str) -> None:
        self._database.execute(
            "INSERT INTO record VALUES (?, ?, ?, ?, ?) ON CONFLICT (nct_id) DO UPDATE SET "
            "last_update = excluded.last_update, fetched = excluded.fetched, "
            "checked = excluded.checked, body = excluded.body "
            "WHERE excluded.last_update >= last_update",
            (record.nct_id, record.last_update, now, now, zlib.compress(record.body)),
        )
        for table in ("missing", "tombstone", "tombstone_check"):
            self._database.execute(f"DELETE FROM {table} WHERE nct_id = ?", (record.nct_id,))

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
