"""The space of an encoder's vectors: only vectors of one space may be compared."""

from __future__ import annotations

import hashlib
from typing import Self

import msgspec

from simsearch.encode.encoders import Encoder


class Space(msgspec.Struct, frozen=True):
    """Everything that determines the vector of a text; the fields are those of an `Encoder`."""

    model: str
    fingerprint: str
    dimension: int
    max_tokens: int
    precision: str

    @classmethod
    def of(cls, encoder: Encoder) -> Self:
        """Return the space of an encoder's vectors."""
        return cls(
            encoder.name,
            encoder.fingerprint,
            encoder.dimension,
            encoder.max_tokens,
            encoder.precision,
        )

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that identify this space, whatever the model is called."""
        fixed = (self.fingerprint, self.dimension, self.max_tokens, self.precision)
        return hashlib.sha256(msgspec.json.encode(fixed)).hexdigest()[:16]
