"""Records as JSON in the layout of the API v2: lines, arrays, search pages, single studies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from simsearch.errors import NctIdError, SourceError
from simsearch.records.api_v1 import NOTICE
from simsearch.records.json_shapes import lenient_json, records_in, without_odd_numbers
from simsearch.records.odd_facts import without_odd_facts
from simsearch.records.outcomes import (
    DRAFT_HINT,
    MAX_DOCUMENT_BYTES,
    LeftOut,
    Notice,
    NotRecordsError,
    Outcome,
    Rejected,
    Stream,
    nct_id_reason,
    own_nct_id,
)
from simsearch.records.registry import study_from_record
from simsearch.records.registry_parts import Record
from simsearch.study import Study

_decoder = msgspec.json.Decoder(Record)
_START = re.compile(rb"\{|\[\s*(?:[\[{\]]|$)")
_NO_SECTION = "not a study record in API v2 layout: it has no protocolSection"
_SECTION = b'"protocolSection"'
_HEAD_BYTES = 4096
_ODD_NUMBER = re.compile(rb'((?<!\\)"\s*:\s*)-?(?:NaN|Infinity)(?=\s*[,}])')
_LONGEST_ODD = 64
_MAX_OPEN = 5_000
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def recognises(head: bytes) -> bool:
    """Return whether content with these first bytes may be JSON records.

    Much else begins with a bracket, such as a file of settings.
    """
    return bool(_START.match(head))


def read(stream: Stream, place: str, *, draft: bool = False) -> Iterator[Outcome]:
    """Yield the studies of a JSON text, and a `Rejected` for each record that is not usable.

    Raises:
        SourceError: an array is broken, so that the rest of it is lost.
        NotRecordsError: the document is too long to be from the registry, or is an array that is
            broken and does not look like one of studies.
    """
    if stream.peek(1).startswith(b"["):
        yield from _array(stream, place, draft=draft)
    else:
        yield from _objects(stream, place, draft=draft)


def _array(stream: Stream, place: str, *, draft: bool) -> Iterator[Outcome]:
    """Stream an array of studies; the site's download of all studies is one of 10 GB."""
    import ijson

    is_of_studies = _SECTION in stream.peek(_HEAD_BYTES)
    n = n_studies = 0
    try:
        items = ijson.items(_DepthLimited(stream, place), "item", use_float=True)
        for n, item in enumerate(items, start=1):
            item_place = f"{place} record {n:,}"
            for outcome in _item(item, item_place, draft=draft):
                n_studies += isinstance(outcome, Study)
                yield outcome
    except (ijson.JSONError, *_BROKEN) as error:
        reason = str(error).splitlines()[0] if str(error) else "broken"
        lost = f"broken JSON after record {n:,} of the array ({reason}); the rest is lost"
        if not (n_studies or is_of_studies):
            raise NotRecordsError(lost) from error
        raise SourceError(place, lost) from error


def _item(item: msgspec.Raw | Any, place: str, *, draft: bool) -> Iterator[Outcome]:
    """Read an item of an array: a study, a page of studies, or another shape of either."""
    if not isinstance(item, dict | msgspec.Raw):
        yield Rejected(place, "", "not a JSON object")
        return
    first, *others = study_outcomes(item, place, draft=draft)
    if isinstance(first, Rejected):
        reason = first.reason.removesuffix(DRAFT_HINT)
        body = item if isinstance(item, dict) else bytes(item)
        yield from _other_shape(body, place, reason, draft=draft)
    else:
        yield from (first, *others)


