"""The registry's legacy XML: one `clinical_study` per document, or several within one root.

The parser's target keeps only the texts that are needed, so that memory grows neither with the
results of a study nor with the number of studies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from simsearch.errors import NctIdError, SourceError
from simsearch.records import vocabulary, xml_facts
from simsearch.records.assemble import assemble_study
from simsearch.records.outcomes import (
    MAX_DOCUMENT_BYTES,
    NotRecordsError,
    Outcome,
    Rejected,
    Stream,
    nct_id_reason,
    own_nct_id,
    readable_nct_id,
)
from simsearch.records.xml_texts import Texts, as_markup, one

_STUDY = "clinical_study"
_NCT_ID = "id_info/nct_id"
# Texts in which other studies may be named, besides titles and summary.
_SEARCHED = (
    "id_info/org_study_id", "id_info/secondary_id", "detailed_description/textblock",
    "eligibility/criteria/textblock",
)  # fmt: skip
_CHUNK_BYTES = 2**16
_MAX_DEPTH = 64
_KEPT_DEPTH = 4  # location/facility/address/city
_RESULTS = "clinical_results"
_TYPED = frozenset({"enrollment", "start_date", "primary_completion_date", "completion_date"})

_PROLOGUE = re.compile(rb"(?:<\?.*?\?>|<!--.*?-->|\s+)*", re.DOTALL)
_ROOT = re.compile(rb"<(?:!DOCTYPE\s+)?([A-Za-z_][\w.:-]*)", re.IGNORECASE)
_STUDY_TAG = re.compile(rb"<clinical_study[\s/>]")


def recognises(head: bytes) -> bool:
    """Return whether content with these first bytes may be study records as XML."""
    prologue = _PROLOGUE.match(head)
    body = head[prologue.end() :] if prologue else head
    root = _ROOT.match(body)
    if not root or root[1].lower() == b"html":
        return False
    return root[1] in {b"clinical_study", b"search_results"} or bool(_STUDY_TAG.search(body))


def read(stream: Stream, place: str, *, draft: bool = False) -> Iterator[Outcome]:
    """Yield the studies of one XML document.

    A document that is broken or declares entities yields a `Rejected`.

    Raises:
        SourceError: the document is broken after the first of several studies.
        NotRecordsError: the document contains no study, or one too long to be from the registry.
    """
    collector = _Collector()
    parser = DefusedXMLParser(target=collector, forbid_dtd=True)
    head = b""
    n = size = 0
    trouble = ""
    while not (trouble or collector.closed):
        chunk = stream.read(_CHUNK_BYTES)
        head = head or chunk
        trouble = _feed(parser, chunk)
        size += len(chunk)
        for texts in collector.take():
            n += 1
            size = 0
            study_place = f"{place} study {n:,}" if collector.collection else place
            yield _study(texts, study_place, draft=draft)
        if size > MAX_DOCUMENT_BYTES:
            raise NotRecordsError(f"it is one XML document of over {MAX_DOCUMENT_BYTES:,} bytes")
    if trouble:
        if n:
            raise SourceError(place, f"{trouble}, after study {n:,}; the rest is lost")
        yield Rejected(place, collector.nct_id or own_nct_id(head), trouble)
    elif not n:
        raise NotRecordsError("it is XML without a clinical_study")


def _feed(parser: DefusedXMLParser, chunk: bytes) -> str:
    """Parse the next bytes (empty at the end); return why they cannot be parsed, or `""`."""
    try:
        if chunk:
            parser.feed(chunk)
        else:
            parser.close()
    except DefusedXmlException:
        return "unsafe XML: it declares a document type or entities, which no study record does"
    except (ParseError, ValueError, LookupError) as error:  # the last two: its encoding
        return f"broken XML: {error}"
    return ""


class _Collector:
    """Target of the parser, which collects the `Texts` of each study.

    Only elements at most `_KEPT_DEPTH` levels below `clinical_study` are kept, and nothing of the
    results, which are most of a document.
    """

    def __init__(self) -> None:
        self.closed = False
        self.collection = False
        self._open: list[str] = []
        self._text: list[str] = []
        self._study: Texts | None = None
        self._study_depth = 0
        self._complete: list[Texts] = []

    @property
    def nct_id(self) -> str:
        """The NCT ID of the study being read, or `""` if it has not been read yet."""
        text = self._study.first(_NCT_ID) if self._study else None
        return readable_nct_id((text or "").encode())

    def take(self) -> list[Texts]:
        """Return the studies completed since the last call.

        A study that is the whole document counts as complete when the document has ended well.
        """
        if not (self.collection or self.closed):
            return []
        taken, self._complete = self._complete, []
        return taken

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Enter an element."""
        if len(self._open) == _MAX_DEPTH:
            raise NotRecordsError(f"it is XML with elements nested over {_MAX_DEPTH} deep")
        if tag == _STUDY and self._study is None:
            self._study = Texts()
            self._study_depth = len(self._open) + 1
            self.collection = bool(self._open)
        self._open.append(tag)
        self._text = []
        if self._study is not None and attributes and tag in _TYPED and "type" in attributes:
            self._study.add(f"{'/'.join(self._open[self._study_depth :])}@type", attributes["type"])

    def data(self, text: str) -> None:
        """Add a piece of an element's text."""
        self._text.append(text)

    def end(self, _tag: str) -> None:
        """Leave an element: keep its text, or the study if it ends one."""
        path = self._open[self._study_depth :]
        if self._study is not None:
            if not path:
                self._complete.append(self._study)
                self._study = None
            elif len(path) <= _KEPT_DEPTH and (path[0] != _RESULTS or len(path) == 1):
                self._study.add("/".join(path), "".join(self._text))
        self._open.pop()
        self._text = []

    def close(self) -> None:
        """Record that the document has ended well."""
        self.closed = True


