"""From the parameters of an address or a body to a `Question`, and back to an address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from simsearch.errors import ArgumentError, NctIdError
from simsearch.records.other_numbers import is_of_registry, study_number
from simsearch.search.filters import Filters
from simsearch.search.question import GroupBy, Question
from simsearch.study import Study, parse_nct_id
from simsearch.web.errors import ParameterError
from simsearch.web.settings import (
    MAX_EXCLUDED,
    MAX_K,
    MAX_STUDIES,
    MAX_TEXT,
    MAX_VALUE,
    MAX_VALUES,
)

LISTS = (
    "status", "phase", "study_type", "intervention_type", "country", "city", "state",
    "facility", "near", "sponsor",
)  # fmt: skip
"""The filters of several values."""

FILTERS = (
    *LISTS, "start_after", "start_before", "min_enrollment", "has_results", "or_unknown", "exclude",
    "same_condition", "same_intervention", "radius_km",
)  # fmt: skip
"""The parameters that are fields of `Filters`."""

HOW = (
    "k", "competing", "hide_same_sponsor", "fold", "diverse", "group_by", "min_percentile",
    "literal",
)  # fmt: skip
"""The parameters that are fields of `Question`, beside what is asked about."""

ABOUT = ("study", "unlike", "text")
"""The parameters of what is asked about; each may be repeated."""

_YES, _NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})
_SEPARATORS = re.compile(r"[\s,;]+")
_HAS_NCT = re.compile(r"nct[\s_:-]*[0-9]", re.IGNORECASE)

Pairs = Sequence[tuple[str, str]]
"""The parameters of an address, in order."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a page or of the API, as values."""

    studies: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    phase: tuple[str, ...] = ()
    study_type: tuple[str, ...] = ()
    intervention_type: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    city: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    facility: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    radius_km: float | None = None
    sponsor: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    start_after: str = ""
    start_before: str = ""
    min_enrollment: int | None = None
    has_results: bool | None = None
    or_unknown: bool = False
    same_condition: bool = False
    same_intervention: bool = False
    k: int = 10
    competing: bool = False
    hide_same_sponsor: bool = False
    fold: bool = False
    diverse: float | None = None
    group_by: GroupBy | None = None
    min_percentile: float = 0
    weights: dict[str, float] | None = None
    literal: bool = False

    @property
    def filters(self) -> Filters:
        """What a neighbour must be."""
        return Filters(**{name: getattr(self, name) for name in FILTERS})

    def question(self, drafts: Iterable[Study] = (), *, facts: bool = False) -> Question:
        """Return the question that is asked, with the facts of studies where they are needed.

        Raises:
            ArgumentError: too much of something, or a value out of its range.
            NothingToCompareError: nothing is asked about.
        """
        self._check()
        how: dict[str, Any] = {name: getattr(self, name) for name in HOW}
        if self.weights is not None:
            how["weights"] = self.weights
        return Question(
            studies=self.studies, unlike=self.unlike, texts=self.texts, drafts=tuple(drafts),
            filters=self.filters, facts=facts, **how,
        )  # fmt: skip

    def _check(self) -> None:
        if not 1 <= self.k <= MAX_K:
            raise ArgumentError("k", self.k, f"from 1 to {MAX_K}")
        for name, most in (("studies", MAX_STUDIES), ("unlike", MAX_STUDIES), ("texts", 5)):
            if len(getattr(self, name)) > most:
                raise ArgumentError(name, len(getattr(self, name)), f"at most {most}")
        if len(self.exclude) > MAX_EXCLUDED:
            raise ArgumentError("exclude", len(self.exclude), f"at most {MAX_EXCLUDED}")
        if sum(map(len, self.texts)) > MAX_TEXT:
            raise ArgumentError("text", f"{self.texts[0][:20]}…", f"of {MAX_TEXT:,} characters")
        for name in LISTS:
            values = getattr(self, name)
            if len(values) > MAX_VALUES or any(len(value) > MAX_VALUE for value in values):
                expected = f"at most {MAX_VALUES} values of {MAX_VALUE} characters"
                raise ArgumentError(name, f"{len(values)} values", expected)


