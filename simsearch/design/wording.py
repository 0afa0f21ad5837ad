"""What an outcome or a criterion is about, without how it is counted and when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from simsearch.design.wording_patterns import PREAMBLES, SAME, SIDES, TAILS, TIMES

_BRACKETS = re.compile(r"\s*[(\[]([^()\[\]]{1,60})[)\]]")
_WORD = re.compile(r"[^\W_]+")
_SHORT = re.compile(r"^[A-Z][A-Za-z0-9-]{1,7}s?$")
_KNOWN = MappingProxyType(
    {
        "AE": "adverse events", "AEs": "adverse events", "SAE": "serious adverse events",
        "SAEs": "serious adverse events", "TEAE": "treatment emergent adverse events",
        "TEAEs": "treatment emergent adverse events", "DLT": "dose limiting toxicity",
        "DLTs": "dose limiting toxicity", "MTD": "maximum tolerated dose",
        "OS": "overall survival", "PFS": "progression free survival",
        "DFS": "disease free survival", "EFS": "event free survival",
        "ORR": "overall response rate", "CR": "complete response",
        "PK": "pharmacokinetics", "QoL": "quality of life", "QOL": "quality of life",
        "ICU": "intensive care unit", "BMI": "body mass index", "BP": "blood pressure",
        "HRQoL": "health related quality of life", "HRQOL": "health related quality of life",
    }
)  # fmt: skip
"""Abbreviations that records use without explaining them."""

_EMPTY = re.compile(r"\(\W*\)|\[\W*\]")
_MOST_WORDS = 8  # that an abbreviation of other letters than their initials stands for
_LEAST_LEFT = 3  # letters; what leaves fewer says too much away


def wording(text: str, short: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return a text as it is compared: what it is about, spelled out, without counts and times.

    Args:
        text: as registered.
        short: abbreviation → what it stands for, beside those that everybody knows.
    """
    known = {**_KNOWN, **short}
    plain = " ".join(text.split())
    plain = _BRACKETS.sub(lambda found: _within(found[1], plain, known), plain)
    plain = _WORD.sub(lambda found: known.get(found[0], found[0]), plain)
    for pattern in (*PREAMBLES, *PREAMBLES, *TIMES, *TAILS):
        shorter = pattern.sub(" ", plain).strip(" ,;:.-")
        if sum(map(str.isalpha, shorter)) >= _LEAST_LEFT:
            plain = shorter
    plain = " ".join(_EMPTY.sub(" ", plain).replace("-", " ").casefold().split())
    for said, meant in SAME.items():
        plain = said.sub(meant, plain)
    return plain


_FREE = re.compile(r"\b(\w+) free (?:and \w+ )?survival|\b(overall) survival")
_ADVERSE = re.compile(r"\b(serious |severe )?(?:\w+ )?adverse (?:drug )?(?:events?|reactions?)")


def marks(text: str) -> frozenset[str]:
    """Return what distinguishes a wording from others of nearly the same words.

    Two wordings with marks of one kind, none of them the same, are two things:
    `survival: overall` and `survival: disease`.
    """
    found = {f"survival: {one or other}" for one, other in _FREE.findall(text)}
    found |= {f"adverse events: {each.strip() or 'any'}" for each in _ADVERSE.findall(text)}
    for kind, sides in SIDES.items():
        found |= {f"{kind}: {name}" for name, pattern in sides.items() if pattern.search(text)}
    return frozenset(found)


def differ(one: frozenset[str], other: frozenset[str]) -> bool:
    """Report whether the marks of two wordings make two things of them."""
    kinds = {each.partition(":")[0] for each in one} & {each.partition(":")[0] for each in other}
    return any(
        {each for each in one if each.startswith(f"{kind}:")}.isdisjoint(
            each for each in other if each.startswith(f"{kind}:")
        )
        for kind in kinds
    )


def shared_abbreviations(texts: Iterable[str]) -> dict[str, str]:
    """Return the abbreviations that texts explain in brackets: `Overall survival (OS)`."""
    found: dict[str, str] = {}
    for text in texts:
        for each in _BRACKETS.finditer(text):
            stands_for = _spelled(each[1].strip(), text[: each.start()])
            if stands_for:
                found.setdefault(each[1].strip(), stands_for.casefold())
    return found


def _within(inner: str, whole: str, known: Mapping[str, str]) -> str:
    """Return what stands in brackets, unless it only abbreviates what stands before."""
    before = whole[: whole.find(f"({inner}")]
    if inner.strip() in known or _spelled(inner.strip(), before):
        return ""
    return f" ({inner})"


def _spelled(short: str, before: str) -> str:
    """Return the words before an abbreviation that it stands for; empty if they are others.

    Those are the last ones, whose initials it has, or all of a few that have its letters in
    order: `Diffusing capacity of the lungs for carbon monoxide (DLCO)`.
    """
    if not _SHORT.match(short):
        return ""
    letters = [letter for letter in short.rstrip("s").casefold() if letter.isalnum()]
    every = list(_WORD.finditer(before))
    words = every[-len(letters) :]
    if words and [word[0][0].casefold() for word in words] == letters:
        return before[words[0].start() :].strip(" ,-")
    if len(letters) < _LEAST_LEFT or not 1 < len(every) <= _MOST_WORDS:
        return ""
    rest = iter(before.casefold().lstrip())
    is_in = before.casefold().lstrip().startswith(letters[0]) and all(
        letter in rest for letter in letters
    )
    return before.strip(" ,-") if is_in else ""
