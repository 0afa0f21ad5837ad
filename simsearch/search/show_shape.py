"""A study in full as plain values: JSON (docs/json.md), and what a notebook shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from simsearch.facts import Facts
from simsearch.files import html_safe
from simsearch.search.shape import answer_html, answer_shape, study_shape
from simsearch.study import Study

if TYPE_CHECKING:
    from simsearch.search.show import Shown

SHOW_SCHEMA = "simsearch.study/1"

_FURTHER = (
    "aliases", "official_title", "acronym", "summary", "keywords", "condition_mesh",
    "intervention_mesh", "last_known_status", "completion_date", "last_update_date", "mentions",
    "has_results",
)  # fmt: skip


def shown_shape(shown: Shown) -> dict[str, Any]:
    """Return a study in full as the JSON object of docs/json.md."""
    return {
        "schema": SHOW_SCHEMA,
        "study": full_shape(shown.study),
        "lacks": list(shown.lacks),
        "related": answer_shape(shown.related) if shown.related is not None else None,
        "index": msgspec.to_builtins(shown.facts),
    }


def full_shape(study: Study) -> dict[str, Any]:
    """Return a study with its facts; `facts` is null where they are not known."""
    return {
        **study_shape(study),
        "interventions": [
            {"type": each.type, "name": each.name, "other_names": list(each.other_names)}
            for each in study.interventions
        ],
        **{name: msgspec.to_builtins(getattr(study, name)) for name in _FURTHER},
        "facts": None if study.facts is None else facts_shape(study.facts),
    }


def facts_shape(facts: Facts) -> dict[str, Any]:
    """Return all facts by name, also those that are empty."""
    return {name: _plain(getattr(facts, name)) for name in Facts.__struct_fields__}


def _plain(value: Any) -> Any:
    """Return a value, or a list of them, with all fields of its structs."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    return value


def shown_html(shown: Shown) -> str:
    """Return the study as an HTML table for a notebook, with its related list."""
    rows = "".join(
        f"<tr><th>{html_safe(name.replace('_', ' '))}</th>"
        f"<td>{html_safe(_in_words(value))}</td></tr>"
        for name, value in _flat(full_shape(shown.study))
    )
    related = answer_html(shown.related) if shown.related is not None else ""
    return f"<div><table><tbody>{rows}</tbody></table>{related}</div>"


def _flat(shape: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the fields of a study and its facts that are given."""
    every = {name: value for name, value in shape.items() if name != "facts"}
    every |= shape["facts"] or {}
    return [(name, value) for name, value in every.items() if value not in (None, "", [])]


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(_in_words, value))
    if isinstance(value, dict):
        return ", ".join(_in_words(each) for each in value.values() if each not in (None, "", []))
    return str(value)
