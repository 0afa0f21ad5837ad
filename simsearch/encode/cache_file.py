"""An SQLite file that may fail without harm: the cache of vectors is kept in one.

A file of another program is refused and not touched. A damaged cache is renamed, and a new one is
started. Anything else that goes wrong is a `CacheError`, after which a build continues without it.

The file uses SQLite's rollback journal. With WAL, readers could continue during a commit, but a
commit takes only milliseconds here, and WAL needs shared memory beside the file, which is missing
on network file systems (many home folders are on one) and in read-only folders.
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
_WAIT = 30  # seconds to wait while another process writes
_PAGES = 2_000  # free pages returned to the disk in one transaction
_COPIES = 2  # VACUUM writes the file twice: to the new file and to its journal
_DAMAGE = {
    sqlite3.SQLITE_ERROR,  # a table or column is missing
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
}


class CacheFile:
    """An open file. SQLite ensures that only one process writes at a time.

    Args:
        path: the file; created if it is missing.
        schema: the statements that create its tables.
        log: called with a line for a person when a damaged file is set aside.
        is_at_home: the path belongs to this cache alone, so a file without a readable header is
            a damaged cache, not the file of another program.
    """

    def __init__(self, path: Path, schema: str, log: Log, *, is_at_home: bool) -> None:
        self.path = path
        self.log = log
        self._schema = schema
        self._is_ours = is_at_home
        self._database: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def close(self) -> None:
        """Close the file; the next use reopens it."""
        if self._database is not None:
            self._database.close()
        self._database = None

    @property
    def size(self) -> int:
        """Size on disk, in bytes."""
        with self._errors():
            return self.path.stat().st_size

    def guarded(self, action: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run an action on the file; if the file is damaged, set it aside and run it on a new one.

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
        """Return the connection, opening or creating the file first if necessary."""
        if self._database is None:
            if self.path.exists() and not self.path.is_file():
                raise ForeignCacheError(self.path, "is not a file")
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
        """Provide the connection inside a transaction, rolled back on any error."""
        if _identity(self.path) != self._identity:  # deleted, or set aside by another process
            self.close()
        database = self.database()
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # after most failures, SQLite has rolled back already
                database.execute("ROLLBACK")
            raise

    def shrink(self, wanted: int) -> None:
        """Return free pages to the disk, and rewrite the file if it is still over `wanted` bytes.

        Free pages are returned in portions, for which little disk is needed. Rewriting needs a
        copy of the file and is skipped if the disk has no space for it.
        """
        before = None
        while (free := self._free_pages()) not in {0, before}:
            before = free
            # `execute` would return one page only.
            self.database().executescript(f"PRAGMA incremental_vacuum({_PAGES})")
        if wanted < self.size < shutil.disk_usage(self.path.parent).free / _COPIES:
            with suppress(sqlite3.OperationalError):  # no space for the copy, or file in use
                self.database().execute("VACUUM")

    def _free_pages(self) -> int:
        ((free,),) = self.database().execute("PRAGMA freelist_count").fetchall()
        return int(free)

    def _claim(self, database: sqlite3.Connection) -> None:
        """Check that the file is a cache; if it is empty, create the tables."""
        database.execute("BEGIN")  # read all three at once: another process may be creating them
        ((mark,),) = database.execute("PRAGMA application_id").fetchall()
        ((version,),) = database.execute("PRAGMA user_version").fetchall()
        ((n_tables,),) = database.execute("SELECT count(*) FROM sqlite_master").fetchall()
        database.execute("COMMIT")
        if mark != _APPLICATION_ID and (mark or n_tables):
            raise ForeignCacheError(self.path, "is not a simsearch cache")
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
        """Rename a damaged file, and delete the one that was set aside before it."""
        self.close()
        if _identity(self.path) != self._identity:  # another process has set it aside
            return
        if not (self._is_ours or _bears_mark(self.path)):
            raise ForeignCacheError(self.path, "is not a simsearch cache")
        for before in self.path.parent.glob(f"{glob.escape(self.path.name)}.damaged-*"):
            before.unlink(missing_ok=True)
        now = dt.datetime.now(dt.UTC)
        aside = f"{self.path.name}.damaged-{now:%Y%m%dT%H%M%SZ}"
        self.path.rename(self.path.with_name(aside))
        self.log(
            f"cache {self.path} is damaged ({reason}): renamed to {aside}, and a new one started"
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:  # a bug in this program
            raise
        except sqlite3.Error as error:
            raise CacheError(self.path, f"cannot be used ({error})") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise CacheError(self.path, f"cannot be used ({reason})") from error


def _bears_mark(path: Path) -> bool:
    """Return whether the header marks the file as a cache, whatever the rest contains."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(72)[68:], "big") == _APPLICATION_ID


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode, which distinguish a file from a later one of the same name."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Return whether an error means damage, rather than a file that is unusable for now."""
    if isinstance(error, sqlite3.ProgrammingError):
        return False
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # text not in UTF-8
    return code & 0xFF in _DAMAGE  # the higher bits are details
