"""Which reader takes a content, told from its first bytes, and what other content is."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from simsearch.records import csv_reader, json_reader, xml_reader
from simsearch.records.foreign import foreign_form, other_table
from simsearch.records.outcomes import DRAFT_HINT, NotRecordsError, Outcome, Stream

READERS = (xml_reader, csv_reader, json_reader)
"""Modules with `recognises(head)` and `read(stream, place, draft=False)`."""

BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 4096
_NO_RECORDS = "it has no study records in a known form"


def reader_of(head: bytes) -> ModuleType | None:
    """Return the reader that recognises content with these first bytes, or None."""
    for reader in READERS:
        if reader is json_reader and foreign_form(head):
            return None
        if reader.recognises(head):
            return reader
    return None


def why_not(head: bytes, *, draft: bool) -> str:
    """Return why content with these first bytes has no studies, and what to do."""
    if head.startswith(b"<"):
        return foreign_form(head) or "it is XML or HTML without study records"
    named = foreign_form(head) or other_table(head)
    return named or _NO_RECORDS + (DRAFT_HINT if draft else "")


def text_outcomes(stream: Stream, place: str, *, draft: bool) -> Iterator[Outcome]:
    """Yield what a stream of text holds, by the reader that recognises it.

    Raises:
        NotRecordsError: none does.
    """
    head = _skip_to_text(stream)
    if not head:
        raise NotRecordsError("it is empty")
    reader = reader_of(head)
    if not reader:
        raise NotRecordsError(why_not(head, draft=draft))
    yield from reader.read(stream, place, draft=draft)


def _skip_to_text(stream: Stream) -> bytes:
    """Skip a byte order mark and white space; return the next bytes without consuming them."""
    if stream.peek(3).startswith(BOM):
        stream.read(3)
    while head := stream.peek(_HEAD_BYTES):
        text = head.lstrip(b" \t\r\n")
        stream.read(len(head) - len(text))
        if text:
            return text
    return b""
