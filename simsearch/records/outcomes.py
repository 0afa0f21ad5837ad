"""What the readers yield, and what they share: the size limit, finding an NCT ID in bytes."""

from __future__ import annotations

import gzip
import io
import re

import msgspec

from simsearch.errors import NctIdError, one_line
from simsearch.study import Study

Stream = io.BufferedReader | gzip.GzipFile
"""A binary file with `peek`."""

MAX_DOCUMENT_BYTES = 256 * 2**20
"""Nothing in the registry is longer than this: no record, document or line."""

DRAFT_HINT = "; docs/forms.md shows a draft"
"""Ends the error about a draft that is not a study record."""

_NCT_ID_TEXT = re.compile(rb"NCT[0-9]{1,8}(?![0-9])", re.IGNORECASE)
# Where a record gives its own number, in JSON and in XML; elsewhere it names other studies.
_OWN_NCT_ID = re.compile(
    rb'(?:"nctid"\s*:\s*\[?\s*"|<nct_id>)\s*(NCT[0-9]{1,8})(?![0-9])', re.IGNORECASE
)


class Rejected(msgspec.Struct, frozen=True):
    """A record that cannot be used: its place in the source, its NCT ID if readable, the reason."""

    place: str
    nct_id: str
    reason: str

    def __str__(self) -> str:
        name = f" {self.nct_id}" if self.nct_id else ""
        return one_line(f"{self.place}{name}: {self.reason}")


class Notice(msgspec.Struct, frozen=True):
    """Something that a person should know about a source; no record was rejected for it."""

    place: str
    message: str

    def __str__(self) -> str:
        return one_line(f"{self.place}: {self.message}")


class LeftOut(Notice, frozen=True):
    """A fact of a record was left out, because its type is wrong; the study is kept."""

    fact: str
    """Which one: `eligibilityModule.sex`."""


class Gone(msgspec.Struct, frozen=True):
    """A study that has left the registry.

    `since` is the ISO date on which this was noticed; `became` the NCT ID of the study that it
    was merged into, or empty.
    """

    nct_id: str
    since: str
    became: str = ""


Outcome = Study | Rejected | Notice | Gone


class SourceFile(msgspec.Struct, frozen=True):
    """A source that was read, as the manifest records it.

    `bytes` is its size on disk. `sha256` of a folder is computed from the names and digests of
    its files, in order.
    """

    name: str
    files: int
    bytes: int
    sha256: str


class NotRecordsError(Exception):
    """The content has no study records; the message says what it has instead."""


def nct_id_reason(error: NctIdError) -> str:
    """Return why a record without a usable NCT ID is rejected."""
    return str(error) if error.text.strip() else "the record has no NCT ID"


def readable_nct_id(text: bytes) -> str:
    """Return the first NCT ID in a text, or `""`."""
    match = _NCT_ID_TEXT.search(text)
    return match[0].decode("ascii").upper() if match else ""


def own_nct_id(body: bytes) -> str:
    """Return the own NCT ID of a record as JSON or XML that could not be parsed, or `""`."""
    match = _OWN_NCT_ID.search(body)
    return match[1].decode("ascii").upper() if match else ""
