"""A registered study, how its NCT ID is parsed, and how its status and phases read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from types import MappingProxyType

import msgspec

from simsearch.errors import NctIdError
from simsearch.facts import Facts

# NCT00000000 is not an ID.
_CANONICAL = re.compile(r"NCT(?!0{8})[0-9]{8}")
# A text that is nothing but an NCT ID. With more than eight digits it is a typing error: dropping
# one of them would give another study.
_WHOLE = re.compile(r"NCT[\s_:-]*(?=[0-9]{1,8}$)0*([1-9][0-9]{0,7})", re.IGNORECASE)
# An NCT ID within a longer text, such as the address of a page: all eight digits, or a typing
# error (NCT0137046O, NCT0137 0460) would be read as the short form of another study.
_INSIDE = re.compile(
    r"(?<![A-Za-z0-9])NCT(?!0{8})([0-9]{8})(?![A-Za-z0-9]|[.,][0-9])", re.IGNORECASE
)
# In prose, NCT with fewer than five digits is something else (NCT 3 is a chemical).
_NAMED = re.compile(
    r"(?<![A-Za-z0-9])NCT(?:\s*|[\W_]{1,3})(?=[0-9]{5,8}(?![0-9]))0*([1-9][0-9]{0,7})(?![0-9])"
)

_STATUS_LABELS = MappingProxyType(
    {
        "ACTIVE_NOT_RECRUITING": "Active, not recruiting",
        "ENROLLING_BY_INVITATION": "By invitation",
        "NO_LONGER_AVAILABLE": "No longer available",
        "NOT_YET_RECRUITING": "Not yet recruiting",
        "TEMPORARILY_NOT_AVAILABLE": "Temporarily not available",
    }
)

NOT_AN_ID = "is not an NCT ID"
"""The reason of a `NctIdError` for a text without one."""

STUDY_URL = "https://clinicaltrials.gov/study/"


class Intervention(msgspec.Struct, frozen=True, gc=False):
    """An intervention of a study; `type` is the registry's enum (DRUG, DEVICE, ...) or empty.

    `other_names` are the registered synonyms: brand names, codes, spellings.
    """

    name: str
    type: str = ""
    other_names: tuple[str, ...] = ()


class Study(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The fields that simsearch keeps of a registered study.

    Text is clean (see `records.text`). A missing text is `""`, a missing list `()`; a missing
    number or yes/no is `None`. Dates are as precise as registered: `2018`, `2018-06` or
    `2018-06-10`.
    """

    nct_id: str
    aliases: tuple[str, ...] = ()
    title: str = ""
    official_title: str = ""
    acronym: str = ""
    summary: str = ""
    conditions: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    condition_mesh: tuple[str, ...] = ()
    intervention_mesh: tuple[str, ...] = ()
    status: str = ""
    last_known_status: str = ""
    """The status before the registry set it to UNKNOWN because nobody updated the record."""
    study_type: str = ""
    phases: tuple[str, ...] = ()
    sponsor: str = ""
    countries: tuple[str, ...] = ()
    start_date: str = ""
    completion_date: str = ""
    last_update_date: str = ""
    outcomes: tuple[str, ...] = ()
    """Measures of the primary outcomes, then of the secondary ones; at most the first 30."""
    mentions: tuple[str, ...] = ()
    """NCT IDs of other studies named in the record's texts or among its other numbers, sorted."""
    enrollment: int | None = None
    has_results: bool | None = None
    data_version: str = ""
    """Date of the registry data that the record was downloaded from, if the record gives it."""
    facts: Facts | None = None
    """What is shown and compared; None where it was not read (an index gives it by itself)."""

    @property
    def url(self) -> str:
        """The address of the study's page at ClinicalTrials.gov; empty for a draft."""
        return STUDY_URL + self.nct_id if self.nct_id else ""


def parse_nct_id(text: str) -> str:
    """Return the NCT ID that `text` is or contains, in its canonical form: `NCT` and eight digits.

    `text` may be in lower case, contain blanks, lack leading zeros, or be the address of a
    study's page.

    Raises:
        NctIdError: `text` contains no NCT ID, or several different ones.
    """
    if _CANONICAL.fullmatch(text):
        return text
    plain = unicodedata.normalize("NFKC", text).strip()
    whole = _WHOLE.fullmatch(plain)
    if whole:
        return canonical_nct_id(whole[1])
    inside = {canonical_nct_id(digits) for digits in _INSIDE.findall(plain)}
    if len(inside) == 1:
        return inside.pop()
    if inside:
        raise NctIdError(text, f"names {len(inside)} studies instead of one")
    raise NctIdError(text, NOT_AN_ID)


def is_nct_id(text: str) -> bool:
    """Report whether a text is, or contains, one NCT ID; see `parse_nct_id`."""
    try:
        return bool(parse_nct_id(text))
    except NctIdError:
        return False


def named_nct_ids(text: str) -> set[str]:
    """Return the NCT IDs that prose names, in canonical form: `NCT` and five to eight digits.

    White space or up to three punctuation characters may separate the letters from the digits,
    such as a line break. Only capitals count: registrants write no others, and words such as
    "function" would slow the search down.
    """
    if "NCT" not in text:  # as in nearly every text; this check is fast
        return set()
    return {canonical_nct_id(digits) for digits in _NAMED.findall(text)}


def canonical_nct_id(digits: str) -> str:
    """Return the NCT ID with this number, given as one to eight digits."""
    return f"NCT{int(digits):08d}"


def phase_label(phases: Sequence[str]) -> str:
    """Return phases as people write them: `2`, `1/2`, `early 1`, `n/a`; `""` if there are none."""
    if not phases:
        return ""
    named = [phase.replace("EARLY_PHASE", "early ").removeprefix("PHASE") for phase in phases]
    return "/".join("n/a" if name == "NA" else name for name in named)


def status_label(status: str) -> str:
    """Return an overall status as people write it."""
    return _STATUS_LABELS.get(status, status.replace("_", " ").capitalize())
