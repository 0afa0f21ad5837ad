"""Parts of HTTP that the client of the API needs: addresses to show, pauses, bounded bodies."""

from __future__ import annotations

import datetime as dt
import email.utils
import re
import zlib


class BodyError(Exception):
    """A body that is too large, or packed in a way that was not asked for."""


class TruncatedBodyError(Exception):
    """A packed body that is damaged, or ends too early."""


def shown_address(address: str) -> str:
    """Return an address as errors and logs may show it: without user, password and query."""
    scheme = re.match(r"[a-z][a-z0-9+.-]*://|", address, re.IGNORECASE)
    before, at, rest = address.rpartition("@")
    if at and before:
        address = f"{scheme[0] if scheme else ''}…@{rest}"
    return address.partition("?")[0]


def retry_after(text: str) -> float | None:
    """Return the seconds to wait by a Retry-After header, which may be a number or a date."""
    text = text.strip()
    try:
        if text.isdecimal():
            return float(text)
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    until = until.replace(tzinfo=until.tzinfo or dt.UTC)
    return max(0.0, (until - dt.datetime.now(dt.UTC)).total_seconds())


class Body:
    """A body that arrives in pieces and is unpacked up to a size.

    Args:
        encoding: the Content-Encoding header; gzip or nothing.
        most_bytes: the most bytes that it may have, packed or unpacked.

    Raises:
        BodyError: the encoding is another.
    """

    def __init__(self, encoding: str, most_bytes: int) -> None:
        if encoding.lower() not in {"", "identity", "gzip", "x-gzip"}:
            raise BodyError(f"answered in the encoding {encoding[:20]!r}, which was not asked for")
        is_packed = encoding.lower().endswith("gzip")
        self._unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS) if is_packed else None
        self._most = most_bytes
        self._n_arrived = 0
        self._pieces = bytearray()

    def add(self, piece: bytes) -> None:
        """Add a piece.

        Raises:
            BodyError: the body is too large.
            TruncatedBodyError: the body cannot be unpacked.
        """
        self._n_arrived += len(piece)
        if self._unpacker:
            try:
                piece = self._unpacker.decompress(piece, self._most + 1 - len(self._pieces))
            except zlib.error as error:
                raise TruncatedBodyError("answered with a damaged gzip body") from error
        self._pieces += piece
        if max(self._n_arrived, len(self._pieces)) > self._most:
            raise BodyError(f"answered with more than {self._most:,} bytes")

    def whole(self) -> bytes:
        """Return the unpacked body, after the last piece.

        Raises:
            TruncatedBodyError: it ended too early.
        """
        if self._unpacker and self._n_arrived and not self._unpacker.eof:
            raise TruncatedBodyError("answered with a truncated gzip body")
        return bytes(self._pieces)
