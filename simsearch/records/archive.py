"""Zip archives, whose damage always shows as `zipfile.BadZipFile`.

The standard library lets a damaged archive surface as half a dozen other exceptions.
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
        zipfile.BadZipFile: it is damaged, or made in a way that is not understood.
    """
    try:
        return zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise zipfile.BadZipFile(f"damaged zip: {error}") from error


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> io.BufferedReader:
    """Open a member for reading, its next bytes to be looked at.

    Raises:
        zipfile.BadZipFile: it is damaged, encrypted, or compressed in an unknown way.
    """
    try:
        unpacked = archive.open(member)
    except _DAMAGE as error:
        raise zipfile.BadZipFile(str(error)) from error
    return cast("io.BufferedReader", io.BufferedReader(cast("io.RawIOBase", unpacked)))
