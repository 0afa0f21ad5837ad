"""The journal of a run: finished batches in a file, from which a killed run is resumed.

`related.parquet.journal` lies beside its output: a line that identifies the job, then each
finished batch with its checksum, in the order in which they were finished.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from simsearch.errors import RelatedFileError
from simsearch.related.lists import Lists

_SUFFIX = ".journal"
_MAGIC = b"simsearch related journal "
_VERSION = b"2 "
_FRAME = np.dtype([("batch", "<i4"), ("bytes", "<i4"), ("checksum", "<u4")])
_LONGEST_HEAD = 1 << 16
_NUMBER = np.dtype(np.int32)


class Journal:
    """The finished batches of a job; without an output, nothing is written.

    Args:
        output: the file that the job writes, or None.
        job: identifies the job: a journal of another job is discarded.
        sizes: the number of studies in each batch.
        k: the number of neighbours of each study.
    """

    def __init__(self, output: Path | None, job: bytes, sizes: Sequence[int], k: int) -> None:
        self._path = output.with_name(output.name + _SUFFIX) if output else None
        self._head = _MAGIC + _VERSION + job + b"\n"
        self._sizes = sizes
        self._k = k
        self._file: Any = None
        self.finished: set[int] = set()
        """The numbers of the batches in the journal, once they have been read or added."""

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the file, creating it if necessary; remove it at the end if it is empty.

        Raises:
            RelatedFileError: the file cannot be written, or is not a journal.
        """
        if self._path is None:
            yield
            return
        try:
            with self._path.open("a+b") as self._file:
                yield
        except OSError as error:
            raise RelatedFileError(
                str(self._path), f"cannot be written: {error.strerror or error}"
            ) from error
        finally:
            with suppress(OSError):
                if not self._path.stat().st_size:
                    self._path.unlink()

    def read(self) -> Iterator[tuple[int, Lists]]:
        """Yield the number and the lists of each intact batch; cut off whatever follows them.

        Raises:
            RelatedFileError: the file is not a journal.
        """
        if self._file is None:
            return
        self._file.seek(0)
        head = self._file.readline(_LONGEST_HEAD)
        if head and not head.startswith(_MAGIC):
            raise RelatedFileError(str(self._path), "is not a journal: move it away")
        if head != self._head:
            self._file.truncate(0)
            return
        intact = self._file.tell()
        while (found := self._next_batch()) is not None:
            intact = self._file.tell()
            self.finished.add(found[0])
            yield found
        self._file.truncate(intact if self.finished else 0)

    def add(self, number: int, lists: Lists) -> None:
        """Append a batch and sync it to disk."""
        self.finished.add(number)
        if self._file is not None:
            body = lists.rows.tobytes() + lists.parts.tobytes()
            frame = np.array([(number, len(body), zlib.crc32(body))], dtype=_FRAME)
            head = b"" if self._file.seek(0, os.SEEK_END) else self._head
            self._file.write(head + frame.tobytes() + body)
            self._file.flush()
            os.fsync(self._file.fileno())

    def remove(self) -> None:
        """Remove the file."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _next_batch(self) -> tuple[int, Lists] | None:
        """Return the next batch, or None if there is none or it is damaged."""
        frame = self._file.read(_FRAME.itemsize)
        if len(frame) < _FRAME.itemsize:
            return None
        number, size, checksum = np.frombuffer(frame, dtype=_FRAME)[0].tolist()
        if not 0 <= number < len(self._sizes):
            return None
        shape = (2, self._sizes[number], self._k)
        if size != np.prod(shape) * _NUMBER.itemsize:
            return None
        body = self._file.read(size)
        if len(body) < size or zlib.crc32(body) != checksum:
            return None
        rows, parts = np.frombuffer(body, dtype=_NUMBER).reshape(shape)
        return number, Lists(rows, parts)
