"""The facts of studies as compressed blobs: JSON, by zstd with a dictionary made from samples.

Measured on 10,774 complete records (docs/experiments.md): 6.2 kB of JSON a study become 1.6 kB,
and .74 kB without the long texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from threading import Lock
from typing import Any, Literal

import msgspec
import zstandard

from simsearch.facts import Facts
from simsearch.index.values import CONTROL

Details = Literal["none", "brief", "full"]
"""How much of the facts an index keeps: nothing, all but the long texts, everything."""

BROKEN = (zstandard.ZstdError, msgspec.MsgspecError, ValueError, TypeError, RecursionError)
"""What `FactsReader` raises for a damaged blob."""

_LONG = ("description", "criteria")
_LEVEL = 6
_DICTIONARY_BYTES = 112 * 1024
_SEGMENT, _WORD = 1024, 8  # parameters of the training; given, they need no slow search for better
_MAX_SAMPLE_BYTES = 2**16  # a study with a thousand sites would teach only place names
_MAX_BYTES = 2**26  # of one study's JSON
_CONTROL_OF_LINES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Facts).decode


def kept_facts(facts: Facts | None, details: Details) -> Facts | None:
    """Return what an index keeps of a study's facts; None for nothing."""
    if facts is None or details == "none":
        return None
    if details == "brief":
        facts = msgspec.structs.replace(facts, **dict.fromkeys(_LONG, ""))
    return None if facts == Facts() else facts


def dictionary_of(samples: Iterable[Facts], details: Details) -> bytes:
    """Return a dictionary for the facts of studies; `b""` if there are too few samples."""
    kept = filter(None, (kept_facts(facts, details) for facts in samples))
    texts: list[bytes | bytearray | memoryview] = [
        text for facts in kept if len(text := _encode(facts)) <= _MAX_SAMPLE_BYTES
    ]
    try:
        made = zstandard.train_dictionary(_DICTIONARY_BYTES, texts, k=_SEGMENT, d=_WORD)
    except zstandard.ZstdError:
        return b""
    return made.as_bytes()


class FactsWriter:
    """Packs the facts of studies with a dictionary, the result of `dictionary_of`."""

    def __init__(self, dictionary: bytes) -> None:
        self._compressor = zstandard.ZstdCompressor(
            level=_LEVEL,
            dict_data=zstandard.ZstdCompressionDict(dictionary) if dictionary else None,
            write_checksum=True,
            write_dict_id=False,
        )

    def pack(self, facts: Facts) -> bytes:
        """Return the blob of a study's facts."""
        return self._compressor.compress(_encode(facts))


class FactsReader:
    """Unpacks what a `FactsWriter` with the same dictionary has packed."""

    def __init__(self, dictionary: bytes) -> None:
        self._decompressor = zstandard.ZstdDecompressor(
            dict_data=zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        )
        self._lock = Lock()  # a decompressor serves one thread at a time

    def text(self, blob: bytes) -> bytes:
        """Return the JSON of a blob.

        Raises:
            BROKEN: the blob is damaged.
        """
        if not 0 <= zstandard.frame_content_size(blob) <= _MAX_BYTES:
            raise ValueError("facts of an impossible size")
        with self._lock:
            return self._decompressor.decompress(blob)

    def unpack(self, blob: bytes) -> Facts:
        """Return the facts of a blob.

        Raises:
            BROKEN: the blob is damaged, or holds control characters.
        """
        facts = _decode(self.text(blob))
        plain = msgspec.to_builtins(facts)
        lines = [plain.pop(name, "") for name in _LONG]
        if _has(CONTROL, plain) or _has(_CONTROL_OF_LINES, lines):
            raise ValueError("control characters in a text")
        return facts


def _has(pattern: re.Pattern[str], value: Any) -> bool:
    """Return whether a pattern is found in a text, or in any within a list or a dictionary."""
    if isinstance(value, str):
        return bool(pattern.search(value))
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return False
    return any(_has(pattern, each) for each in value)
