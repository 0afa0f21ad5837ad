"""The changes in a study's fields, each in a few words."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from simsearch.diff.fields import FieldChange
from simsearch.facts import Arm, Outcome, Site
from simsearch.output.design_words import words, yes_or_no
from simsearch.study import Intervention, phase_label, status_label

_NONE = "–"
_SHOWN = 3  # names of a list
_LONGEST_NAME = 80  # characters of a name or a sentence

_SHORT: Mapping[str, tuple[str, Callable[[Any], str]]] = MappingProxyType(
    {
        "status": ("", status_label),
        "start_date": ("start", str),
        "primary_completion_date": ("primary completion", str),
        "completion_date": ("completion", str),
        "enrollment": ("enrollment", lambda number: "" if number is None else f"{number:,}"),
        "enrollment_type": (
            "enrollment",
            lambda kind: "planned" if kind == "ESTIMATED" else words(kind),
        ),
        "study_type": ("type", status_label),
        "phases": ("phase", phase_label),
        "allocation": ("allocation", words),
        "intervention_model": ("model", words),
        "masking": ("masking", words),
        "primary_purpose": ("purpose", words),
        "observational_model": ("model", words),
        "time_perspective": ("perspective", words),
        "minimum_age": ("minimum age", str.lower),
        "maximum_age": ("maximum age", str.lower),
        "sex": ("sex", words),
        "healthy_volunteers": ("healthy volunteers", yes_or_no),
        "sponsor": ("sponsor", str),
        "acronym": ("acronym", str),
        "last_update_date": ("updated in other parts", str),
    }
)
"""Fields shown as old → new: the label of each, and how its value is written."""

_NAMES = ("conditions", "interventions", "arms", "primary_outcomes", "countries")
"""Fields shown by the names that were added and removed."""

_GOES_WITHOUT_SAYING: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "last_known_status": frozenset({"status"}),
        "outcomes": frozenset({"primary_outcomes", "secondary_outcomes"}),
    }
)
"""Field → fields that say the same better."""


def phrases(fields: Sequence[FieldChange]) -> list[str]:
    """Return the changes in a study's fields, in a few words each; long texts are only named."""
    names = {field.name for field in fields}
    found, long = [], []
    for field in fields:
        if _GOES_WITHOUT_SAYING.get(field.name, frozenset()) & names:
            continue
        if phrase := _phrase(field):
            found.append(phrase)
        else:
            long.append(field.name.replace("_", " "))
    return [*found, f"changed {', '.join(long)}"] if long else found


def _phrase(field: FieldChange) -> str:
    """Return one change in words; `""` for a text too long to be shown."""
    if field.name in _SHORT:
        label, write = _SHORT[field.name]
        old, new = (write(value) or _NONE for value in (field.old, field.new))
        return f"{label} {old} → {new}".strip()
    if field.name in _NAMES:
        moved = _moved(field.old, field.new)
        return f"{field.name.replace('_', ' ')} {moved}" if moved else ""
    written = _WRITTEN.get(field.name)
    return written(field.old, field.new) if written else ""


def _moved(old: Sequence[Any], new: Sequence[Any]) -> str:
    """Return the names added (+) and removed (-): `""` if only order or details differ."""
    before, after = ([_short(plain_name(value)) for value in values] for values in (old, new))
    signed = [f"+ {name}" for name in after if name not in before]
    signed += [f"- {name}" for name in before if name not in after]
    more = [f"and {len(signed) - _SHOWN} more"] if len(signed) > _SHOWN else []
    return ", ".join(signed[:_SHOWN] + more)


def _short(text: str) -> str:
    return textwrap.shorten(text, _LONGEST_NAME, placeholder=" …")


def _counted(old: Counter[Any], new: Counter[Any], noun: str = "") -> list[str]:
    """Return how many were added and removed: `2 added`, `1 removed`; nothing for none."""
    numbers = {"added": (new - old).total(), "removed": (old - new).total()}
    nouns = {n: f" {noun}{'s' if n != 1 else ''}" if noun else "" for n in numbers.values()}
    return [f"{n:,}{nouns[n]} {word}" for word, n in numbers.items() if n]


def _results(_: bool | None, new: bool | None) -> str:  # noqa: FBT001 - values of a field
    return {True: "results posted", False: "no results posted", None: "results unknown"}[new]


def _stopped(old: str, new: str) -> str:
    return f"why stopped: {_short(new)}" if new else f"no longer stopped for: {_short(old)}"


def _criteria(old: str, new: str) -> str:
    """Return `criteria: 2 lines added, 1 line removed`; a changed line is one of each."""
    before, after = (
        Counter(filter(None, map(str.strip, text.splitlines()))) for text in (old, new)
    )
    counted = _counted(before, after, "line")
    return f"criteria: {', '.join(counted)}" if counted else ""


def _secondary(old: Sequence[Outcome], new: Sequence[Outcome]) -> str:
    before, after = (Counter(map(plain_name, outcomes)) for outcomes in (old, new))
    counted = _counted(before, after)
    return f"secondary outcomes: {', '.join(counted)}" if counted else ""


def _sites(old: Sequence[Site], new: Sequence[Site]) -> str:
    """Return `sites 3 → 5: 2 added, 1 began recruiting`."""
    before, after = (Counter(map(plain_name, sites)) for sites in (old, new))
    recruits, recruited = (
        Counter(plain_name(site) for site in sites if site.status == "RECRUITING")
        for sites in (new, old)
    )
    stayed = before & after
    began, ended = (recruits - recruited) & stayed, (recruited - recruits) & stayed
    said = _counted(before, after)
    said += [f"{began.total():,} began recruiting"] if began else []
    said += [f"{ended.total():,} ended recruiting"] if ended else []
    moved = f" {len(old):,} → {len(new):,}" if len(old) != len(new) else ""
    return f"sites{moved}: {', '.join(said)}" if said else ""


_WRITTEN: Mapping[str, Callable[[Any, Any], str]] = MappingProxyType(
    {
        "has_results": _results,
        "why_stopped": _stopped,
        "criteria": _criteria,
        "secondary_outcomes": _secondary,
        "sites": _sites,
        "title": lambda old, _: f"title was “{old}”",
    }
)
"""Fields with words of their own: old and new value → a phrase, `""` if there is none."""


def plain_name(value: Any) -> str:
    """Return one value of a list field as text: an intervention by its name, an arm by its label.

    A site is named by facility, city, state and country.
    """
    match value:
        case Intervention():
            return value.name
        case Arm():
            return value.label
        case Outcome():
            return value.measure
        case Site():
            return ", ".join(filter(None, (value.facility, value.city, value.state, value.country)))
    return str(value)
