"""An encoder that keeps its vectors in a cache, so that no text is encoded twice.

The cache itself is in `vector_cache.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Log, no_log
from simsearch.encode.batches import BATCH, Part
from simsearch.encode.encoders import Encoder
from simsearch.encode.space import Space
from simsearch.encode.vector_cache import VectorCache
from simsearch.errors import CacheError, ForeignCacheError
from simsearch.files import batches


class CachedEncoder:
    """An encoder that looks each text up in a cache, and encodes and stores only new ones.

    Its rows are rounded to 16-bit floats, as in the cache and in an index, so that a row is the
    same whether it was found or encoded. If the cache fails, the encoder goes on without it.

    Args:
        encoder: encodes the texts that are not in the cache.
        cache: an open cache, or None for none.
    """

    def __init__(self, encoder: Encoder, cache: VectorCache | None) -> None:
        self._encoder = encoder
        self._readable = cache
        self._writable = cache
        self._space = Space.of(encoder)
        self.n_found = 0
        """How many texts were in the cache; each distinct text counts once per call."""
        self.n_encoded = 0
        """How many texts were encoded."""

    @property
    def name(self) -> str:
        """The name or folder of the model."""
        return self._space.model

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that determines the vectors, except the precision."""
        return self._space.fingerprint

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self._space.dimension

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are encoded."""
        return self._space.max_tokens

    @property
    def precision(self) -> str:
        """Arithmetic of the model, and its backend unless that is torch."""
        return self._space.precision

    @property
    def n_at_once(self) -> int:
        """How many texts to pass to `encode` at once."""
        return int(getattr(self._encoder, "n_at_once", BATCH))

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return (n_texts,) the number of tokens of each text before it is cut off."""
        return self._encoder.count_tokens(texts)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (n_texts, dimension) float32 unit rows, rounded to 16-bit floats."""
        number_of = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        distinct = list(number_of)
        found, rows = self._look_up(distinct)
        missing = np.flatnonzero(~found)
        texts_missing = [distinct[number] for number in missing]
        for places, part in _encoded_parts(self._encoder, texts_missing):
            rounded = part.astype(np.float16)
            self._store([texts_missing[place] for place in places], rounded)
            rows[missing[places]] = rounded
        self.n_found += len(distinct) - len(missing)
        return rows[[number_of[text] for text in texts]].astype(np.float32)

    def _look_up(
        self, texts: Sequence[str]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float16]]:
        if self._readable is not None:
            try:
                return self._readable.get(self._space, texts)
            except CacheError as error:
                self._readable.log(f"the cache is no longer read: {error}")
                self._readable = None
        shape = (len(texts), self.dimension)
        return np.zeros(len(texts), dtype=np.bool_), np.zeros(shape, dtype=np.float16)

    def _store(self, texts: Sequence[str], rows: npt.NDArray[np.float16]) -> None:
        self.n_encoded += len(texts)
        if self._writable is not None:
            try:
                self._writable.put(self._space, texts, rows)
            except CacheError as error:
                self._writable.log(f"the cache is no longer written: {error}")
                self._writable = None


def _encoded_parts(encoder: Encoder, texts: Sequence[str]) -> Iterator[Part]:
    """Yield the rows of the texts part by part, as the encoder completes them."""
    if hasattr(encoder, "encode_parts"):
        yield from encoder.encode_parts(texts)
        return
    at = 0
    for part in batches(texts, BATCH):
        yield np.arange(at, at + len(part)), encoder.encode(part)
        at += len(part)


@contextmanager
def cached(encoder: Encoder, path: Path | None, log: Log = no_log) -> Iterator[CachedEncoder]:
    """Give an encoder a cache, which is closed at the end.

    If the cache cannot be opened, that is logged, and the encoder goes without.

    Args:
        encoder: encodes the texts that are not in the cache.
        path: the file of the cache, made if it is missing; None for no cache.
        log: called with a line for a person if something is wrong with the cache.

    Raises:
        ForeignCacheError: the file is something else, which a person must resolve.
    """
    if path is None:
        yield CachedEncoder(encoder, None)
        return
    try:
        cache = VectorCache(path, log)
    except ForeignCacheError:
        raise
    except CacheError as error:
        log(f"continuing without a cache: {error}")
        yield CachedEncoder(encoder, None)
        return
    with cache:
        yield CachedEncoder(encoder, cache)
