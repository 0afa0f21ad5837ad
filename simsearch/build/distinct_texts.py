"""The distinct texts of a corpus: numbered, encoded once each, their vectors written to disk.

Studies are streamed in the order of their NCT IDs; neither they nor their texts stay in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress
from simsearch.encode.encoders import Encoder
from simsearch.encode.fields import FIELDS, has_words, text_key
from simsearch.files import batches
from simsearch.study import Study

_BLOCK = 16_384  # texts sorted by length together: they pack as well as if all were
_CHUNK = 256  # texts encoded between two reports of progress
_MARKS = 8  # upper bound on the special tokens of a text, such as those of its start and end


class TextNumbers:
    """The distinct text of each field of each study; texts are numbered as they first occur.

    Args:
        n_studies: how many studies there will be.
    """

    def __init__(self, n_studies: int) -> None:
        self.numbers: npt.NDArray[np.int32] = np.full((n_studies, len(FIELDS)), -1, dtype=np.int32)
        """(n_studies, n_fields) number of the text, or -1 for none."""
        self.n_distinct = 0

    @property
    def n_texts(self) -> int:
        """How many texts the studies have, equal ones included."""
        return int((self.numbers >= 0).sum())

    def numbered(self, studies: Iterable[Study]) -> Iterator[Study]:
        """Yield the studies, which must be in row order, and number their texts."""
        number_of: dict[bytes, int] = {}
        for row, study in enumerate(studies):
            for column, text in enumerate(_texts(study)):
                if has_words([text]):
                    self.numbers[row, column] = number_of.setdefault(text_key(text), len(number_of))
            yield study
        self.n_distinct = len(number_of)

    def coverage(self) -> dict[str, int]:
        """Return field name → how many studies have text in it."""
        counts = (self.numbers >= 0).sum(axis=0).tolist()
        return dict(zip(FIELDS, counts, strict=True))

    def distinct(self, studies: Iterable[Study]) -> Iterator[str]:
        """Yield the distinct texts in the order of their numbers, from the same studies again."""
        following = 0
        for row, study in enumerate(studies):
            if self.numbers[row].max(initial=-1) >= following:
                for column, text in enumerate(_texts(study)):
                    if self.numbers[row, column] == following:
                        following += 1
                        yield text


class EncodedTexts(msgspec.Struct, frozen=True):
    """The vectors of the distinct texts."""

    rows: npt.NDArray[np.float16]
    """(n_distinct, dimension) float16, unit rows, memory-mapped."""
    n_truncated: int
    """How many texts were cut off."""


def encode_texts(
    texts: Iterable[str], n_texts: int, encoder: Encoder, path: Path, progress: Progress
) -> EncodedTexts:
    """Encode texts, block by block, and write their vectors to a file.

    Args:
        texts: the distinct texts, in the order of their numbers.
        n_texts: how many there are, at least one.
        encoder: encodes them in chunks of 256, or of its `n_at_once`.
        path: the file to write.
        progress: called before each chunk, and at the end.

    Raises:
        OSError: the disk refuses a write.
    """
    done, n_truncated = 0, 0
    with path.open("wb") as file:
        for block in batches(texts, _BLOCK):
            rows = np.zeros((len(block), encoder.dimension), dtype=np.float16)
            for chunk in _chunks(block, getattr(encoder, "n_at_once", _CHUNK)):
                progress("encoding", done, n_texts, "texts")
                rows[chunk] = encoder.encode([block[place] for place in chunk])
                done += len(chunk)
            n_truncated += _n_truncated(block, encoder)
            file.write(rows.astype("<f2", copy=False).tobytes())
    progress("encoding", done, n_texts, "texts")
    shape = (n_texts, encoder.dimension)
    return EncodedTexts(np.memmap(path, dtype="<f2", mode="r", shape=shape), n_truncated)


def _chunks(texts: Sequence[str], size: int) -> list[list[int]]:
    """Return the positions of texts, in chunks of texts of similar length.

    The chunks are in a random but fixed order: the rate, and the time left that is estimated from
    it, are right from the start.
    """
    order = sorted(range(len(texts)), key=lambda place: (len(texts[place]), texts[place]))
    chunks = [order[at : at + size] for at in range(0, len(order), size)]
    return [chunks[number] for number in np.random.default_rng(0).permutation(len(chunks))]


def _n_truncated(texts: Sequence[str], encoder: Encoder) -> int:
    """Return how many texts the encoder cuts off; only long ones are counted, for speed.

    A token has at least one byte.
    """
    least = encoder.max_tokens - _MARKS
    long = [text for text in texts if len(text.encode("utf-8", "surrogatepass")) > least]
    return int((encoder.count_tokens(long) > encoder.max_tokens).sum())


def _texts(study: Study) -> list[str]:
    return [text_of(study) for text_of in FIELDS.values()]
