"""A folder of exported files: it takes its place when it is complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simsearch.errors import ExportError
from simsearch.index.directory import index_around

_MARKER = ".simsearch-export"


@contextmanager
def whole_folder(path: Path, kind: str) -> Iterator[Path]:
    """Give a folder to write into; it takes the place of `path` if the block succeeds.

    It is made beside `path`, so that a run that is killed leaves what was there before. An export
    of the same kind is replaced, an empty folder is filled, and anything else is refused.

    Args:
        path: the folder.
        kind: the command that exports: `postgres`, `opensearch` or `parquet`.

    Raises:
        ExportError: the folder holds something else, or cannot be written.
    """
    target = path.absolute()
    name = str(path)
    if around := index_around(target):
        raise ExportError(name, f"it lies in the index {around}: name a folder elsewhere")
    if not target.parent.is_dir():
        raise ExportError(name, f"it cannot be written: {target.parent} is not a folder")
    if target.exists() and not target.is_dir():
        raise ExportError(name, "it is a file: name a folder")
    part, old = (target.with_name(f".{target.name}.{end}") for end in ("part", "old"))
    if _marker_of(old) and not target.exists():
        old.rename(target)  # a run was killed between the two renames below
    marker = f"Files of `simsearch export {kind}`; the next one replaces them.\n"
    if target.is_dir() and any(target.iterdir()) and _marker_of(target) != marker:
        what = f"it holds something other than an export to {kind}: name a new folder"
        raise ExportError(name, what)
    try:
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)
        part.mkdir()
        (part / _MARKER).write_text(marker)
        yield part
        for file in part.iterdir():
            with file.open("rb") as written:
                os.fsync(written.fileno())
        if target.is_dir():
            target.rename(old)
        part.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ExportError(name, f"it cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _marker_of(folder: Path) -> str:
    try:
        return (folder / _MARKER).read_text(errors="replace")
    except OSError:
        return ""
