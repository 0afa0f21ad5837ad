"""Eligibility criteria as registered → single criteria, inclusion apart from exclusion."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_KINDS = r"(?P<kind>non[- ]?inclusion|inclusion|exclusion)"
_HEADINGS = (
    # Inclusion Criteria: …, KEY EXCLUSION CRITERIA, Main criteria for exclusion -, Exclusion: …
    re.compile(
        rf"^[^\w]*(?:[\w()/,.&-]+\s+){{0,5}}?{_KINDS}\s+(?:criteri(?:a|on|as)|factors?)\b"
        r"(?P<more>(?:\s+(?:for|of|include|are|is|[(])[^:.]{0,60})?)"
        r"\s*(?:[:.\u2013\u2014-]+\s*|$)(?P<rest>.*)$",
        re.IGNORECASE,
    ),
    re.compile(
        rf"^[^\w]*(?:\w+\s+){{0,3}}?criteri(?:a|on)\s+(?:for|of)\s+{_KINDS}\b"
        r"[^:.\w]*(?:[:.-]+\s*|$)(?P<rest>.*)$",
        re.IGNORECASE,
    ),
    re.compile(rf"^[^\w]*{_KINDS}s?\s*(?:[:\u2013-]+\s*|$)(?P<rest>.*)$", re.IGNORECASE),
    re.compile(
        r"^[^\w]*(?P<kind>not eligible|ineligible|excluded|exclude|eligible|included|include)"
        r"(?:\s+(?:if|are|patients|subjects|were|in this study))*\s*:\s*(?P<rest>.*)$",
        re.IGNORECASE,
    ),
)
_EXCLUDING = re.compile(r"^(?:non|excl|not|inel)", re.IGNORECASE)
_BULLET = re.compile(
    r"^\s*(?:[-\u2013\u2014*\u2022\u00b7\u25cf\u25e6\u25aa\u2023\u2219\u2192>+~]+\s*"
    r"|[(\[]?(?:\d{1,2}|[ivx]{1,4}|[a-z])[.)\]]+\s+|[(\[]?\d{1,2}[.)]+(?=[A-Z])|o\s+(?=[A-Z]))",
    re.IGNORECASE,
)
_INLINE_NUMBER = re.compile(
    r"(?:(?<=^)|(?<=[\s;.,:]))[(]?(\d{1,2})[.)]+\s*(?=[A-Za-z\u2265\u2264<>=])"
)
_INLINE_BULLET = re.compile(r"\s+[-\u2022\u2013*]\s+(?=[A-Z\u2265\u2264<>])")
_LEAST_INLINE = 3  # numbers or bullets in one line that make a list of it
_LEAST_LETTERS = 3
_STUB = re.compile(
    r"^(?:please )?contact (?:the )?(?:site|study)|^see (?:below|above|detailed)"
    r"|^not (?:applicable|provided)|^n/?a\.?$|^none\.?$|^patient history$"
    r"|^(?:patients?|subjects?|participants?)\W*$",
    re.IGNORECASE,
)


class Criteria(msgspec.Struct, frozen=True):
    """The criteria of a study, each without its bullet or number.

    `other` are those above any heading, where the record does not say which kind they are.
    """

    inclusion: tuple[str, ...] = ()
    exclusion: tuple[str, ...] = ()
    other: tuple[str, ...] = ()


def split_criteria(text: str) -> Criteria:
    """Return the criteria of a registered text: split at bullets, numbers and lines."""
    found: dict[str, list[str]] = {"inclusion": [], "exclusion": [], "other": []}
    kind = "other"
    for line in text.splitlines():
        for piece in _pieces(line):
            heading = next((match for each in _HEADINGS if (match := each.match(piece))), None)
            if heading:
                kind = "exclusion" if _EXCLUDING.match(heading["kind"]) else "inclusion"
                found[kind] += _items(heading["rest"])
            else:
                found[kind] += _items(piece)
    return Criteria(*(tuple(dict.fromkeys(each)) for each in found.values()))


_MIDDLE = re.compile(
    r"(?<=[.;)])\s+(?=(?:key |main |major )?(?:inclusion|exclusion) criteria\s*[:-])", re.IGNORECASE
)


def _pieces(line: str) -> list[str]:
    """Return a line, cut where a heading stands within it."""
    return _MIDDLE.split(line)


def _items(line: str) -> Iterator[str]:
    for part in _listed(line):
        item = _BULLET.sub("", part, count=1).strip().strip("-\u2013\u2022* ").rstrip(";,").strip()
        letters = sum(map(str.isalpha, item))
        if letters >= _LEAST_LETTERS and not _STUB.match(item):
            yield item


def _listed(line: str) -> list[str]:
    """Return the items of a line that holds a whole list: `1. … 2. … 3. …`, `… - … - …`."""
    marks, expected = [], 1
    for mark in _INLINE_NUMBER.finditer(line):
        if int(mark[1]) == expected:
            marks.append(mark)
            expected += 1
    if len(marks) >= _LEAST_INLINE:
        starts = [mark.start() for mark in marks]
        ends = [*starts[1:], len(line)]
        return [line[: starts[0]], *(line[a:b] for a, b in zip(starts, ends, strict=True))]
    bullets = _INLINE_BULLET.split(line)
    return bullets if len(bullets) >= _LEAST_INLINE else [line]
