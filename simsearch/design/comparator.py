"""What a trial compares its treatment with, read from its arms and interventions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from simsearch.facts import Arm, Facts
from simsearch.study import Study

Comparator = Literal["placebo", "sham", "active", "no treatment", "dose", "none"]
"""`dose`: arms of one treatment that differ in dose; `none`: a single arm, or cohorts that are
not compared."""

_ORDER: tuple[Comparator, ...] = ("placebo", "sham", "active", "no treatment", "dose", "none")
_TYPES: Mapping[str, Comparator] = MappingProxyType(
    {
        "PLACEBO_COMPARATOR": "placebo",
        "SHAM_COMPARATOR": "sham",
        "NO_INTERVENTION": "no treatment",
        "ACTIVE_COMPARATOR": "active",
    }
)
_PLACEBO = re.compile(r"\bplacebos?\b", re.IGNORECASE)
_SHAM = re.compile(r"\bsham\b", re.IGNORECASE)
_NEGATED = re.compile(r"\b(no|without|non|not)[\s-]+(placebo|sham)", re.IGNORECASE)
_DOSE = re.compile(
    r"\b\d[\d.,]*\s*(?:mg|mcg|[\u00b5\u03bc]g|ug|g|kg|ml|iu|units?|mmol|gy|cgy|%)\b|\bdos(?:e|es|age|ing)\b",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"[\d.,]+")
_NO_WORD = re.compile(r"[\W_]+")


def comparators(study: Study) -> tuple[Comparator, ...]:
    """Return what a trial compares with, each once; `()` where its record does not say.

    An observational study compares nothing by design: `()`.
    """
    facts = study.facts or Facts()
    if study.study_type in ("OBSERVATIONAL", "EXPANDED_ACCESS"):
        return ()
    if len(facts.arms) > 1:
        return _of_arms(facts)
    if len(facts.arms) == 1 or facts.n_arms == 1 or facts.intervention_model == "SINGLE_GROUP":
        return ("none",)
    named: list[Comparator] = []
    said = [each.name for each in study.interventions] + [study.title, study.official_title]
    if any(map(_is_placebo, said)):
        named.append("placebo")
    if any(map(_is_sham, said)):
        named.append("sham")
    return tuple(named)


def _of_arms(facts: Facts) -> tuple[Comparator, ...]:
    found = {kind for arm in facts.arms if (kind := _kind_of(arm, facts.arms))}
    if _differ_in_dose([arm for arm in facts.arms if _kind_of(arm, facts.arms) in ("", "active")]):
        found.add("dose")
        if all(arm.type == "ACTIVE_COMPARATOR" for arm in facts.arms):
            found.discard("active")
    if found:
        return tuple(each for each in _ORDER if each in found)
    if facts.allocation == "RANDOMIZED" or facts.intervention_model == "CROSSOVER":
        return ("active",) if len({arm.interventions for arm in facts.arms}) > 1 else ()
    return ("none",) if facts.allocation or any(arm.type for arm in facts.arms) else ()


def _kind_of(arm: Arm, arms: Sequence[Arm]) -> Comparator | Literal[""]:
    """Return what an arm is compared as; `""` for one that is itself under study."""
    for kind, is_one in _SAID.items():
        if arm.type == _SAID_TYPES[kind] or _is_only(arm, is_one):
            return kind
        # With a placebo in every arm (a double dummy) none of them is the comparator for it.
        elsewhere = [is_one(_said(each)) for each in arms]
        if arm.type not in _TYPES and is_one(arm.label) and not all(elsewhere):
            return kind
    return _TYPES.get(arm.type, "")


def _is_only(arm: Arm, is_one: Callable[[str], bool]) -> bool:
    """Report whether all that an arm is given is a placebo, or a sham."""
    return bool(arm.interventions) and all(map(is_one, arm.interventions))


def _differ_in_dose(arms: Sequence[Arm]) -> bool:
    """Report whether two arms are given the same, and their names differ in a dose."""
    seen: dict[frozenset[str], set[str]] = {}
    for arm in arms:
        if arm.interventions and _DOSE.search(_said(arm)):
            given = frozenset(_NO_WORD.sub(" ", _without_dose(each)) for each in arm.interventions)
            seen.setdefault(given, set()).add(_said(arm))
    return any(len(texts) > 1 for texts in seen.values())


def _without_dose(name: str) -> str:
    return _NUMBERS.sub("", _DOSE.sub("", name)).casefold().strip()


def _said(arm: Arm) -> str:
    return "; ".join((arm.label, *arm.interventions))


def _is_placebo(text: str) -> bool:
    return bool(_PLACEBO.search(_NEGATED.sub(" ", text)))


def _is_sham(text: str) -> bool:
    return bool(_SHAM.search(_NEGATED.sub(" ", text)))


_SAID: Mapping[Literal["placebo", "sham"], Callable[[str], bool]] = MappingProxyType(
    {"placebo": _is_placebo, "sham": _is_sham}
)
_SAID_TYPES = MappingProxyType({"placebo": "PLACEBO_COMPARATOR", "sham": "SHAM_COMPARATOR"})