def parsed(pairs: Pairs, *, strict: bool = False, known: Sequence[str] = ()) -> Asked:
    """Return the parameters of an address as values; empty ones count as not given.

    Args:
        pairs: names and values.
        strict: refuse a parameter that there is not.
        known: further names that a strict address may have.

    Raises:
        ParameterError: an unknown one, if `strict`.
        ArgumentError: not a number where one is needed, and so on.
    """
    lists: dict[str, list[str]] = {}
    single: dict[str, Any] = {}
    for name, value in pairs:
        if name in (*ABOUT, *LISTS, "exclude"):
            values = [value] if name not in ("study", "unlike", "exclude") else split_ids(value)
            lists.setdefault(name, []).extend(each for each in values if each.strip())
        elif name in _PARSERS:
            if value.strip():
                single[name] = _PARSERS[name](name, value.strip())
        elif strict and name not in known:
            raise ParameterError(name, (*ABOUT, *FILTERS, *HOW, *known))
    renamed = {"study": "studies", "text": "texts"}
    given: dict[str, Any] = {
        renamed.get(name, name): tuple(dict.fromkeys(v)) for name, v in lists.items()
    }
    return Asked(**given, **single)


def split_ids(text: str) -> list[str]:
    """Return the NCT IDs that a text lists, separated by commas or semicolons."""
    return [part.strip() for part in re.split("[,;]", text) if part.strip()]


def named_in(typed: str) -> tuple[str, ...]:
    """Return the NCT IDs that a person typed, in canonical form; `()` if it is words.

    A number of another registry is one study too, written without what an address cannot have.

    Raises:
        NctIdError: it is meant as NCT IDs, and one of them is none.
    """
    whole = typed.strip()
    try:
        return (parse_nct_id(whole),)
    except NctIdError:
        if is_of_registry(whole):
            return (study_number(whole).replace("/", "-"),)
        parts = [part for part in _SEPARATORS.split(whole) if part]
    found = []
    for part in parts:
        try:
            found.append(parse_nct_id(part))
        except NctIdError:
            if len(parts) == 1 and _HAS_NCT.match(whole):
                raise
            if not found:
                return ()
            if _HAS_NCT.match(part):
                raise
            return ()
    return tuple(dict.fromkeys(found))


def pairs_of(asked: Asked) -> list[tuple[str, str]]:
    """Return the parameters that say the same, in one order; those not given are left out."""
    nothing = Asked()
    names = {"studies": "study", "texts": "text"}
    pairs: list[tuple[str, str]] = []
    for name in asked.__struct_fields__:
        value = getattr(asked, name)
        if value == getattr(nothing, name) or name == "weights":
            continue
        values = value if isinstance(value, tuple) else (value,)
        pairs += [(names.get(name, name), _text_of(each)) for each in values]
    return pairs


def address(path: str, asked: Asked, **changed: Any) -> str:
    """Return the address of a page with these parameters, some of them changed."""
    pairs = pairs_of(msgspec.structs.replace(asked, **changed))
    return f"{path}?{urlencode(pairs)}" if pairs else path


def without_empty(pairs: Pairs) -> list[tuple[str, str]]:
    """Return the parameters with a value: a form sends the others too."""
    return [(name, value) for name, value in pairs if value.strip()]


def _text_of(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(name: str, text: str) -> int:
    if re.fullmatch(r"-?[0-9]{1,12}", text):
        return int(text)
    raise ArgumentError(name, text, "a whole number")


def _decimal(name: str, text: str) -> float:
    if re.fullmatch(r"-?[0-9]{0,12}[.]?[0-9]{0,12}", text) and re.search("[0-9]", text):
        return float(text)
    raise ArgumentError(name, text, "a number")


def _truth(name: str, text: str) -> bool:
    if text.casefold() in _YES | _NO:
        return text.casefold() in _YES
    raise ArgumentError(name, text, "true or false")


def _plain(_: str, text: str) -> str:
    return text


_PARSERS: Mapping[str, Any] = {
    "start_after": _plain, "start_before": _plain, "group_by": _plain,
    "min_enrollment": _number, "k": _number,
    "same_condition": _truth, "same_intervention": _truth,
    "has_results": _truth, "or_unknown": _truth, "hide_same_sponsor": _truth, "fold": _truth,
    "competing": _truth, "literal": _truth, "radius_km": _decimal,
    "diverse": _decimal, "min_percentile": _decimal,
}  # fmt: skip
