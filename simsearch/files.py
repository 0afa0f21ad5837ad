"""Files written whole, JSON for people, and values in batches."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

Value = TypeVar("Value")


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write, which takes its place, synced to disk, when nothing went wrong.

    It is written beside its place, as `NAME.part`. A device (`/dev/stdout`) is written directly.

    Raises:
        OSError: the disk refuses; what stood there stays.
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
    """Return a value as indented JSON with a line end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def batches(values: Iterable[Value], size: int) -> Iterator[list[Value]]:
    """Yield values in lists of `size`, the last one as long as it comes."""
    batch: list[Value] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
