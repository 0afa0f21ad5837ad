"""One registered study, and the NCT IDs that name it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from types import MappingProxyType

import msgspec

from simsearch.errors import NctIdError

# The registry's own pattern for one study: zeros are optional, NCT00000000 is no ID.
_CANONICAL = re.compile(r"NCT(?!0{8})[0-9]{8}")
# More than eight digits are a slip of the finger, which would answer for another study.
_WHOLE = re.compile(r"NCT[\s_:-]*(?=[0-9]{1,8}$)0*([1-9][0-9]{0,7})", re.IGNORECASE)
_INSIDE = re.compile(
    r"(?<![A-Za-z0-9])NCT(?=[0-9]{1,8}(?![0-9]))0*([1-9][0-9]{0,7})(?![0-9])", re.IGNORECASE
)
# In running text fewer than five digits are something else (NCT 3, a chemical).
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

STUDY_URL = "https://clinicaltrials.gov/study/"


class Intervention(msgspec.Struct, frozen=True, gc=False):
    """What is given or done; `type` is the registry's enum (DRUG, DEVICE, ...) or empty.

    `other_names` are its synonyms as registered: brand names, codes, spellings.
    """

    name: str
    type: str = ""
    other_names: tuple[str, ...] = ()


class Study(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is kept of one registered study.

    Text is clean (see `records.text`). Missing text is `""`, a missing list `()`;
    only a number or a yes/no that the record does not give is `None`. Dates are the
    registry's, as precise as registered: `2018`, `2018-06` or `2018-06-10`.
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
    """The status before it became UNKNOWN for want of news."""
    study_type: str = ""
    phases: tuple[str, ...] = ()
    sponsor: str = ""
    countries: tuple[str, ...] = ()
    start_date: str = ""
    completion_date: str = ""
    last_update_date: str = ""
    outcomes: tuple[str, ...] = ()
    """What is measured, the primary outcomes before the secondary, the first few of them."""
    mentions: tuple[str, ...] = ()
    """NCT IDs of the other studies that the record names in its texts or numbers, sorted."""
    enrollment: int | None = None
    has_results: bool | None = None
    data_version: str = ""
    """Date of the registry's data that the record was downloaded with, where it says so."""

    @property
    def url(self) -> str:
        """Address of the study's page at ClinicalTrials.gov; empty for a draft."""
        return STUDY_URL + self.nct_id if self.nct_id else ""


def parse_nct_id(text: str) -> str:
    """Return the canonical NCT ID (`NCT` and eight digits) that `text` spells or holds.

    Lower case, blanks around or inside, missing zeros and addresses of a study's
    page are understood.

    Raises:
        NctIdError: `text` holds no NCT ID, or several different ones.
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
        raise NctIdError(text, f"names {len(inside)} studies, where one is needed")
    raise NctIdError(text, "is no NCT ID")


def named_nct_ids(text: str) -> set[str]:
    """Return the canonical NCT IDs that a running text names: `NCT` and five to eight digits.

    Of less than eight the first is no 0: there a digit was lost, and which study is meant
    cannot be known.

    The digits may stand apart from the letters, as where a line was broken between them.
    Capitals only: registrants write no others, and "function" would cost a closer look.
    """
    if "NCT" not in text:  # nearly every text, at the speed of C
        return set()
    return {canonical_nct_id(digits) for digits in _NAMED.findall(text)}


def canonical_nct_id(digits: str) -> str:
    """Return the NCT ID of a number given as one to eight digits."""
    return f"NCT{int(digits):08d}"


def phase_label(phases: Sequence[str]) -> str:
    """Return phases as people write them: `2`, `1/2`, `early 1`, `n/a`, or `` for none."""
    if not phases:
        return ""
    named = [phase.replace("EARLY_PHASE", "early ").removeprefix("PHASE") for phase in phases]
    return "/".join("n/a" if name == "NA" else name for name in named)


def status_label(status: str) -> str:
    """Return an overall status as people write it."""
    return _STATUS_LABELS.get(status, status.replace("_", " ").capitalize())
