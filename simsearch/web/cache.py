"""Answers given before, by generation and question."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import msgspec

Headers = list[tuple[bytes, bytes]]

_LARGEST_SHARE = 16  # of the cache, that one answer may take


class Kept(msgspec.Struct, frozen=True):
    """An answer: its headers and its body."""

    headers: Headers
    body: bytes


class AnswerCache:
    """The answers asked for last, up to so many bytes; those of one event loop.

    Args:
        n_bytes: the bytes of all bodies and keys.
    """

    def __init__(self, n_bytes: int) -> None:
        self._room = self._n_bytes = n_bytes
        self._kept: OrderedDict[tuple[str, bytes], Kept] = OrderedDict()

    def get(self, generation: str, question: bytes) -> Kept | None:
        """Return the answer of a generation to a question, or None."""
        found = self._kept.get((generation, question))
        if found:
            self._kept.move_to_end((generation, question))
        return found

    def put(self, generation: str, question: bytes, kept: Kept) -> None:
        """Keep an answer; the ones unused for longest make room."""
        size = _size(question, kept)
        key = (generation, question)
        if size * _LARGEST_SHARE > self._n_bytes or key in self._kept:
            return
        self._kept[key] = kept
        self._room -= size
        while self._room < 0:
            (_, asked), oldest = self._kept.popitem(last=False)
            self._room += _size(asked, oldest)

    def clear(self) -> None:
        """Forget all answers."""
        self._kept.clear()
        self._room = self._n_bytes


def _size(question: bytes, kept: Kept) -> int:
    return len(question) + len(kept.body) + 1000  # headers, and what Python adds


def etag(version: str, generation: str, question: bytes) -> bytes:
    """Return the tag of the answer that this version and generation give to a question."""
    digest = hashlib.blake2b(question, digest_size=12, key=f"{version} {generation}".encode()[:64])
    return f'W/"{digest.hexdigest()}"'.encode()
