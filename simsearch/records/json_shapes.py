"""Shapes that programs give to records of API v2: wrappers, pages in arrays, R's jsonlite.

jsonlite writes every text as an array of one (`"nctId": ["NCT00000101"]`), or a whole data frame
by its columns (`"nctId": ["NCT00000101", "NCT00000102"]`), and a missing value as `{}`.
"""

from __future__ import annotations

import json
from typing import Any

from simsearch.records.api_v1 import Json, v1_records

_LISTS = frozenset(
    {
        "ancestors", "armGroupLabels", "armGroups", "browseBranches", "browseLeaves",
        "collaborators", "conditions", "interventionNames", "interventions", "keywords",
        "locations", "meshes", "nctIdAliases", "otherNames", "otherOutcomes", "overallOfficials",
        "phases", "primaryOutcomes", "references", "removedCountries", "retractions",
        "secondaryIdInfos", "secondaryOutcomes", "seeAlsoLinks", "stdAges", "whoMasked",
    }
)  # fmt: skip
"""Names under which the API v2 has lists."""


def lenient_json(text: bytes) -> Any:
    """Return the value of a JSON text, in which `NaN` and `Infinity` are null.

    Raises:
        ValueError: it is broken otherwise.
    """
    return json.loads(text, parse_constant=lambda _: None)


def records_in(document: Any) -> list[Json] | None:
    """Return the records of a document that is not one record itself; None if it has none.

    Args:
        document: decoded JSON.
    """
    if not isinstance(document, dict):
        return None
    if isinstance(pages := document.get("studies"), list):
        return [each for each in pages if isinstance(each, dict)]
    if isinstance(inner := document.get("study"), dict):
        return records_in(inner) or [inner]
    if isinstance(protocol := document.get("protocolSection"), dict):
        return _of_jsonlite(document, protocol)
    return v1_records(document)


def without_odd_numbers(value: Any) -> Any:
    """Return a decoded value with null in place of every `NaN`."""
    if isinstance(value, dict):
        return {name: without_odd_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_odd_numbers(each) for each in value]
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - NaN


def _of_jsonlite(document: Json, protocol: Json) -> list[Json] | None:
    number = (protocol.get("identificationModule") or {}).get("nctId")
    if not isinstance(number, list) or not number:
        return None
    if len(number) == 1:
        return [_unboxed(document)]
    return [_row(document, n, len(number)) for n in range(len(number))]


def _unboxed(value: Any, name: str = "") -> Any:
    """Return a value whose texts are not boxed; only what the API v2 has as a list stays one."""
    if isinstance(value, dict):
        return {key: _unboxed(each, key) for key, each in value.items()} or None
    if isinstance(value, list):
        if name in _LISTS:
            return [_unboxed(each) for each in value]
        return _unboxed(value[0]) if len(value) == 1 else (value or None)
    return value


def _row(value: Any, n: int, n_rows: int) -> Any:
    """Return row n of a data frame that was written by its columns."""
    if isinstance(value, dict):
        return {key: _row(each, n, n_rows) for key, each in value.items()} or None
    if isinstance(value, list) and len(value) == n_rows:
        item = value[n]
        return _records_of(item) if isinstance(item, dict) else item
    return None


def _records_of(frame: Json) -> list[Json]:
    """Return the rows of a frame within a cell, such as the sites of one study."""
    n_rows = max((len(each) for each in frame.values() if isinstance(each, list)), default=0)
    return [_row(frame, n, n_rows) for n in range(n_rows)]
