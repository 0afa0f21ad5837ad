"""The shapes of the numbers that trials have in other registries, and their normal forms.

Each shape is found within a longer text, in any spelling that registrants use (`EudraCT No.:
2006-006752-35`, `UTN: U1111-1251-8195`), and written as its own registry writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

import msgspec

from simsearch.facts import OtherNumber

CLINICALTRIALS_GOV = "ClinicalTrials.gov"

_LABEL = r"(?:\W{0,2}\b(?:number|nr|no|n|ref|code|id)\b)?[\s:.#°º-]{0,5}"
_EUDRACT = rf"(?:eudra[\s-]?(?:ct|c)?{_LABEL})"
_DASH = r"[-\u2010-\u2015\u2212]"
_SEPARATED = r"[-\s/\u2010-\u2015\u2212]{0,2}"


class _Shape(msgspec.Struct, frozen=True):
    """`pattern` matches the number with its prefix; `written` is its normal form.

    `written` takes the digits of the match (those of a label have none) and the whole match.
    """

    registry: str
    pattern: str
    written: Callable[[str, str], str]


def _after(prefix: str) -> Callable[[str, str], str]:
    return lambda digits, _: prefix + digits


def _cut(*ends: int, prefix: str = "", by: str = "-") -> Callable[[str, str], str]:
    """Return what writes digits in groups that end at these places."""
    starts = (0, *ends)

    def written(digits: str, _: str) -> str:
        groups = [digits[start:end] for start, end in zip(starts, (*ends, None), strict=True)]
        return prefix + by.join(filter(None, groups))

    return written


def _chictr(digits: str, text: str) -> str:
    kind = re.search(r"chictr[\s-]*([a-z]{2,5})", text, re.IGNORECASE)
    return f"ChiCTR-{kind[1].upper()}-{digits}" if kind else f"ChiCTR{digits}"


def _jrct(digits: str, text: str) -> str:
    kind = re.search(r"jrct[\s-]*([a-z]*)", text, re.IGNORECASE)
    return f"jRCT{kind[1].casefold() if kind else ''}{digits}"


def _irct(_: str, text: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", text.upper())


def _rbr(_: str, text: str) -> str:
    return f"RBR-{re.split(r'[^0-9a-z]+', text.casefold().removeprefix('rbr'))[-1]}"


def _nmrr(_: str, text: str) -> str:
    return re.sub(r"[\s-]+", "-", text.upper())


def _id_rcb(digits: str, _: str) -> str:
    return f"{digits[:4]}-A{digits[4:9]}-{digits[9:]}"


def _ctri(digits: str, _: str) -> str:
    return f"CTRI/{digits[:4]}/{digits[4:-6]}/{digits[-6:]}"


def _slctr(digits: str, _: str) -> str:
    return f"SLCTR/{digits[:4]}/{int(digits[4:]):03d}"


_SHAPES = (
    _Shape(CLINICALTRIALS_GOV, r"NCT[\W_]{0,3}\d{8}", _after("NCT")),
    _Shape("EU CT", rf"(?:(?:EU[\s-]?CT|CTIS){_LABEL}|{_EUDRACT})?20\d\d{_DASH}5\d{{5}}"
           rf"{_DASH}\d\d(?:{_DASH}\d\d)?", _cut(4, 10, 12)),
    _Shape("EudraCT", rf"{_EUDRACT}20\d\d{_SEPARATED}\d{{6}}{_SEPARATED}\d\d"
           rf"|20\d\d{_DASH}\d{{6}}{_DASH}\d\d", _cut(4, 10, 12)),
    _Shape("ISRCTN", rf"ISRCTN{_LABEL}\d{{8}}", _after("ISRCTN")),
    _Shape("UTN", rf"(?:UTN{_LABEL})?U[\s-]?1111{_DASH}?\d{{4}}{_DASH}?\d{{4}}",
           _cut(4, 8, prefix="U")),
    _Shape("ChiCTR", r"ChiCTR(?:[\s-]?[a-z]{2,5}[\s-])?[\s:#-]{0,2}\d{8,10}", _chictr),
    _Shape("JPRN", r"(?:JPRN[\s-]?)?UMIN(?:[\s-]?(?:CTR|ID))*[\s:#-]{0,2}C?\d{9}", _after("UMIN")),
    _Shape("JPRN", r"(?:JPRN[\s-]?)?jRCT[\s-]?[a-z]?\d{9,10}", _jrct),
    _Shape("JPRN", r"(?:JPRN[\s-]?)?Japi[cn][\s-]?CTI[\s-]{0,2}\d\d-?\d{4}", _after("JapicCTI-")),
    _Shape("JPRN", r"(?:JPRN[\s-]?)?JMA-IIA\d{5}", _after("JMA-IIA")),
    _Shape("ANZCTR", r"AC?TRN[\s:#-]{0,2}\d{14}p?|ANZCTR[\s:#-]{0,2}\d{14}p?", _after("ACTRN")),
    _Shape("DRKS", r"DRKS[\s:#-]{0,2}(?:ID[\s:]{0,2})?\d{8}", _after("DRKS")),
    _Shape("CTRI", r"CTRI[\s/-]{0,2}20\d\d[/-]\d{2,3}[/-]\d{6}", _ctri),
    _Shape("NTR", r"NTR[\s:#-]{0,2}\d{3,5}", _after("NTR")),
    _Shape("OMON", r"NL-OMON\d{4,6}", _after("NL-OMON")),
    _Shape("CCMO", r"NL[\s-]?\d{5}\.\d{3}\.\d{2}", _cut(5, 8, prefix="NL", by=".")),
    _Shape("ReBEC", r"RBR-(?=[a-z]*\d)[0-9a-z]{6,8}", _rbr),
    _Shape("PACTR", r"PACTR[\s:#-]{0,2}\d{15,16}", _after("PACTR")),
    _Shape("IRCT", r"IRCT[\s:-]{0,2}\d{4}-?\d{4,10}N\d{1,3}", _irct),
    _Shape("CRIS", r"KCT[\s-]?\d{7}", _after("KCT")),
    _Shape("SLCTR", r"SLCTR[\s/-]{0,2}20\d\d[/-]\d{1,4}", _slctr),
    _Shape("TCTR", r"TCTR[\s-]?\d{11}", _after("TCTR")),
    _Shape("RPCEC", r"RPCEC[\s-]?\d{8}", _after("RPCEC")),
    _Shape("REPEC", r"PER-\d{3}-\d{2}", _cut(3, prefix="PER-")),
    _Shape("LBCTR", r"LBCTR[\s-]?\d{10}", _after("LBCTR")),
    _Shape("ITMCTR", r"ITMCTR[\s-]?\d{10}", _after("ITMCTR")),
    _Shape("HKUCTR", r"HKUCTR[\s-]?\d{2,5}", _after("HKUCTR-")),
    _Shape("HKCTR", r"HKCTR[\s-]?\d{2,5}", _after("HKCTR-")),
    _Shape("PHRR", r"PHRR[\s-]?\d{6}-\d{6}", _cut(6, prefix="PHRR")),
    _Shape("SNCTP", r"SNCTP[\s-]?\d{9}", _after("SNCTP")),
    _Shape("ChinaDrugTrials", r"CTR20\d{6}", _after("CTR")),
    _Shape("NMRR", r"NMRR-(?:ID-)?\d\d-\d{3,5}-[0-9A-Z]{3,6}", _nmrr),
    _Shape("ID-RCB", r"(?:ID[\s-]?RCB[\s:-]{0,3})?20\d\d-A\d{5}-\d\d", _id_rcb),
    _Shape("EUDAMED", r"CIV-\d\d-\d\d-\d{6}", _cut(2, 4, prefix="CIV-")),
    _Shape("EU PAS", r"EUPAS[\s-]?\d{3,12}", _after("EUPAS")),
    _Shape("EU PAS", r"ENCEPP/SDPP/\d{3,6}", _after("ENCEPP/SDPP/")),
    _Shape("NCI CTRP", r"NCI-20\d\d-\d{5}", _cut(4, prefix="NCI-")),
    _Shape("NCI PDQ", r"CDR\d{10}", _after("CDR")),
)  # fmt: skip
"""In the order in which they are tried."""


@cache
def _number() -> re.Pattern[str]:
    """Return the pattern of all shapes; a query that needs none is spared the compiling."""
    shapes = "|".join(f"(?P<s{at}>{each.pattern})" for at, each in enumerate(_SHAPES))
    return re.compile(rf"(?<![^\W_])(?:{shapes})(?![^\W_]|-\d)", re.IGNORECASE)


# Every number but these few has five digits in a row, which most texts have not.
_SHORT = ("1111", "CTR", "apicCTI", "NMRR", "NTR", "PER-", "RBR-")
_TO_ZEROS = bytes(ord("0") if chr(each).isdecimal() else ord(" ") for each in range(256))


# What a number begins with: its first letters, or the year that a bare one has.
_STARTS = (
    "nct", "eudra", "eupas", "isrctn", "chictr", "jprn", "umin", "jrct", "japi", "jma", "actrn",
    "atrn", "anzctr", "drks", "ctri", "ntr", "nl", "rbr", "pactr", "irct", "kct", "slctr", "tctr",
    "rpcec", "per", "lbctr", "itmctr", "hkctr", "hkuctr", "phrr", "snctp", "ctr", "nmrr", "civ",
    "encepp", "cdr",
)  # fmt: skip
_RUN = re.compile("[a-z]+")
_BARE = re.compile(r"1111|20[0-9]{2}[^0-9]{1,2}a?[0-9]{5}")


def numbers_in(text: str) -> Iterator[OtherNumber]:
    """Yield the registries' numbers that a text holds, each in its normal form, as they come."""
    folded = text.casefold()
    if not (_BARE.search(folded) or any(run.startswith(_STARTS) for run in _RUN.findall(folded))):
        return  # as of most numbers, which are the sponsors' own; this check is fast
    for match in _number().finditer(text):
        shape = _SHAPES[int(str(match.lastgroup)[1:])]
        digits = "".join(filter(str.isdecimal, match[0]))
        yield OtherNumber(shape.written(digits, match[0]), shape.registry)


def may_hold_numbers(text: str) -> bool:
    """Report whether a text may hold a number of a registry; this is faster than to look."""
    zeros = text.encode("utf-8", "replace").translate(_TO_ZEROS)  # ten times as fast as a pattern
    return b"00000" in zeros or any(prefix in text for prefix in _SHORT)


def without_numbers(text: str) -> str:
    """Return a text with a blank in place of each number of a registry and its label."""
    return _number().sub(" ", text) if may_hold_numbers(text) else text


REGISTRIES = tuple(dict.fromkeys(each.registry for each in _SHAPES))
"""The registries whose numbers are recognised."""