class _DepthLimited:
    """A stream that refuses deeply nested JSON, for which ijson would use up all memory.

    Brackets within strings are counted too, but few of those are unpaired: the limit is far above
    what they add up to. `NaN`, which ijson does not know, becomes null.
    """

    def __init__(self, stream: Stream, place: str) -> None:
        self._stream = stream
        self._place = place
        self._depth = 0
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        Raises:
            SourceError: they are nested too deeply.
        """
        chunk = self._stream.read(size)
        opened = chunk.count(b"[") + chunk.count(b"{")
        closed = chunk.count(b"]") + chunk.count(b"}")
        self._depth = max(0, self._depth + opened - closed)
        if self._depth > _MAX_OPEN:
            raise SourceError(self._place, "broken JSON: it is nested too deeply")
        if size == 0:  # ijson asks so whether the stream is one of bytes
            return b""
        text = self._held + chunk
        if b"NaN" in text or b"Infinity" in text:
            text = _ODD_NUMBER.sub(rb"\1null", text)
        at = max(0, len(text) - _LONGEST_ODD) if chunk else len(text)
        self._held = text[at:]
        return text[:at] or (self.read(size) if chunk else b"")


def _objects(stream: Stream, place: str, *, draft: bool) -> Iterator[Outcome]:
    """Read JSON Lines, or a single object that spans several lines."""
    line = _line(stream, place)
    goes_on = line.rstrip().endswith((b"{", b"[", b","))  # a complete object ends otherwise
    if not _is_object(line) and (goes_on or not _skip_blank_lines(stream).startswith(b"{")):
        rest = stream.read(MAX_DOCUMENT_BYTES + 1)
        if len(rest) > MAX_DOCUMENT_BYTES:
            raise NotRecordsError(f"it is one JSON document of over {MAX_DOCUMENT_BYTES:,} bytes")
        yield from _object(line + rest, place, draft=draft)
        return
    n = 1
    while line:
        study = _study_of_line(line, draft=draft)
        if study:
            yield study
        elif line.strip():  # slower: takes pages apart, and gives the reason of a rejection
            yield from _object(line, f"{place} line {n:,}", draft=draft)
        line = _line(stream, place)
        n += 1


def _line(stream: Stream, place: str) -> bytes:
    line = stream.readline(MAX_DOCUMENT_BYTES + 1)
    if len(line) > MAX_DOCUMENT_BYTES:
        raise SourceError(place, f"a line of over {MAX_DOCUMENT_BYTES:,} bytes")
    return line


def _is_object(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except _BROKEN:
        return False
    return True


def _skip_blank_lines(stream: Stream) -> bytes:
    """Skip blank lines; return the bytes after them without consuming those."""
    while (head := stream.peek(1))[:1] in (b"\n", b"\r"):
        stream.read(len(head) - len(head.lstrip(b"\r\n")))
    return head


def _study_of_line(line: bytes, *, draft: bool) -> Study | None:
    """Return the study of a line that is one usable record, as nearly all are; otherwise None."""
    try:
        record = _decoder.decode(line)
        return study_from_record(record, draft=draft) if record.protocol_section else None
    except (*_BROKEN, NctIdError):
        return None


def _object(text: bytes, place: str, *, draft: bool) -> Iterator[Outcome]:
    """Read a JSON object: a study, a page of studies, or another shape of either."""
    try:
        record = _decoder.decode(text)
    except _BROKEN as error:
        yield from _other_shape(text, place, _reason(error), draft=draft)
        return
    if record.studies is None:
        if record.protocol_section:
            yield _outcome(record, text, place, draft=draft)
        else:
            yield from _other_shape(text, place, _NO_SECTION, draft=draft)
        return
    for n, raw in enumerate(record.studies, start=1):
        yield from _item(raw, f"{place} study {n:,}", draft=draft)
    if record.next_page_token:
        yield Notice(place, "it is one page of a search result; the pages after it are missing")


def _other_shape(
    body: bytes | dict[str, Any], place: str, reason: str, *, draft: bool
) -> Iterator[Outcome]:
    """Read a document that is not one record of the API v2; reject it if it has none.

    Args:
        body: the document as JSON or decoded.
        place: where it is in the source.
        reason: why it is not a record itself.
        draft: whether an NCT ID may be missing.
    """
    try:
        document = lenient_json(body) if isinstance(body, bytes) else without_odd_numbers(body)
    except (ValueError, RecursionError):
        yield Rejected(place, own_nct_id(_text(body)), reason)
        return
    found = records_in(document)
    if found is None:
        is_record = isinstance(document, dict) and "protocolSection" in document
        outcomes = list(study_outcomes(document, place, draft=draft)) if is_record else []
        if any(isinstance(outcome, Study) for outcome in outcomes):
            yield from outcomes
            return
        hint = DRAFT_HINT if draft and reason == _NO_SECTION else ""
        yield Rejected(place, own_nct_id(_text(body)), reason + hint)
        return
    for n, each in enumerate(found, start=1):
        one = f"{place} study {n:,}" if len(found) > 1 else place
        yield from study_outcomes(without_odd_numbers(each), one, draft=draft)
    if isinstance(document, dict) and not {"studies", "study", "protocolSection"} & {*document}:
        yield Notice(place, f"{len(found):,} {'study' if len(found) == 1 else 'studies'} {NOTICE}")


def study_outcomes(
    body: bytes | msgspec.Raw | dict[str, Any], place: str, *, draft: bool = False
) -> Iterator[Outcome]:
    """Yield the study of one record in API v2 layout, or a `Rejected` with the reason.

    A fact of a wrong type is left out; a `LeftOut` for each follows the study.

    Args:
        body: the record as JSON or decoded.
        place: where it is in the source.
        draft: whether its NCT ID may be missing.
    """
    wrong: dict[str, str] = {}
    try:
        try:
            record = _record(body)
        except msgspec.ValidationError as error:
            record, wrong = without_odd_facts(body, error)
    except (*_BROKEN, ValueError) as error:
        yield Rejected(place, own_nct_id(_text(body)), _reason(error))
        return
    outcome = _outcome(record, body, place, draft=draft)
    yield outcome
    if isinstance(outcome, Study):
        for fact, reason in wrong.items():
            yield LeftOut(f"{place} {outcome.nct_id}".rstrip(), f"{fact} left out: {reason}", fact)


def _outcome(
    record: Record, body: bytes | msgspec.Raw | dict[str, Any], place: str, *, draft: bool
) -> Outcome:
    if record.protocol_section is None:
        reason = _NO_SECTION + (DRAFT_HINT if draft else "")
    else:
        try:
            return study_from_record(record, draft=draft)
        except NctIdError as error:
            reason = nct_id_reason(error)
    return Rejected(place, own_nct_id(_text(body)), reason)


def _record(body: bytes | msgspec.Raw | dict[str, Any]) -> Record:
    if isinstance(body, dict):
        return msgspec.convert(body, Record)
    return _decoder.decode(body)


def _reason(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return f"not a study record in API v2 layout: {error}"
    if isinstance(error, RecursionError):
        return "broken JSON: it is nested too deeply"
    return f"broken JSON: {error}"


def _text(body: bytes | msgspec.Raw | dict[str, Any]) -> bytes:
    return msgspec.json.encode(body) if isinstance(body, dict) else bytes(body)
