"""What an outcome or a criterion is about, without how it is counted and when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

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

_PEOPLE = r"(?:participants?|patients?|subjects?|individuals|persons?|people|adults|children|infants|women|men|volunteers|cases|respondents|those)"
_PREAMBLES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^(?:to )?(?:evaluate|evaluation of|assess|assessment of|assessed by|determine|determination of|measure|measurement of|measuring|compare|comparison of|investigate|describe|estimate|examine|analysis of|demonstrate|study|monitor|monitoring of)\s+(?:the\s+)?",
        rf"^(?:the\s+)?(?:total\s+|cumulative\s+|overall\s+)?(?:number|numbers|percentage|percentages|percent|%|proportion|proportions|rate|rates|fraction|share|count|incidence|frequency|prevalence|occurrence)\s*(?:\([^)]*\)\s*)?(?:and\s+(?:percentage|percent|proportion|severity|number|rate)\s+)?(?:of|in)\s+(?:the\s+)?(?:\w+\s+){{0,2}}{_PEOPLE}\s+(?:who\s+(?:have|had|are|were|will|experienced?|develop(?:ed)?|achieved?|reach(?:ed)?|require[ds]?|need(?:ed)?)(?:\s+(?:be|been|at least one|a|an|any))*|that\s+\w+|with(?:\s+(?:at least one|an?|any))?|experiencing|having|achieving|developing|requiring|reaching|in need of)\s+",
        r"^(?:the\s+)?(?:cumulative\s+)?(?:incidence|frequency|occurrence|prevalence|number|proportion|percentage|rates?)\s+(?:rate\s+)?(?:and\s+(?:severity|nature|type|intensity)\s+)?of\s+(?:the\s+)?",
        r"^(?:the\s+)?(?:mean|median|average|absolute|relative|percent|percentage|%)?\s*(?:changes?|differences?|reduction|improvements?|decrease|increase|variation)\s+(?:from\s+(?:the\s+)?(?:baseline|screening|day \d+)(?:\s+(?:to|at|up to|until)\s+(?:week|day|month|year|the end)\s*[\w-]*)?\s+)?(?:in|of|on|for)\s+(?:the\s+)?",
        r"^(?:mean|median|average)\s+(?:the\s+)?",
    )
)
_NUMBER = r"(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
_TIMES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:at|by|on|to|until|till|up to|through|within|after|during|over|for|in|of|from|following|post|between)?\s*(?:the\s+)?(?:first\s+|end of\s+)?(?:study\s+)?(?:days?|weeks?|months?|years?|hours?|visits?)\s*{_NUMBER}(?:\s*(?:,|and|to|-|\u2013|or)\s*(?:(?:days?|weeks?|months?|years?)\s*)?{_NUMBER})*\b",
        rf"\b(?:at|by|on|to|until|till|up to|through|within|after|during|over|for|in|of|from|following|between)?\s*(?:the\s+)?(?:first\s+|next\s+)?{_NUMBER}(?:\s*(?:,|and|to|-|\u2013|or)\s*{_NUMBER})*[\s-]*(?:days?|weeks?|months?|years?|hours?|hrs?|minutes?|mins?|wks?|d|h)\b(?:\s+(?:after|post|of|from|following)\s+(?:the\s+)?(?:treatment|randomi[sz]ation|enrol?lment|inclusion|admission|baseline|intervention|surgery|last dose|first dose|start|study entry|therapy))*",
        r"\b(?:from|at|since|versus|vs\.?|compared (?:to|with)|relative to)\s+baseline\b(?:\s+(?:to|until)\s+(?:the\s+)?(?:end of (?:study|treatment)|follow[- ]?up))?",
        r"\b(?:at|until|through|by) (?:the )?(?:end of (?:the )?(?:study|treatment|trial|follow[- ]?up)|study completion|hospital discharge)\b",
    )
)
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
    for pattern in (*_PREAMBLES, *_PREAMBLES, *_TIMES):
        shorter = pattern.sub(" ", plain).strip(" ,;:.-")
        if sum(map(str.isalpha, shorter)) >= _LEAST_LEFT:
            plain = shorter
    return " ".join(plain.casefold().split())


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
    """Return the last words of a text whose initials an abbreviation has; empty if none."""
    if not _SHORT.match(short):
        return ""
    letters = [letter for letter in short.rstrip("s").casefold() if letter.isalnum()]
    words = list(_WORD.finditer(before))[-len(letters) :]
    initials = [word[0][0].casefold() for word in words]
    return before[words[0].start() :].strip(" ,-") if words and initials == letters else ""
