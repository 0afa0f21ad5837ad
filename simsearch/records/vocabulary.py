"""The vocabulary and dates of older forms → those of the API v2.

The legacy XML, AACT before June 2024 and API v1 have "Active, not recruiting",
"Phase 1/Phase 2", "Dietary Supplement", "April 8, 2020"; the API v2 has
ACTIVE_NOT_RECRUITING, [PHASE1, PHASE2], DIETARY_SUPPLEMENT, 2020-04-08. An unknown word is
converted to the same style and kept, because the registry adds new ones now and then.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from functools import lru_cache
from types import MappingProxyType

# All records share few distinct words and dates, so each conversion is done once.
_CACHE_SIZE = 2**16

_NOTHING = frozenset({"", "N/A", "NA", "NONE"})
# Spelled out, because those of the system are in the user's language.
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_ISO_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
# A data frame turns 30 into 30.0 if other cells of the column are empty; people write 1,200.
_COUNT = re.compile(r"([0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.0+)?")
_WORDED_DATE = re.compile(r"([A-Za-z]+) (?:([0-9]{1,2}), ?)?([0-9]{4})")

# Country names that the registry no longer uses, or writes with a bracket → the name used here.
_COUNTRIES = MappingProxyType(
    {
        "Bolivia, Plurinational State of": "Bolivia",
        "Brunei Darussalam": "Brunei",
        "Cape Verde": "Cabo Verde",
        "Congo, The Democratic Republic of the": "Democratic Republic of the Congo",
        "Czech Republic": "Czechia",
        "Côte D'Ivoire": "Côte d'Ivoire",
        "Former Serbia and Montenegro": "Serbia",
        "Holy See (Vatican City State)": "Vatican City",
        "Iran, Islamic Republic of": "Iran",
        "Korea, Democratic People's Republic of": "North Korea",
        "Korea, Republic of": "South Korea",
        "Lao People's Democratic Republic": "Laos",
        "Libyan Arab Jamahiriya": "Libya",
        "Macedonia, The Former Yugoslav Republic of": "North Macedonia",
        "Micronesia, Federated States of": "Micronesia",
        "Moldova, Republic of": "Moldova",
        "Palestinian Territories, Occupied": "Palestinian Territories",
        "Palestinian Territory, occupied": "Palestinian Territories",
        "Russian Federation": "Russia",
        "Swaziland": "Eswatini",
        "Syrian Arab Republic": "Syria",
        "Taiwan, Province of China": "Taiwan",
        "Tanzania, United Republic of": "Tanzania",
        "The Democratic Republic of the Congo": "Democratic Republic of the Congo",
        "The Gambia": "Gambia",
        "Turkey (Türkiye)": "Turkey",
        "Türkiye": "Turkey",
        "Viet Nam": "Vietnam",
    }
)


INTERVENTION_TYPES = frozenset(
    {"BEHAVIORAL", "BIOLOGICAL", "COMBINATION_PRODUCT", "DEVICE", "DIAGNOSTIC_TEST",
     "DIETARY_SUPPLEMENT", "DRUG", "GENETIC", "OTHER", "PROCEDURE", "RADIATION"}
)  # fmt: skip

# Words of the older forms → those of the API v2, where more than the style differs.
_WORDS = MappingProxyType(
    {
        "N_A": "NA",
        "ANTICIPATED": "ESTIMATED",
        "ESTIMATE": "ESTIMATED",
        "BOTH": "ALL",
        "U_S_FED": "FED",
        "INDIVIDUAL": "INDIV",
        "OPEN_LABEL": "NONE",
        "SINGLE_BLIND": "SINGLE",
        "DOUBLE_BLIND": "DOUBLE",
        "SUBJECT": "PARTICIPANT",
        "CAREGIVER": "CARE_PROVIDER",
    }
)
_MASKED = ("PARTICIPANT", "CARE_PROVIDER", "INVESTIGATOR", "OUTCOMES_ASSESSOR")
_DESIGN_PART = re.compile(r"(?:^|[|,;])\s*([A-Z][A-Za-z ]+):")


@lru_cache(maxsize=_CACHE_SIZE)
def word(text: str) -> str:
    """Return a word of any enumeration as the API v2 has it: `Parallel Assignment` → `PARALLEL`."""
    plain = _upper_snake(text).removesuffix("_ASSIGNMENT")
    return _WORDS.get(plain, plain)


@lru_cache(maxsize=_CACHE_SIZE)
def masking(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a masking and who is masked: `Double Blind (Subject, Investigator)`."""
    kind, _, names = text.partition("(")
    plain = word(kind)
    masked = () if plain == "NONE" else tuple(map(word, names.rstrip(") ").split(",")))
    return plain, tuple(filter(None, masked))


