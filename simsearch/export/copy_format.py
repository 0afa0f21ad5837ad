"""Rows as PostgreSQL's binary COPY takes them, and the values of pgvector's types.

Layouts: PostgreSQL's documentation of COPY, and `halfvec_recv` and `sparsevec_recv` of pgvector.
A value is bytes; None is NULL.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Before the first row."""

TRAILER = b"\xff\xff"
"""After the last row."""

_TEXT_TYPE = 25
_EMPTY_ARRAY = struct.pack("!iii", 0, 0, _TEXT_TYPE)
_int2, _int4, _int8 = (struct.Struct(code).pack for code in ("!h", "!i", "!q"))
_real, _double, _bool = (struct.Struct(code).pack for code in ("!f", "!d", "!?"))
_array = struct.Struct("!iiiii").pack
_sparse = struct.Struct("!iii").pack
_half = struct.Struct("!hh").pack
_NULL = _int4(-1)

Value = bytes | None


def row(values: Sequence[Value]) -> bytes:
    """Return a row of these values."""
    parts = [_int2(len(values))]
    for value in values:
        parts += [_NULL] if value is None else [_int4(len(value)), value]
    return b"".join(parts)


def text(value: str) -> Value:
    """Return a text; an empty one is NULL."""
    return value.encode() if value else None


def texts(values: Sequence[str]) -> Value:
    """Return an array of texts, which may be empty."""
    if not values:
        return _EMPTY_ARRAY
    parts = [_array(1, 0, _TEXT_TYPE, len(values), 1)]
    for value in values:
        encoded = value.encode()
        parts += [_int4(len(encoded)), encoded]
    return b"".join(parts)


def integer(value: int) -> Value:
    """Return an `integer`."""
    return _int4(value)


def bigint(value: int | None) -> Value:
    """Return a `bigint`."""
    return None if value is None else _int8(value)


def boolean(value: bool | None) -> Value:  # noqa: FBT001 - it is the value
    """Return a `boolean`."""
    return None if value is None else _bool(value)


def real(value: float) -> Value:
    """Return a `real`."""
    return _real(value)


def double(value: float | None) -> Value:
    """Return a `double precision`."""
    return None if value is None else _double(value)


def jsonb(value: bytes) -> Value:
    """Return a `jsonb` of this JSON."""
    return b"\x01" + value


OF_TYPE: Mapping[str, Callable[[Any], Value]] = MappingProxyType(
    {
        "text": text,
        "text NOT NULL": text,
        "text[] NOT NULL": texts,
        "bigint": bigint,
        "boolean": boolean,
    }
)
"""Type of a column of studies → what makes a value of it."""


def halfvecs(vectors: npt.NDArray[np.floating]) -> list[Value]:
    """Return n `halfvec`s of (n, dimension) rows; a row of zeros is NULL."""
    head = _half(vectors.shape[1], 0)
    filled = np.any(vectors, axis=1)
    packed = vectors.astype(">f2")
    return [head + packed[at].tobytes() if has else None for at, has in enumerate(filled.tolist())]


def sparsevec(
    dimension: int, places: npt.NDArray[np.integer], weights: npt.NDArray[np.floating]
) -> Value:
    """Return a `sparsevec`; one without values is NULL.

    Args:
        dimension: of the vector.
        places: (n,) where it is not zero, from 0, ascending.
        weights: (n,) the values there.
    """
    if not len(places):
        return None
    head = _sparse(dimension, len(places), 0)
    return head + places.astype(">i4").tobytes() + weights.astype(">f4").tobytes()
