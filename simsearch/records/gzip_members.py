"""What is compressed in a gzip file, without what else follows it there."""

from __future__ import annotations

import io
from typing import Any

from isal import isal_zlib

from simsearch.records.outcomes import Stream

GZIP = b"\x1f\x8b"
"""The first bytes of each member of a gzip file."""

_WITH_HEADER = 31  # tells zlib to expect a gzip header and to compare the checksum at the end
_CHUNK_BYTES = 2**17


class Unpacked(io.RawIOBase):
    """A gzip file, unpacked as it is read.

    Zeros after its members fill a tape's last block; anything else there is left out.

    Args:
        stream: the file, at its start.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._member: Any = isal_zlib.decompressobj(_WITH_HEADER)
        self._packed = b""
        self.has_junk = False
        """Whether other bytes than members and zeros follow, once the end is reached."""

    def readable(self) -> bool:
        """Report that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; return how many, and 0 at the end.

        Raises:
            EOFError: the file is cut short.
            isal_zlib.error: it is damaged.
        """
        while not self._member.eof or self._next_member():
            data = self._member.decompress(self._packed, len(buffer))
            self._packed = self._member.unconsumed_tail
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not self._packed and not self._member.eof:
                self._packed = self._stream.read(_CHUNK_BYTES)
                if not self._packed:
                    raise EOFError("Compressed file ended before the end-of-stream marker")
        return 0

    def _next_member(self) -> bool:
        """Go to the member after the one that has ended; report whether there is one."""
        rest = self._member.unused_data.lstrip(b"\0")
        while len(rest) < len(GZIP) and (more := self._stream.read(_CHUNK_BYTES)):
            rest = (rest + more).lstrip(b"\0")
        if not rest.startswith(GZIP):
            self.has_junk = self.has_junk or bool(rest)
            return False
        self._member, self._packed = isal_zlib.decompressobj(_WITH_HEADER), rest
        return True