@lru_cache(maxsize=_CACHE_SIZE)
def who_masked(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return who is masked, in the registry's order, and then those whom it does not know."""
    found = dict.fromkeys(filter(None, map(word, texts)))
    known = [each for each in _MASKED if each in found]
    return (*known, *(each for each in found if each not in _MASKED))


@lru_cache(maxsize=_CACHE_SIZE)
def design(text: str) -> dict[str, str]:
    """Return name → value of the parts of a design in one text, names in lower case.

    `Allocation: Randomized, Masking: Double Blind (Subject, Caregiver)`; the parts may be
    separated by bars, too.
    """
    marks = list(_DESIGN_PART.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return {
        mark[1].lower(): text[mark.end() : end].strip()
        for mark, end in zip(marks, ends, strict=False)
    }


def yes_or_no(text: str | None) -> bool | None:
    """Return what a cell or element says: `t`, `Yes`, `Accepts Healthy Volunteers`, `No`, …."""
    plain = (text or "").strip().lower()
    if plain in {"t", "true", "yes", "y", "1"} or plain.startswith("accepts"):
        return True
    return False if plain in {"f", "false", "no", "n", "0"} else None


@lru_cache(maxsize=_CACHE_SIZE)
def status(text: str) -> str:
    """Return an overall status as the API v2 has it: `Unknown status` → `UNKNOWN`."""
    return _upper_snake(text).removesuffix("_STATUS")


@lru_cache(maxsize=_CACHE_SIZE)
def phases(text: str) -> tuple[str, ...]:
    """Return the phases in a text such as `Phase 1/Phase 2`, `PHASE1|PHASE2` or `N/A`."""
    if text.strip().upper() in {"N/A", "NA", "NOT APPLICABLE"}:
        return ("NA",)
    parts = (_upper_snake(part) for part in re.split(r"[/|]", text) if part.strip())
    named = (re.sub(r"PHASE_(?=[0-9])", "PHASE", part) for part in parts)
    return tuple("EARLY_PHASE1" if name == "PHASE0" else name for name in named)


@lru_cache(maxsize=_CACHE_SIZE)
def study_type(text: str) -> str:
    """Return a study type, without the subtype: `Observational [Patient Registry]`."""
    bare = re.split(r"[\[:]", text)[0].strip()
    return "" if bare.upper() in _NOTHING else _upper_snake(bare)


@lru_cache(maxsize=_CACHE_SIZE)
def intervention_type(text: str) -> str:
    """Return an intervention type: `Dietary Supplement` → `DIETARY_SUPPLEMENT`."""
    return _upper_snake(text)


@lru_cache(maxsize=_CACHE_SIZE)
def date(text: str) -> str:
    """Return a date as an ISO date of the same precision (`March 2018` → `2018-03`), or `""`."""
    text = " ".join(text.split())
    worded = _WORDED_DATE.fullmatch(text)
    if worded and (month := worded[1].lower()) in _MONTHS:
        day = f"-{int(worded[2]):02d}" if worded[2] else ""
        text = f"{worded[3]}-{_MONTHS.index(month) + 1:02d}{day}"
    return text if _ISO_DATE.fullmatch(text) and _is_day(text) else ""


def _is_day(text: str) -> bool:
    """Return whether an ISO date exists in the calendar; `2018-06` does if `2018-06-01` does."""
    try:
        dt.date.fromisoformat(text + "0000-01-01"[len(text) :])
    except ValueError:
        return False
    return True


def count(value: object) -> int | None:
    """Return a number of participants: 30, `30`, `30.0` and `1,200` are; None for all else."""
    if isinstance(value, str):
        digits = _COUNT.fullmatch(value.strip())
        return int(digits[1].replace(",", "")) if digits else None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def degrees(text: str | None) -> float | None:
    """Return a latitude or longitude, or None if the text is no number."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def country(text: str) -> str:
    """Return the name used here for a country that the registry has renamed."""
    return _COUNTRIES.get(text, text)


def _upper_snake(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text.strip()).strip("_").upper()
