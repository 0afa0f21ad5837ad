"""Atom feeds (RFC 4287): what is new, for a feed reader or a mail service."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import msgspec

from simsearch import __version__
from simsearch.output.citations import diff_citations, plain
from simsearch.output.diff import Bulletin
from simsearch.output.formats import View
from simsearch.review import SUPPLEMENT

_ATOM = "http://www.w3.org/2005/Atom"
_SITE = "https://clinicaltrials.gov/"


class Entry(msgspec.Struct, frozen=True):
    """An entry of a feed; `key` tells it from every other of the feed, at any time."""

    key: str
    title: str
    url: str
    summary: str


def feed(name: str, updated: str, entries: Iterable[Entry]) -> str:
    """Return a feed as XML.

    Args:
        name: what the feed is about; the feed's own ID follows from it.
        updated: time of the data, ISO 8601 with a zone.
        entries: what is new.
    """
    root = Element("feed", {"xmlns": _ATOM})
    _text(root, "id", _id(name))
    _text(root, "title", plain(name))
    _text(root, "subtitle", SUPPLEMENT)
    _text(root, "updated", updated)
    SubElement(root, "link", {"href": _SITE})
    _text(SubElement(root, "author"), "name", "simsearch")
    _text(root, "generator", "simsearch", version=__version__)
    for each in entries:
        entry = SubElement(root, "entry")
        _text(entry, "id", _id(f"{name} {each.key}"))
        _text(entry, "title", plain(each.title))
        _text(entry, "updated", updated)
        if each.url:
            SubElement(entry, "link", {"href": each.url})
        _text(entry, "summary", plain(each.summary))
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def diff_atom(bulletin: Bulletin, _: View) -> Iterator[str]:
    """Yield the studies added or changed, or the new neighbours of watched ones, as a feed."""
    facts = bulletin.both.new.facts
    watched = " ".join(each.study.study.nct_id for each in bulletin.watched)
    name = f"New studies near {watched}" if watched else "New and changed studies"
    yield feed(
        name,
        facts.built,
        (
            Entry(
                f"{each.study.nct_id} {facts.generation}",
                f"{each.study.nct_id}: {each.title}",
                each.study.url,
                ". ".join(each.notes),
            )
            for each in diff_citations(bulletin)
        ),
    )


def _text(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(parent, name, attributes).text = text


def _id(name: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{_SITE} {name}").urn
