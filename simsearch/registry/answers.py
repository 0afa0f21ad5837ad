"""The answers of the API, as far as they are read."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from simsearch.records.mirror import MirroredRecord
from simsearch.study import parse_nct_id


class Page(msgspec.Struct, frozen=True):
    """A page of a search result.

    `n_broken` of its studies have records that cannot be kept. `next_token` is empty on the last
    page. `total` is the number of studies on all pages, on the first page only.
    """

    records: tuple[MirroredRecord, ...]
    n_broken: int
    next_token: str
    total: int | None


class Version(msgspec.Struct, rename="camel"):
    """The answer to `/version`."""

    data_timestamp: str


class SearchResult(msgspec.Struct, rename="camel"):
    """The answer to `/studies`."""

    studies: list[msgspec.Raw]
    next_page_token: str | None = None
    total_count: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None


class _Date(msgspec.Struct, rename="camel"):
    date: str = ""


class _Status(msgspec.Struct, rename="camel"):
    last_update_post_date_struct: _Date | None = None


class _Identification(msgspec.Struct, rename="camel"):
    nct_id: str
    nct_id_aliases: Any = None


class _Protocol(msgspec.Struct, rename="camel"):
    identification_module: _Identification
    status_module: _Status | None = None


class _Head(msgspec.Struct, rename="camel"):
    """The parts of a record that the mirror needs."""

    protocol_section: _Protocol


def mirrored_record(raw: msgspec.Raw) -> MirroredRecord:
    """Return a record as the mirror keeps it.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError, RecursionError: it is not a study record.
        NctIdError: its NCT ID is malformed.
    """
    head = msgspec.json.decode(raw, type=_Head).protocol_section
    update = (head.status_module or _Status()).last_update_post_date_struct or _Date()
    identity = head.identification_module
    aliases = identity.nct_id_aliases if isinstance(identity.nct_id_aliases, list) else []
    return MirroredRecord(
        parse_nct_id(identity.nct_id),
        update.date,
        bytes(raw),
        tuple(each for each in aliases if isinstance(each, str)),
    )
