"""Small tools that every folder uses: files written whole, readable JSON, batches of values."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from simsearch.errors import one_line

Value = TypeVar("Value")


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def spreadsheet_safe(cell: Any) -> Any:
    """Return a cell of a CSV that no spreadsheet runs as a formula: a text gets an apostrophe."""
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{cell}"
    return cell


def html_safe(text: str) -> str:
    """Return a text for HTML or SVG: what would be markup is escaped, what nobody sees a blank."""
    return escape(one_line(text))


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that replaces `path`, synced to disk, if the block succeeds.

    It is written as `NAME.part` in the same folder, so that nobody ever reads half a file: an
    error or a crash leaves `path` as it was. The folder's entry is not synced. A symbolic link is
    followed; a device (`/dev/stdout`) is written directly.

    Raises:
        OSError: a write failed.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        with target.open("wb") as file:
            yield file
        return
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def pretty_json(value: Any) -> str:
    """Return a value as indented JSON that ends with a line break."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def batches(values: Iterable[Value], size: int) -> Iterator[list[Value]]:
    """Yield the values in lists of `size`; the last list may be shorter."""
    batch: list[Value] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
