"""A body or parameters of the wrong shape, in the words of all other errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from simsearch.errors import ArgumentError, SimsearchError
from simsearch.web.api_models import CompareBody, RelatedBody, RelatedQuery
from simsearch.web.errors import BodyError, ParameterError

_EXPECTED: Mapping[str, str] = MappingProxyType(
    {
        "bool": "true or false",
        "dict": "an object",
        "finite": "a finite number",
        "float": "a number",
        "int": "a whole number",
        "list": "a list",
        "literal": "{expected}",
        "string": "a text",
        "string_unicode": "valid Unicode",
        "string_too_long": "a text of at most {max_length:,} characters",
        "string_too_short": "a text, not an empty one",
        "too_long": "a list of at most {max_length:,}",
        "tuple": "a list of texts",
    }
)
"""What the framework finds wrong (the first word of it, or all) → what is expected."""

_BOUNDS = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})


def shape_error(found: Mapping[str, Any], path: str) -> SimsearchError:
    """Return the error that a body or parameters of the wrong shape are.

    Args:
        found: the first fault, as the framework reports it: `type`, `loc`, `input`, `ctx`.
        path: of the address that was asked.
    """
    source, *place = found["loc"]
    kind, model = found["type"], _model(source, path)
    if kind == "json_invalid":
        return BodyError("is not JSON")
    if not place:
        return BodyError("is empty" if kind == "missing" else "is not a JSON object")
    if kind == "extra_forbidden":
        return ParameterError(str(place[0]), tuple(model.model_fields))
    name = str(place[0]) + "".join(_step(each) for each in place[1:])
    if place[-1] == "[key]":
        name = f"a name in {place[0]}"
    given, context = found.get("input"), found.get("ctx", {})
    if kind in _BOUNDS:
        return ArgumentError(name, given, _bounds(model, place, context))
    words = _EXPECTED.get(kind) or _EXPECTED.get(kind.partition("_")[0], "as /api describes it")
    if kind == "too_long":
        given = f"{context['actual_length']:,} values"
    return ArgumentError(name, given, words.format(**context))


def _model(source: str, path: str) -> type[BaseModel]:
    if source == "query":
        return RelatedQuery
    return CompareBody if path.endswith("/compare") else RelatedBody


def _step(part: object) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{str(part)[:60]}"


def _bounds(model: type[BaseModel], place: Sequence[object], context: Mapping[str, Any]) -> str:
    """Return both bounds of a number in words, where its field has both."""
    schema = _properties(model)[str(place[0])]
    for each in (schema, *schema.get("anyOf", ())):
        bounds = each.get("additionalProperties", each)
        if {"minimum", "maximum"} <= bounds.keys():
            return f"from {bounds['minimum']:,} to {bounds['maximum']:,}"
        if {"exclusiveMinimum", "maximum"} <= bounds.keys():
            return f"more than {bounds['exclusiveMinimum']:,} and at most {bounds['maximum']:,}"
    (bound,) = context.values()
    words = {"ge": "{:,} or more", "gt": "more than {:,}", "le": "at most {:,}"}
    return words.get(next(iter(context)), "less than {:,}").format(bound)


@cache
def _properties(model: type[BaseModel]) -> dict[str, Any]:
    properties: dict[str, Any] = model.model_json_schema()["properties"]
    return properties
