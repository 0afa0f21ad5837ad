"""Which generations an index has: their names, their ranks, what is in each."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from simsearch.errors import (
    GenerationNameError,
    IndexNotFoundError,
    IndexReadError,
)
from simsearch.index.directory import (
    GENERATIONS,
    MANIFEST,
    is_index,
    open_generation,
    pointed,
    unreadable,
)
from simsearch.index.manifest import Manifest

# Left out when names are compared: 2026-11-23 10:43 stands for 20261123T104323Z-…
_SEPARATORS = str.maketrans("", "", "-: tz")


class Listed(msgspec.Struct, frozen=True):
    """A generation of an index, and what is wrong with it, if anything."""

    name: str
    current: bool
    """Whether it is the current one."""
    manifest: Manifest | None
    """None if it is damaged, or of another version."""
    bytes: int
    """Size of all its files; 0 without a manifest."""
    problem: str
    """Why it cannot be opened, or empty."""


def list_generations(index: Path) -> list[Listed]:
    """Return all generations of an index, the youngest first; the sizes of files are checked.

    Raises:
        IndexNotFoundError: the folder does not hold an index.
    """
    current = ""
    with contextlib.suppress(IndexReadError):
        current = pointed(index)
    return [_listed(index, name, current=name == current) for name in generation_names(index)]


def generation_names(index: Path) -> list[str]:
    """Return the names of all generations, the youngest first.

    Raises:
        IndexNotFoundError: the folder does not hold an index.
        IndexReadError: the folder of the generations cannot be read.
    """
    if not is_index(index):
        raise IndexNotFoundError(index)
    try:
        found = [path.name for path in (index / GENERATIONS).iterdir() if path.is_dir()]
    except OSError as error:
        raise unreadable(index / GENERATIONS, error) from error
    return sorted((name for name in found if not name.startswith(".")), reverse=True)


def named(index: Path, name: str) -> str:
    """Return the full name of the generation that a person means.

    Args:
        index: the folder.
        name: its name, or the start of it, with or without dashes, colons and blanks
            (`2026-11-23` for `20261123T104323Z-3af65b`); empty for the current generation.

    Raises:
        GenerationNameError: no generation has such a name, or several have.
        IndexReadError: the folder does not hold an index, or its pointer is damaged.
    """
    if not name:
        return pointed(index)
    there = generation_names(index)
    start = _plain(name)
    meant = [each for each in there if start and _plain(each).startswith(start)]
    if len(meant) != 1:
        raise GenerationNameError(index, name, there, meant)
    return meant[0]


def by_rank(index: Path) -> list[str]:
    """Return the names of all generations, those to keep longest first.

    Raises:
        IndexReadError: the pointer is damaged, so that the current one is not known.
        OSError: a manifest cannot be read now.
    """
    names = generation_names(index)
    ranked: list[str] = []
    name = pointed(index)
    while name in names and name not in ranked:
        ranked.append(name)
        name = previous_of(index, name)
    return ranked + [each for each in names if each not in ranked]


def previous_of(index: Path, name: str) -> str:
    """Return which generation was current when this one, of whatever version, was built."""

    class PreviousOnly(msgspec.Struct):
        previous: str

    try:
        text = (index / GENERATIONS / name / MANIFEST).read_bytes()
        return msgspec.json.decode(text, type=PreviousOnly).previous
    except (FileNotFoundError, msgspec.MsgspecError):
        return ""


def _plain(name: str) -> str:
    return name.casefold().translate(_SEPARATORS)


def _listed(index: Path, name: str, *, current: bool) -> Listed:
    try:
        generation = open_generation(index, name)
    except IndexReadError as error:
        return Listed(name, current, None, 0, str(error))
    return Listed(name, current, generation.manifest, generation.bytes, "")
