"""What every write to an index needs: its lock, syncing, and an error that names the disk's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simsearch.callbacks import Log
from simsearch.errors import ForeignFolderError, IndexNotFoundError, PublishError
from simsearch.index.directory import is_demo, is_index
from simsearch.index.lock import write_lock


@contextmanager
def locked_for_writing(index: Path, wait: float, say: Log) -> Iterator[None]:
    """Hold the lock of an existing index other than the demo.

    Raises:
        IndexNotFoundError: the folder does not hold an index.
        ForeignFolderError: it is the demo index.
        IndexBusyError: another process is writing there.
        PublishError: a write to the disk failed.
    """
    with disk_errors(index):
        if not is_index(index):
            raise IndexNotFoundError(index)
        if is_demo(index):
            raise ForeignFolderError(index, "is the demo index, which is never changed")
        with write_lock(index, wait, say):
            yield


@contextmanager
def disk_errors(index: Path) -> Iterator[None]:
    """Turn the disk's errors into a `PublishError`.

    Raises:
        PublishError: a write failed.
    """
    try:
        yield
    except OSError as error:
        raise PublishError(index, error.strerror or str(error)) from error


def sync(path: Path) -> None:
    """Sync a file, or the entries of a folder, to disk (folders where the system can)."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