def _study(texts: Texts, place: str, *, draft: bool) -> Outcome:
    nct_id = texts.first(_NCT_ID)
    updated = texts.first("last_update_posted") or texts.first("lastchanged_date")
    try:
        return assemble_study(
            draft=draft,
            nct_id=nct_id,
            aliases=texts.every("id_info/nct_alias"),
            title=texts.first("brief_title"),
            official_title=texts.first("official_title"),
            acronym=texts.first("acronym"),
            summary=as_markup(texts.first("brief_summary/textblock") or ""),
            conditions=texts.every("condition"),
            keywords=texts.every("keyword"),
            interventions=[
                (
                    one(each, "intervention_type"),
                    one(each, "intervention_name"),
                    tuple(each.get("other_name", ())),
                )
                for each in texts.groups("intervention")
            ],
            condition_mesh=texts.every("condition_browse/mesh_term"),
            intervention_mesh=texts.every("intervention_browse/mesh_term"),
            status=texts.first("overall_status"),
            last_known_status=texts.first("last_known_status"),
            study_type=texts.first("study_type"),
            phases=texts.every("phase"),
            sponsor=texts.first("sponsors/lead_sponsor/agency"),
            countries=texts.every("location_countries/country"),
            start_date=texts.first("start_date"),
            completion_date=texts.first("completion_date"),
            last_update_date=updated,
            outcomes=[
                one(each, "measure")
                for kind in ("primary_outcome", "secondary_outcome")
                for each in texts.groups(kind)
            ],
            searched=[text for path in _SEARCHED for text in texts.every(path)],
            enrollment=vocabulary.count(texts.first("enrollment")),
            has_results=_RESULTS in texts,
            data_version=_download_date(texts.first("required_header/download_date") or ""),
            facts=xml_facts.raw_facts(texts),
        )
    except NctIdError as error:
        return Rejected(place, readable_nct_id((nct_id or "").encode()), nct_id_reason(error))


def _download_date(sentence: str) -> str:
    """Return the date in "ClinicalTrials.gov processed this data on August 12, 2022"."""
    return sentence.rpartition(" on ")[2]
