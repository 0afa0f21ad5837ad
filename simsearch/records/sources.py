"""Files, folders, archives and standard input → studies.

One walk serves all forms: it unpacks archives and compressed files, and passes each content to
the reader that recognises its first bytes. A reader is a module with `recognises(head)` and
`read(stream, place, draft=False)`; adding a form means adding one to `recognise.READERS`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from isal import isal_zlib

from simsearch.errors import SourceError
from simsearch.records import aact_reader, aact_tables, json_reader
from simsearch.records.archive import Folder, open_archive, open_member
from simsearch.records.foreign import foreign_archive
from simsearch.records.gzip_members import GZIP, Unpacked
from simsearch.records.mirror import Mirror, is_mirror
from simsearch.records.outcomes import (
    MAX_DOCUMENT_BYTES,
    Gone,
    Notice,
    NotRecordsError,
    Outcome,
    Rejected,
    SourceFile,
    Stream,
)
from simsearch.records.recognise import BOM, reader_of, text_outcomes, why_not
from simsearch.study import Study

_BUFFER_BYTES = 2**18  # of unpacked gzip
_MAX_NESTING = 4
_STREAM_HEAD_BYTES = 2**16
_ZIP, _EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
_BROKEN_STREAM: tuple[type[Exception], ...] = (
    EOFError, gzip.BadGzipFile, zlib.error, cast("type[Exception]", isal_zlib.error),
    zipfile.BadZipFile, OSError,
)  # fmt: skip


class _AactFoundError(Exception):
    """A source holds AACT's tables."""


