"""Text files that people make, such as lists of NCT IDs: read whole, up to a length."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

MAX_LIST_BYTES = 64 * 2**20
"""The longest such file: ten times the list of all NCT IDs of the registry."""


class TooLongError(Exception):
    """The file is longer than such a file can be; the message is the reason of another error."""


def short_text(source: Path | BinaryIO) -> str:
    """Return the text of a file in UTF-8, without a byte order mark.

    Args:
        source: its path, or the file itself.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8 text.
        TooLongError: it is longer than `MAX_LIST_BYTES`, as a device such as /dev/zero always is.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return short_text(file)
    content = source.read(MAX_LIST_BYTES + 1)
    if len(content) > MAX_LIST_BYTES:
        raise TooLongError(f"is longer than {MAX_LIST_BYTES:,} bytes")
    return content.decode("utf-8-sig")
