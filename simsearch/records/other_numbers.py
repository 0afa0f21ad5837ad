"""The numbers that a trial has elsewhere: in other registries, and its sponsor's own.

Registrants write them in every spelling, and into fields of another name: a number is recognised
by its shape, whatever the record calls it. Numbers of grants are none of a study, nor are
fillers and dummies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from types import MappingProxyType

from simsearch.errors import NctIdError
from simsearch.facts import OtherNumber
from simsearch.records.number_shapes import CLINICALTRIALS_GOV, numbers_in
from simsearch.records.text import clean_name
from simsearch.study import parse_nct_id

RawNumber = tuple[str | None, ...]
"""A number as a record has it; where known, its type, and the registry or body that gave it."""

_GRANT_KINDS = frozenset({"NIH", "FDA", "VA", "CDC", "AHRQ", "SAMHSA", "OTHER_GRANT"})
# Activity code, institute and serial number, with what agencies and registrants put around them:
# R01HL037597, 2R44DA047150, 1R41MH118130-01, N01 HR16146, NCRR-M01RR01070-0506, R01-03818-1.
_INSTITUTES = (
    "AA|AG|AI|AR|AT|CA|CB|CL|CM|CN|CO|CP|CT|CX|DA|DC|DE|DK|EB|ES|EY|GM|HB|HC|HD|HG|HL|HR|HS|HV"
    "|LM|LR|MD|MH|NR|NS|OD|OH|RR|TR|TW"
)
_FILLER = re.compile(
    r"\W*|0+|n\W?a|nil|no|none|not (?:applicable|available|assigned|yet.*)|null|pending|tb[ad]"
    r"|unknown|to be .*|same|self|other|test",
    re.IGNORECASE,
)
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d", "-"))
_NO_LETTER = re.compile(r"[\W_]+")
_DUMMY_NCT = frozenset({"NCT12345678", "NCT87654321", "NCT01234567", "NCT99999999"})
_EU_CT_LENGTH = 12  # digits without the number of the resubmission
_LONGEST = 100

# What a record calls the body, or the type of the number → the prefix that the number lacks.
_PREFIXES = MappingProxyType(
    {
        "isrctn": "ISRCTN", "eudract": "EudraCT ", "ctis": "CTIS ", "eu ct": "CTIS ",
        "clinicaltrialsregister": "EudraCT ", "anzctr": "ACTRN", "actrn": "ACTRN",
        "australian new zealand": "ACTRN", "drks": "DRKS", "german clinical": "DRKS",
        "chictr": "ChiCTR", "chinese clinical": "ChiCTR", "umin": "UMIN", "jrct": "jRCT",
        "japic": "JapicCTI-", "ctri": "CTRI/", "registry-india": "CTRI/",
        "registry - india": "CTRI/", "netherlands trial": "NTR", "nederlands trial": "NTR",
        "dutch trial": "NTR", "ntr": "NTR", "utn": "U", "universal trial": "U", "irct": "IRCT",
        "iranian": "IRCT", "pan african": "PACTR", "pactr": "PACTR", "cris": "KCT",
        "thai clinical": "TCTR", "ctrp": "NCI-", "pdq": "CDR",
    }
)  # fmt: skip
_KINDS = MappingProxyType({"EUDRACT_NUMBER": "EudraCT ", "CTIS": "CTIS "})


@cache
def _grant() -> re.Pattern[str]:
    return re.compile(
        r"(?:N(?:IH|CI|IDA|CRR|HLBI|IAID|IMH|ICHD|IDDK|INDS|EI|IA|IAAA)[\s#:-]*)?"
        r"(?:grant[\s#:-]*)?(?:[1-9][\s-]?)?(?:[A-Z]\d[0-9A-Z]|[A-Z]{2}\d|Z[A-Z]{2})[\s-]?"
        rf"(?:(?:{_INSTITUTES})[\s-]?\d{{4,7}}[A-Z]?(?:[\s-].{{0,12}})?|-?0\d{{4}}-\d{{1,3}})",
        re.IGNORECASE,
    )


def other_number(
    text: str | None, kind: str | None = "", domain: str | None = ""
) -> OtherNumber | None:
    """Return a number of a study in its normal form, with its registry.

    Args:
        text: the number, in any spelling, perhaps with a label.
        kind: its type, as API v2 and AACT have it (`EUDRACT_NUMBER`, `NIH`, …).
        domain: the registry or body that gave it, in words.

    Returns:
        The number; with the registry `""` if it is no registry's: the sponsor's own. None for a
        filler, a dummy, and the number of a grant.
    """
    return next(_numbers_of(text, kind, domain), None)


def other_numbers(raw: Iterable[RawNumber], own: Iterable[str] = ()) -> tuple[OtherNumber, ...]:
    """Return the numbers of a study, each once, as they come: (number, type, domain) each.

    Args:
        raw: the numbers as the record has them; one text may hold several.
        own: the study's own NCT IDs, the obsolete ones too; they are none of another registry.
    """
    own_keys = set(map(number_key, own))
    found: dict[str, OtherNumber] = {}
    for each in raw:
        for number in _numbers_of(*each):
            key = key_of(number)
            if key and key not in own_keys:
                found.setdefault(key, number)
    return tuple(found.values())


def number_key(text: str) -> str:
    """Return what is equal for two spellings of one number, and `""` for none; see `key_of`."""
    return key_of(_of_registry(text) or OtherNumber(_spelled(text)))


def is_of_registry(text: str) -> bool:
    """Report whether a text is a number of another registry, by its shape."""
    return bool(_of_registry(text))


def looks_like_number(text: str) -> bool:
    """Report whether a text may be a number of a study elsewhere: it has digits, and no `NCT`."""
    return any(map(str.isdecimal, text)) and "NCT" not in text.upper()


def study_number(text: str) -> str:
    """Return the number of a study that a text is: an NCT ID, or one of another registry.

    Raises:
        NctIdError: it is neither.
    """
    try:
        return parse_nct_id(text)
    except NctIdError:
        if known := _of_registry(text):
            return known.number
        raise


def _of_registry(text: str) -> OtherNumber | None:
    plain = _spelled(text)
    known = next(numbers_in(plain), None)
    if known and known.registry != CLINICALTRIALS_GOV and _is_whole(known.number, plain):
        return known
    return None


def key_of(number: OtherNumber) -> str:
    """Return what is equal for two spellings of one number: its letters and digits.

    A number of the EU's register is meant without the number of its resubmission
    (`2023-508524-35-00`), a ChiCTR number without the code of its kind.
    """
    bare = _NO_LETTER.sub("", number.number).upper()
    if number.registry == "EU CT":
        return bare[:_EU_CT_LENGTH]
    if number.registry == "ChiCTR":
        return "CHICTR" + "".join(filter(str.isdecimal, bare))
    return bare


def _numbers_of(
    text: str | None, kind: str | None = None, domain: str | None = None
) -> Iterator[OtherNumber]:
    plain = _spelled(clean_name(text))[:_LONGEST]
    if not plain or kind in _GRANT_KINDS or _grant().fullmatch(plain) or _FILLER.fullmatch(plain):
        return
    known = list(numbers_in(plain)) or _by_its_body(plain, kind, domain)
    if not known:
        yield OtherNumber(plain)
    elif known[0].registry == CLINICALTRIALS_GOV and not _is_whole(known[0].number, plain):
        yield OtherNumber(plain)  # a number with a study's own in brackets: it means the first
    yield from (each for each in known if not _is_dummy(each))


def _by_its_body(plain: str, kind: str | None, domain: str | None) -> list[OtherNumber]:
    """Return the number of a record that names the registry beside it, or in its place."""
    body = (domain or "").casefold()
    if not (body or kind in _KINDS):
        return []
    prefixes = [prefix for name, prefix in _PREFIXES.items() if name in body]
    prefixes += [_KINDS[kind]] if kind and kind in _KINDS else []
    for prefix in prefixes:
        for each in numbers_in(prefix + plain):
            if _is_whole(each.number, prefix + plain):
                return [each]
    return list(numbers_in(_spelled(domain or "")))


def _spelled(text: str) -> str:
    """Return a number with plain dashes and single blanks."""
    return " ".join(text.translate(_DASHES).split()).strip(" .,;:#")


def _is_whole(number: str, text: str) -> bool:
    """Report whether a text is a number and, at most, its label."""
    return sum(map(str.isdecimal, text)) <= sum(map(str.isdecimal, number))  # some are padded


def _is_dummy(number: OtherNumber) -> bool:
    digits = "".join(filter(str.isdecimal, number.number.removeprefix("U1111")))
    return len(set(digits)) == 1 or number.number in _DUMMY_NCT