class SourceWalk:
    """Iterator over the contents of one source.

    `bytes_read` and `bytes_total` count bytes on disk, of compressed files too. `description` is
    complete once the iteration has ended.

    Args:
        source: path of a file or folder, or `-` for standard input.
        draft: whether a record may lack its NCT ID.

    Raises:
        SourceError: the source does not exist, cannot be read, or is an empty folder.
    """

    def __init__(self, source: str | os.PathLike[str], *, draft: bool = False) -> None:
        self._draft = draft
        self._left_out: list[Path] = []
        self._checking = False
        self.name = os.fspath(source)
        self._is_stream = self.name == "-" or _is_stream(Path(self.name))
        self._finished = 0
        self._position: Callable[[], int] = lambda: 0
        self._digest = hashlib.sha256()
        self._paths = [] if self._is_stream else self._list(Path(self.name))
        self._n_files = 1 if self._is_stream else len(self._paths)
        self.bytes_total = sum(path.stat().st_size for path in self._paths)

    @property
    def bytes_read(self) -> int:
        """How many of the `bytes_total` bytes have been read."""
        return min(self._finished + self._position(), self.bytes_total)

    @property
    def description(self) -> SourceFile:
        """Name, size and digest of the source."""
        plain = os.fsencode(self.name).decode("utf-8", "replace")
        name = "standard input" if self.name == "-" else plain
        return SourceFile(name, self._n_files, self.bytes_total, self._digest.hexdigest())

    def check(self) -> bool:
        """Return whether the source holds a study, or may: a pipe can be read only once.

        Reading ends at the first study; of AACT's tables, which must all be read before that,
        only the names count.

        Raises:
            SourceError: the source cannot be read.
        """
        if self._is_stream:
            return True
        self._checking = True
        try:
            return any(isinstance(outcome, Study) for outcome in self)
        except _AactFoundError:
            return True
        finally:
            self._checking = False
            self._position = lambda: 0

    def __iter__(self) -> Iterator[Outcome]:
        """Yield the studies of the source, and what is wrong with it, in its own order.

        Raises:
            SourceError: the source cannot be read to its end.
        """
        self._digest = hashlib.sha256()
        self._finished = 0
        if self._is_stream:
            yield from self._spooled()
            return
        folder = Path(self.name) if os.path.isdir(self.name) else None  # noqa: PTH112 - raises nothing
        for path in self._left_out:
            yield Notice(str(path), "left out: it is a link to a folder, a broken link or a pipe")
        tables = aact_tables.folders(self._paths) if folder else {}
        for path in self._paths:
            place = str(path)
            try:
                with path.open("rb") as file:
                    self._digest_file(file, str(path.relative_to(folder)) if folder else "")
                    if path.parent in tables:
                        yield from self._table(path, tables[path.parent])
                        continue
                    if is_mirror(path):
                        yield from self._mirror(path)
                        continue
                    yield from self._whole_file(file, place, alone=folder is None)
            except OSError as error:
                raise SourceError(place, error.strerror or "cannot be read") from error

    def _list(self, path: Path) -> list[Path]:
        try:
            if not path.exists():
                raise SourceError(self.name, "no such file or folder")
            if not path.is_dir():
                return [path]
            files = [
                Path(folder, name)
                for folder, folders, names in os.walk(path, onerror=_raise)
                for name in (*names, *(each for each in folders if Path(folder, each).is_symlink()))
                if not _is_hidden(Path(folder, name).relative_to(path).as_posix())
            ]
            self._left_out = sorted(file for file in files if not file.is_file())
            files = [file for file in files if file.is_file()]
        except OSError as error:
            raise SourceError(self.name, error.strerror or "cannot be read") from error
        if not files:
            raise SourceError(self.name, "the folder is empty")
        return sorted(files)

    def _table(self, path: Path, names: list[str]) -> Iterator[Outcome]:
        """Read the folder of AACT's tables when its first file comes; each file is read once."""
        if path.name == names[0]:
            yield from self._joined(Folder(path.parent, names), str(path.parent))
        self._finished += path.stat().st_size

    def _joined(self, archive: zipfile.ZipFile | Folder, place: str) -> Iterator[Outcome]:
        if self._checking:
            raise _AactFoundError
        yield from aact_reader.read_archive(archive, place)

    def _mirror(self, path: Path) -> Iterator[Outcome]:
        """Read a mirror: its records, then its tombstones."""
        size = path.stat().st_size
        with Mirror(path) as mirror:
            n_records = mirror.n_records
            n = 0
            self._position = lambda: size * n // max(n_records, 1)
            for n, body in enumerate(mirror.records(), start=1):
                yield from json_reader.study_outcomes(body, f"{path} record {n:,}")
            for tombstone in mirror.tombstones():
                yield Gone(*tombstone)
        self._position = lambda: 0
        self._finished += size

    def _spooled(self) -> Iterator[Outcome]:
        """Copy standard input or a pipe to disk first, because a zip is read from its end."""
        place = self.description.name
        with tempfile.TemporaryFile() as file:
            try:
                if self.name == "-" and sys.stdin is None:
                    raise SourceError(place, "is closed")
                if self.name == "-":
                    self._copy(sys.stdin.buffer, file)
                else:
                    with Path(self.name).open("rb") as stream:
                        self._copy(stream, file)
            except OSError as error:
                raise SourceError(place, error.strerror or "cannot be read") from error
            self.bytes_total = file.tell()
            file.seek(0)
            self._digest_file(file, "")
            yield from self._whole_file(file, place, alone=True)

    def _copy(self, stream: IO[bytes], file: IO[bytes]) -> None:
        """Copy a stream to a file, unless its first bytes or its length are not of records.

        Raises:
            SourceError: they are not; some streams, such as /dev/zero, never end.
        """
        place = self.description.name
        head = stream.read(_STREAM_HEAD_BYTES)
        text = head.removeprefix(BOM).lstrip(b" \t\r\n")
        packed = text.startswith((GZIP, _ZIP, _EMPTY_ZIP, b"<"))
        if text and not packed and not reader_of(text):
            raise SourceError(place, why_not(text, draft=self._draft))
        file.write(head)
        if not self._draft:
            shutil.copyfileobj(stream, file)
            return
        file.write(stream.read(MAX_DOCUMENT_BYTES))
        if file.tell() > MAX_DOCUMENT_BYTES:
            raise SourceError(place, f"is longer than {MAX_DOCUMENT_BYTES:,} bytes")

    def _digest_file(self, file: IO[bytes], relative_name: str) -> None:
        """Add a file to the digest of a folder; for a single file that is its plain SHA-256."""
        if self._checking:
            return
        digest = hashlib.file_digest(cast("io.BufferedReader", file), "sha256")
        if relative_name:
            self._digest.update(os.fsencode(relative_name))
            self._digest.update(f"\0{digest.hexdigest()}\n".encode())
        else:
            self._digest = digest
        file.seek(0)

    def _whole_file(self, file: IO[bytes], place: str, *, alone: bool) -> Iterator[Outcome]:
        size = os.fstat(file.fileno()).st_size
        self._position = file.tell
        try:
            yield from self._content(cast("Stream", file), place, depth=0)
        except NotRecordsError as error:
            if alone:
                raise SourceError(place, str(error)) from None
            yield Notice(place, f"left out: {error}")
        except _BROKEN_STREAM as error:
            if isinstance(error, PermissionError):
                raise
            raise SourceError(place, f"cannot be read to its end: {error}") from error
        self._position = lambda: 0
        self._finished += size

    def _content(self, stream: Stream, place: str, depth: int) -> Iterator[Outcome]:
        """Unpack the stream if its first bytes are those of an archive; pass text to a reader."""
        head = stream.peek(4)
        if depth > _MAX_NESTING:
            raise NotRecordsError("it consists of archives nested too deeply")
        if head.startswith(GZIP):
            unpacked = Unpacked(stream)
            buffered = io.BufferedReader(unpacked, _BUFFER_BYTES)
            yield from self._content(cast("Stream", buffered), place, depth + 1)
            if unpacked.has_junk:
                yield Notice(place, "left out: the bytes after the compressed data")
        elif head.startswith((_ZIP, _EMPTY_ZIP)):
            yield from self._zip(stream, place, depth)
        else:
            yield from self._text(stream, place)

    def _text(self, stream: Stream, place: str) -> Iterator[Outcome]:
        yield from text_outcomes(stream, place, draft=self._draft)

    def _zip(self, stream: Stream, place: str, depth: int) -> Iterator[Outcome]:
        if depth:  # a zip within an archive is copied to disk, because it is read from its end
            spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
            shutil.copyfileobj(stream, spool)
            seekable: IO[bytes] | Stream = spool
        else:
            seekable = stream
        try:
            with open_archive(seekable) as archive:
                names = archive.namelist()
                if reason := aact_tables.refusal(names) or foreign_archive(names):
                    raise NotRecordsError(reason)
                if aact_tables.recognises_archive(names):
                    yield from self._joined(archive, place)
                else:
                    yield from self._members(archive, place, depth)
        finally:
            if depth:
                seekable.close()

    def _members(self, archive: zipfile.ZipFile, place: str, depth: int) -> Iterator[Outcome]:
        read = 0
        if not depth:
            self._position = lambda: read
        for member in archive.infolist():
            member_place = f"{place}!{member.filename}"
            if member.filename.endswith("/") or _is_hidden(member.filename):
                continue
            try:
                with open_member(archive, member) as unpacked:
                    yield from self._content(unpacked, member_place, depth + 1)
            except NotRecordsError as error:
                yield Notice(member_place, f"left out: {error}")
            except _BROKEN_STREAM as error:
                yield Rejected(
                    member_place, "", f"the member of the zip cannot be unpacked: {error}"
                )
            read += member.compress_size


def _is_stream(path: Path) -> bool:
    """Return whether a path is a pipe, socket or device, which can be read only once."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _raise(error: OSError) -> None:
    raise error


def _is_hidden(name: str) -> bool:
    """Return whether a file is hidden, or left by a system in an archive, such as __MACOSX/."""
    parts = PurePosixPath(name).parts
    return any(
        (part.startswith(".") and part not in {".", ".."}) or part == "__MACOSX" for part in parts
    )
