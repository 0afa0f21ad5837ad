"""Names that mean the same, as the records of an index use them: `synonyms.json`.

A build finds them (build/names_found.py): *keytruda* is *pembrolizumab*, *tdcs* is *transcranial
direct current stimulation*. A query by text looks its words up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np

from simsearch.errors import IndexCorruptError
from simsearch.index.terms.words import plain

SYNONYMS_FILE = "synonyms.json"
"""The file of a generation; older generations have none."""

LONGEST_NAME = 6
"""The most words of a name."""

_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_LETTERS = re.compile(r"[a-z]{1,6}")
_NUMBER = re.compile(r"\d{2,}[a-z]?")


class Synonym(msgspec.Struct, frozen=True, array_like=True):
    """One name, what it means, and how many studies say so."""

    key: str
    """`name_key` of the name."""
    name: str
    """As most of the studies write it."""
    means_key: str
    means: str
    studies: int


class Synonyms:
    """The synonyms of an index, by `name_key`.

    Args:
        found: each name once.
    """

    def __init__(self, found: Iterable[Synonym]) -> None:
        self._by_key: dict[str, Synonym] = {}
        self._others: dict[str, list[Synonym]] = {}
        for each in found:
            self._by_key[each.key] = each
            self._others.setdefault(each.means_key, []).append(each)

    def __len__(self) -> int:
        return len(self._by_key)

    def meaning(self, key: str) -> Synonym | None:
        """Return what a name means; None if nothing else is known for it."""
        return self._by_key.get(key)

    def others(self, key: str) -> list[Synonym]:
        """Return the other names of what has this key, the best known first."""
        return sorted(self._others.get(key, ()), key=lambda each: (-each.studies, each.name))


def name_key(name: str) -> str:
    """Return a name as it is looked up: its words in one spelling, a code as one of them.

    `AMG-145`, `AMG 145` and `amg145` have the same key.
    """
    return " ".join(words_of_name(name))


@lru_cache(maxsize=2**16)
def words_of_name(name: str) -> tuple[str, ...]:
    """Return the words of the key of a name."""
    found: list[str] = []
    for word in _WORD.findall(_POSSESSIVE.sub("", name.casefold())):
        if found and _NUMBER.fullmatch(word) and _LETTERS.fullmatch(found[-1]):
            found[-1] += word
        else:
            found.append(plain(word))
    return tuple(found)


def write_synonyms(folder: Path, found: Iterable[Synonym]) -> None:
    """Write the file of a generation.

    Raises:
        OSError: it cannot be written.
    """
    rows = sorted(found, key=lambda each: each.key)
    lines = (msgspec.json.encode(each).decode() for each in rows)
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    (folder / SYNONYMS_FILE).write_text(text, encoding="utf-8")


class SynonymsFile:
    """The file of a generation, mapped when the index is opened and read when it is needed.

    Args:
        folder: of the generation.
        sha256: of the file, as the manifest has it.

    Raises:
        IndexCorruptError: the file is missing.
    """

    def __init__(self, folder: Path, sha256: str) -> None:
        self._path = folder / SYNONYMS_FILE
        self._sha256 = sha256
        try:
            self._bytes = np.memmap(self._path, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise IndexCorruptError(self._path, "is not a file") from error

    def read(self) -> Synonyms:
        """Return the synonyms.

        Raises:
            IndexCorruptError: the file is damaged.
        """
        content = self._bytes.tobytes()
        if hashlib.sha256(content).hexdigest() != self._sha256:
            raise IndexCorruptError(self._path, "does not match its checksum")
        try:
            found = msgspec.json.decode(content, type=list[Synonym])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise IndexCorruptError(self._path, str(error)) from error
        if not all(f"{each.name}{each.means}".isprintable() for each in found):
            raise IndexCorruptError(self._path, "it holds what is no name")
        return Synonyms(found)
