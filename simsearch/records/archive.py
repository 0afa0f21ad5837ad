"""Zip archives; any damage raises `zipfile.BadZipFile`.

The standard library raises half a dozen other exceptions for a damaged archive.
"""

from __future__ import annotations

import io
import struct
import zipfile
from typing import IO, cast

from simsearch.records.outcomes import Stream

_DAMAGE = (ValueError, OverflowError, struct.error, RuntimeError, NotImplementedError)


def open_archive(file: IO[bytes] | Stream) -> zipfile.ZipFile:
    """Open a seekable file as a zip.

    Raises:
        zipfile.BadZipFile: it is damaged, or uses a feature that is not supported.
    """
    try:
        return zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise zipfile.BadZipFile(f"damaged zip: {error}") from error


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> io.BufferedReader:
    """Open a member for reading, with `peek`.

    Raises:
        zipfile.BadZipFile: it is damaged, encrypted, or compressed by an unknown method.
    """
    try:
        unpacked = archive.open(member)
    except _DAMAGE as error:
        raise zipfile.BadZipFile(str(error)) from error
    return cast("io.BufferedReader", io.BufferedReader(cast("io.RawIOBase", unpacked)))
