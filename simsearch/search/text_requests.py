"""What a text asks for besides its subject: studies, phases, statuses and countries.

`recruiting trials of asthma in France like NCT03540472` is a subject (asthma), two filters and a
study. Only a short text is read so: a description that mentions a phase does not ask for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from simsearch.index.opened import OpenedIndex
from simsearch.search.countries import written_countries
from simsearch.search.filter_values import STATUS_WORDS
from simsearch.search.filters import Filters
from simsearch.search.text_words import LONGEST_QUESTION
from simsearch.study import named_nct_ids

_PHASE = r"(?:1|2|3|4|iv|i{1,3})[ab]?"
_PHASES = re.compile(
    rf"\b(?:(early)\s+)?phase[\s-]*({_PHASE})(?:\s*(?:/|-|,|and|or|to)\s*(?:phase\s*)?({_PHASE}))?"
    r"(?![\w-])(?:\s+(?:trials?|studies|study))?",
    re.IGNORECASE,
)
_STATUS = re.compile(
    r"\b(not yet recruiting|active,? (?:but )?not recruiting"
    r"|(?:(?:currently|actively|still) )?recruiting(?! (?:man|motor))"
    r"|enrolling by invitation"
    r"|(?:completed|terminated|withdrawn|suspended|ongoing|open)"
    r"(?= (?:\w+ ){0,2}(?:trials?|studies)))"
    r"\b(?:\s+(?:trials?|studies)\b)?",
    re.IGNORECASE,
)
_IDS = re.compile(r"(?<![^\W_])NCT[\W_]{0,3}[0-9]{5,8}(?![^\W_])", re.IGNORECASE)
_LEFT_AT_ENDS = re.compile(
    r"^(?:\s|,|;|(?:trials?|studies|study|research)\b(?! of ))*(?:(?:of|on|in|for|about|like)\s+)?"
    r"|(?:\s|,|;|\b(?:like|in|of|on|for|and)\b)*$",
    re.IGNORECASE,
)
_BETWEEN_PLACES = re.compile(r"\s*(?:,|\band\b|\bor\b|&)\s*(?:the\s+)?", re.IGNORECASE)
_LONGEST_CODE = 3  # letters: in a text `us` is no country
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}
_ADVERBS = re.compile(r"^(?:currently|actively|still) ", re.IGNORECASE)


class TextRequest(msgspec.Struct, frozen=True):
    """A text, taken apart."""

    text: str
    """What is left: the subject."""
    studies: tuple[str, ...]
    """The NCT IDs in it, as they stand there, each once."""
    filters: Filters
    """Those that were given, and those that the text asks for."""
    notes: tuple[str, ...]


def request_of(index: OpenedIndex, text: str, filters: Filters) -> TextRequest:
    """Take a text apart.

    Args:
        index: whose countries are known.
        text: what is asked.
        filters: those that are given beside the text; a text changes none of them.
    """
    ids = tuple(
        sorted({each for found in _IDS.findall(text) for each in named_nct_ids(found.upper())})
    )
    if len(text.split()) > LONGEST_QUESTION:
        return TextRequest(text, (), filters, tuple(_unread(text, ids)))
    rest = _IDS.sub(" ", text)
    asked: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    if ids:
        notes.append(f"{', '.join(ids)} in the text: taken as a study to be near to")
    readings = {
        "phase": list(_phases(rest)),
        "status": list(_statuses(rest)),
        "country": list(_countries(index, rest)),
    }
    for field, found in readings.items():
        for said, values in found:
            rest = rest.replace(said, " ", 1)
            if getattr(filters, field):
                notes.append(f"“{said.strip()}” in the text: left out, as a {field} is given")
                continue
            asked[field] = tuple(dict.fromkeys((*asked.get(field, ()), *values)))
            notes.append(f"“{said.strip()}” in the text: taken as a filter by {field}")
    if not (ids or asked or notes):
        return TextRequest(text, (), filters, ())
    rest = _LEFT_AT_ENDS.sub("", " ".join(rest.split()))
    return TextRequest(rest, ids, msgspec.structs.replace(filters, **asked), tuple(notes))


def _phases(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for found in _PHASES.finditer(text):
        numbers = [each.casefold().rstrip("ab") for each in found.groups()[1:] if each]
        named = tuple(_ROMAN.get(each, each) for each in numbers)
        yield found[0], tuple(f"early {each}" for each in named) if found[1] else named


def _statuses(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for found in _STATUS.finditer(text):
        word = _ADVERBS.sub("", found[1]).casefold()
        yield found[0], STATUS_WORDS.get(word, (word.replace("but ", ""),))


def _countries(index: OpenedIndex, text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    store = index.store
    names = index.remember(
        "how countries are written", lambda: written_countries(store.values_of("country"))
    )
    if not names:
        return
    pattern = index.remember("countries in a text", lambda: _places(names))
    for found in pattern.finditer(text):
        said = [each for each in _BETWEEN_PLACES.split(found[1]) if each]
        if all(len(each) > _LONGEST_CODE or each.isupper() for each in said):
            yield found[0], tuple(names[each.casefold()] for each in said)


def _places(names: Iterable[str]) -> re.Pattern[str]:
    one = "|".join(re.escape(each) for each in sorted(names, key=len, reverse=True))
    places = rf"(?:{one})(?:{_BETWEEN_PLACES.pattern}(?:{one}))*"
    return re.compile(rf"\b(?:in|from|across)\s+(?:the\s+)?({places})(?![\w-])", re.IGNORECASE)


def _unread(text: str, ids: tuple[str, ...]) -> Iterator[str]:
    said = [*ids, *(found[0].strip() for found in _PHASES.finditer(text))]
    if said:
        named = ", ".join(dict.fromkeys(said))
        yield f"in the text, and taken as words, for the text is long: {named}"
