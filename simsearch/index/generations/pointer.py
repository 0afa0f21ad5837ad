"""CURRENT, the file that names the current generation: read, and switched."""

from __future__ import annotations

import contextlib
from pathlib import Path

from simsearch.errors import IndexReadError
from simsearch.files import written_whole
from simsearch.index.directory import POINTER, is_index, pointed
from simsearch.index.generations.writing import sync


def current(index: Path) -> str:
    """Return the current generation; `""` if there is none, or the pointer is damaged.

    Raises:
        OSError: the pointer cannot be read now, so that it is not known what must be kept.
    """
    try:
        return pointed(index) if is_index(index) else ""
    except IndexReadError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        return ""  # a rebuild repairs it


def switch_to(index: Path, name: str) -> None:
    """Make a generation current, synced to disk.

    Raises:
        OSError: the disk refused; the generation that was current is so again.
    """
    pointer = index / POINTER
    before = pointer.read_bytes() if pointer.is_file() else None
    _write(pointer, name.encode() + b"\n")
    try:
        sync(index)
    except OSError:
        with contextlib.suppress(OSError):
            if before is None:
                pointer.unlink()
            else:
                _write(pointer, before)
        raise


def _write(pointer: Path, text: bytes) -> None:
    with written_whole(pointer) as file:
        file.write(text)
