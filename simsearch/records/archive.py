"""Zip archives, and folders that are read like one; any damage raises `zipfile.BadZipFile`.

The standard library raises half a dozen other exceptions for a damaged archive.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol, cast

from simsearch.records.outcomes import Stream

_DAMAGE = (ValueError, OverflowError, struct.error, RuntimeError, NotImplementedError)


class Members(Protocol):
    """What is read like an archive."""

    def namelist(self) -> list[str]:
        """Return the names of the members."""

    def open(self, name: str) -> io.BufferedReader:
        """Open a member for reading."""


class Folder:
    """The files of a folder, as the members of an archive.

    Args:
        path: the folder.
        names: of the files that count.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._names = list(names)

    def namelist(self) -> list[str]:
        """Return the names of the files."""
        return self._names

    def open(self, name: str) -> io.BufferedReader:
        """Open a file for reading."""
        return (self._path / name).open("rb")


def open_archive(file: IO[bytes] | Stream) -> zipfile.ZipFile:
    """Open a seekable file as a zip.

    Raises:
        zipfile.BadZipFile: it is damaged, or uses a feature that is not supported.
    """
    try:
        return zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise zipfile.BadZipFile(f"damaged zip: {error}") from error


def open_member(
    archive: zipfile.ZipFile | Members, member: zipfile.ZipInfo | str
) -> io.BufferedReader:
    """Open a member for reading, with `peek`.

    Raises:
        zipfile.BadZipFile: it is damaged, encrypted, or compressed by an unknown method.
    """
    if not isinstance(archive, zipfile.ZipFile):
        return archive.open(str(member))
    try:
        unpacked = archive.open(member)
    except _DAMAGE as error:
        raise zipfile.BadZipFile(str(error)) from error
    return cast("io.BufferedReader", io.BufferedReader(cast("io.RawIOBase", unpacked)))
