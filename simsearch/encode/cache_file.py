"""One SQLite file that may fail without harm: the ground that the cache of vectors stands on.

A file of something else is refused and left alone. A damaged one of ours is renamed and a
new one begun. Whatever else goes wrong is a `CacheError`, which a build can do without.

The file uses SQLite's rollback journal. WAL would let readers go on during a commit, but
a commit here takes some milliseconds, and WAL needs shared memory beside the file, which
network file systems lack (a home folder often is one), as do folders that are read-only.
"""

from __future__ import annotations

import datetime as dt
import glob
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from simsearch.callbacks import Log
from simsearch.errors import CacheError, ForeignCacheError

_P = ParamSpec("_P")
_T = TypeVar("_T")

_APPLICATION_ID = 0x51A5CACE
_VERSION = 1
_WAIT = 30  # seconds to wait for another process that writes
_PAGES = 2_000  # given back to the disk in one transaction
_COPIES = 2  # of the file, that VACUUM makes: the new one and the journal
_DAMAGE = {
    sqlite3.SQLITE_ERROR,  # a table or column is missing
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
}


class CacheFile:
    """An opened file. One process writes at a time; SQLite sees to it.

    Args:
        path: the file; made if it is missing.
        schema: the statements that make its tables.
        log: called with a notice where a damaged file is set aside.
        is_at_home: no other program's file can be at this path, so that one without a
            readable header is a damaged one of ours.
    """

    def __init__(self, path: Path, schema: str, log: Log, *, is_at_home: bool) -> None:
        self.path = path
        self.log = log
        self._schema = schema
        self._is_ours = is_at_home
        self._database: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._database is not None:
            self._database.close()
        self._database = None

    @property
    def size(self) -> int:
        """Size on disk in bytes."""
        with self._errors():
            return self.path.stat().st_size

    def guarded(self, action: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do something with the file; where it proves damaged, do it with a new one.

        Raises:
            ForeignCacheError: the file is something else.
            CacheError: the file cannot be opened, read or written.
        """
        with self._errors():
            try:
                return action(*args, **kwargs)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._set_aside(str(error))
            return action(*args, **kwargs)

    def database(self) -> sqlite3.Connection:
        """Return the connection, opening or making the file where that is still to do."""
        if self._database is None:
            if self.path.exists() and not self.path.is_file():
                raise ForeignCacheError(self.path, "is no file")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.path, isolation_level=None, timeout=_WAIT)
            try:
                self._identity = _identity(self.path)
                self._claim(database)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for changes that are made all or not at all."""
        if _identity(self.path) != self._identity:  # removed, or set aside by another process
            self.close()
        database = self.database()
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # most failures have rolled back by themselves
                database.execute("ROLLBACK")
            raise

    def shrink(self, wanted: int) -> None:
        """Give room back to the disk: free pages, then, above `wanted` bytes, half-full ones.

        Free pages go by the portion, for which little disk is needed. Half-full ones need
        a copy of the file, and stay where the disk has no room for it.
        """
        before = None
        while (free := self._free_pages()) not in {0, before}:
            before = free
            # One `execute` would give back one page.
            self.database().executescript(f"PRAGMA incremental_vacuum({_PAGES})")
        if wanted < self.size < shutil.disk_usage(self.path.parent).free / _COPIES:
            with suppress(sqlite3.OperationalError):  # the copy's folder is full, or others wait
                self.database().execute("VACUUM")

    def _free_pages(self) -> int:
        ((free,),) = self.database().execute("PRAGMA freelist_count").fetchall()
        return int(free)

    def _claim(self, database: sqlite3.Connection) -> None:
        """See that a file is ours, and make it so where it is empty."""
        database.execute("BEGIN")  # one view of all three, as another process may be making it
        ((mark,),) = database.execute("PRAGMA application_id").fetchall()
        ((version,),) = database.execute("PRAGMA user_version").fetchall()
        ((n_tables,),) = database.execute("SELECT count(*) FROM sqlite_master").fetchall()
        database.execute("COMMIT")
        if mark != _APPLICATION_ID and (mark or n_tables):
            raise ForeignCacheError(self.path, "is no cache of simsearch")
        if mark == _APPLICATION_ID and version != _VERSION:
            raise CacheError(self.path, "belongs to another version of simsearch")
        if mark != _APPLICATION_ID:
            database.executescript(
                "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; "
                f"BEGIN IMMEDIATE; {self._schema} "
                f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_VERSION}; "
                "COMMIT;"
            )
        self._is_ours = True

    def _set_aside(self, reason: str) -> None:
        """Rename a damaged file; the one that was set aside before makes room for it."""
        self.close()
        if _identity(self.path) != self._identity:  # another process has done so
            return
        if not (self._is_ours or _bears_mark(self.path)):
            raise ForeignCacheError(self.path, "is no cache of simsearch")
        for before in self.path.parent.glob(f"{glob.escape(self.path.name)}.damaged-*"):
            before.unlink(missing_ok=True)
        now = dt.datetime.now(dt.UTC)
        aside = f"{self.path.name}.damaged-{now:%Y%m%dT%H%M%SZ}"
        self.path.rename(self.path.with_name(aside))
        self.log(
            f"cache {self.path} is damaged ({reason}): it is now {aside}, and a new one is begun"
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:  # a mistake of ours
            raise
        except sqlite3.Error as error:
            raise CacheError(self.path, f"cannot be used ({error})") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise CacheError(self.path, f"cannot be used ({reason})") from error


def _bears_mark(path: Path) -> bool:
    """Tell a file of ours by the mark in its header, whatever became of the rest."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(72)[68:], "big") == _APPLICATION_ID


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another that took its name."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Tell damage from a file that cannot be used for now."""
    if isinstance(error, sqlite3.ProgrammingError):
        return False
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # text that is no UTF-8
    return code & 0xFF in _DAMAGE  # the other bits are details
