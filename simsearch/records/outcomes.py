"""What reading a source yields, and how a reader says that a content is not its own."""

from __future__ import annotations

import gzip
import io
import re

import msgspec

from simsearch.errors import NctIdError, one_line
from simsearch.study import Study

Stream = io.BufferedReader | gzip.GzipFile
"""A binary file whose next bytes can be looked at without reading them."""

MAX_DOCUMENT_BYTES = 256 * 2**20
"""One record, document or line longer than this is nothing of the registry's."""

DRAFT_HINT = "; docs/forms.md shows a draft, and words are asked with by --text"
"""What may help who asks with something that is no study record."""

_NCT_ID_TEXT = re.compile(rb"NCT[0-9]{1,8}(?![0-9])", re.IGNORECASE)


class Rejected(msgspec.Struct, frozen=True):
    """A record that cannot be used: where it stands, its NCT ID if readable, and why."""

    place: str
    nct_id: str
    reason: str

    def __str__(self) -> str:
        name = f" {self.nct_id}" if self.nct_id else ""
        return one_line(f"{self.place}{name}: {self.reason}")


class Notice(msgspec.Struct, frozen=True):
    """Something a person should know about a source that costs no record."""

    place: str
    message: str

    def __str__(self) -> str:
        return one_line(f"{self.place}: {self.message}")


class Gone(msgspec.Struct, frozen=True):
    """A study that has left the registry: since when it is missed, and what it became."""

    nct_id: str
    since: str
    became: str = ""


Outcome = Study | Rejected | Notice | Gone


class SourceFile(msgspec.Struct, frozen=True):
    """What was read, as the manifest remembers it.

    `sha256` of a folder is taken over the names and digests of its files, in order.
    """

    name: str
    files: int
    bytes: int
    sha256: str


class NotRecordsError(Exception):
    """The content holds no study records; the message says what it is."""


def nct_id_reason(error: NctIdError) -> str:
    """Return why a record without a usable NCT ID is rejected."""
    return str(error) if error.text.strip() else "the record has no NCT ID"


def readable_nct_id(body: bytes) -> str:
    """Return the first NCT ID seen in a record that could not be parsed, or `""`."""
    match = _NCT_ID_TEXT.search(body)
    return match[0].decode("ascii").upper() if match else ""
