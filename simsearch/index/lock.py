"""Locks: one process writes to an index, or to a file of lists; any number read.

A lock is one of the operating system, on DIR/.lock or FILE.lock, so it is released when its
process ends, however that happens. DIR/.lock.owner tells people who holds that of an index.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import getpass
import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from simsearch.callbacks import Log, no_log
from simsearch.errors import IndexBusyError, RelatedBusyError, RelatedFileError

_LOCK, _OWNER = ".lock", ".lock.owner"


def user_name() -> str:
    """Return the login name; `unknown` for a user without one, as in a container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


class _Owner(msgspec.Struct, frozen=True):
    """The process that holds a lock; `since` is a time, UTC."""

    process: int
    host: str
    user: str
    since: str

    @classmethod
    def of_this_process(cls) -> _Owner:
        """Return this process as an owner."""
        since = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
        return cls(os.getpid(), socket.gethostname(), user_name(), since)

    @property
    def is_alive(self) -> bool:
        """Whether that process may still be running; on another host it may."""
        if self.host != socket.gethostname() or os.name == "nt":
            return True
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except (OSError, OverflowError):  # it is another user's
            return True
        return True

    def __str__(self) -> str:
        return f"process {self.process} of {self.user} on {self.host} since {self.since}"


@contextmanager
def write_lock(index: Path, wait: float = 0, say: Log = no_log) -> Iterator[None]:
    """Hold the lock of an index, whose folder must exist.

    Args:
        index: the folder.
        wait: how many seconds to wait for another process; 0 for not at all, infinity for as
            long as it takes.
        say: called once, with a line that names the process waited for.

    Raises:
        IndexBusyError: another process holds it, and still did at the end of the wait.
        OSError: a write failed.
    """
    with _acquired(index, wait, say):
        owner = index / _OWNER
        owner.write_bytes(msgspec.json.encode(_Owner.of_this_process()))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                owner.unlink()


@contextmanager
def output_lock(output: Path) -> Iterator[None]:
    """Hold the lock of an output file, FILE.lock beside it, which is removed at the end.

    Raises:
        RelatedBusyError: another process holds it.
        RelatedFileError: the lock cannot be written.
    """
    import filelock

    path = output.with_name(output.name + _LOCK)
    lock = filelock.FileLock(path, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise RelatedBusyError(str(output)) from error
    except OSError as error:
        raise RelatedFileError(str(path), f"cannot be locked: {error.strerror or error}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows does not remove what is open
            path.unlink()  # before the release: whoever waits for it then sees that it is gone
        lock.release()


@contextmanager
def folder_lock(folder: Path, wait: float) -> Iterator[None]:
    """Hold the lock of any folder, DIR/.lock, which stays.

    Args:
        folder: it must exist.
        wait: how many seconds to wait for another process.

    Raises:
        TimeoutError: another process holds it, and still did at the end of the wait.
        OSError: the lock cannot be written.
    """
    import filelock

    lock = filelock.FileLock(folder / _LOCK)
    lock.acquire(timeout=wait)
    try:
        yield
    finally:
        lock.release()


def wait_until_free(index: Path, wait: float, say: Log = no_log) -> None:
    """Return when no process is writing to an index: call it before costly preparations.

    Args:
        index: the folder; it need not exist.
        wait: as in `write_lock`.
        say: as in `write_lock`.

    Raises:
        IndexBusyError: another process is writing, and still was at the end of the wait.
    """
    with contextlib.suppress(OSError):  # a folder that cannot be written is reported later
        if (index / _LOCK).is_file():
            with _acquired(index, wait, say):
                pass


@contextmanager
def _acquired(index: Path, wait: float, say: Log) -> Iterator[None]:
    import filelock

    lock = filelock.FileLock(index / _LOCK)
    try:
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            if wait <= 0:
                raise
            limit = "" if wait == math.inf else f" ({wait:g} s at most)"
            owner = _owner(index) or "another process"
            say(f"waiting for {owner}, which is writing {index}{limit}")
            lock.acquire(timeout=-1 if wait == math.inf else wait)
    except filelock.Timeout as error:
        raise IndexBusyError(index, _owner(index)) from error
    try:
        yield
    finally:
        lock.release()


def _owner(index: Path) -> str:
    """Return who holds the lock, or `""` if that is not known, as after a process that died."""
    try:
        owner = msgspec.json.decode((index / _OWNER).read_bytes(), type=_Owner)
    except (OSError, msgspec.MsgspecError):
        return ""
    return str(owner) if owner.is_alive else ""
