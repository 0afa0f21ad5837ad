"""What the site's table has for a study's page, in either site's columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from simsearch.records import vocabulary
from simsearch.records.assemble_facts import RawFacts, RawOutcome, RawSite
from simsearch.records.csv_cells import country

# The older site's ages: `18 Years to 65 Years   (Adult, Older Adult)`, `up to 17 Years`.
_AGES = re.compile(
    r"(?P<least>[0-9]+ \w+)(?: to (?P<most>[0-9]+ \w+)| and older)?|up to (?P<upto>[0-9]+ \w+)",
    re.IGNORECASE,
)
_SHORTEST_VALUE = 2  # the newer site writes `Time Perspective: p`
_POSTAL_CODE = re.compile(r"[0-9]{5}(?:-[0-9]{4})?")
_WITH_STATES = "United States"


def raw_facts(row: Mapping[str, str]) -> RawFacts:
    """Return the facts of a row, given by column.

    The table has no ages without a limit on either side apart from the older site's, no criteria
    and no arms.
    """
    classes = row.get("funder type", row.get("funded bys", ""))
    return RawFacts(
        primary_completion_date=row.get("primary completion date"),
        first_posted_date=row.get("first posted"),
        results_first_posted_date=row.get("results first posted"),
        **_design(row),
        **_outcomes(row),
        **_ages(row.get("age", "")),
        sex=row.get("sex", row.get("gender")),
        sponsor_class=classes.partition("|")[0],
        collaborators=[(name, None) for name in _collaborators(row)],
        sites=[_site(text) for text in row.get("locations", "").split("|")],
        other_numbers=[(text,) for text in row.get("other ids", "").split("|")],
    )


def _collaborators(row: Mapping[str, str]) -> list[str]:
    if "collaborators" in row:
        return row["collaborators"].split("|")
    return row.get("sponsor/collaborators", "").split("|")[1:]


def _design(row: Mapping[str, str]) -> dict[str, Any]:
    found = vocabulary.design(row.get("study design", row.get("study designs", "")))
    known = {name: text for name, text in found.items() if len(text) >= _SHORTEST_VALUE}
    names = (
        "allocation", "intervention_model", "primary_purpose", "masking", "observational_model",
        "time_perspective",
    )  # fmt: skip
    return {name: known.get(name.replace("_", " ")) for name in names}


def _outcomes(row: Mapping[str, str]) -> dict[str, Any]:
    """Return the outcomes; see `csv_cells.measures` for where a measure ends.

    What follows the measure, description and time frame, cannot be told apart: it is all taken
    for description. The older site's one column does not say which are primary.
    """
    return {
        f"{kind}_outcomes": list(_split(row.get(f"{kind} outcome measures", "")))
        for kind in ("primary", "secondary", "other")
    }


def _split(cell: str) -> Iterator[RawOutcome]:
    for outcome in cell.split("|"):
        measure, _, rest = outcome.partition(", ")
        yield measure, None, rest


def _ages(text: str) -> dict[str, Any]:
    ages = _AGES.match(text.strip())
    if not ages:
        return {}
    return {"minimum_age": ages["least"], "maximum_age": ages["most"] or ages["upto"]}


def _site(text: str) -> RawSite:
    """Return a site from `facility, city, state, zip, country`, of which any may be missing.

    Only the United States always have a state, so that the others can be told apart there;
    elsewhere all before the country is taken for the facility.
    """
    land = country(text)
    place = text.strip().removesuffix(land).rstrip(", ")
    if land != _WITH_STATES:
        return RawSite(country=land, facility=place)
    parts = place.split(", ")
    code = parts.pop() if len(parts) > 1 and _POSTAL_CODE.fullmatch(parts[-1]) else None
    if len(parts) < 2:  # noqa: PLR2004 - city and state
        return RawSite(country=land, facility=place)
    *facility, city, state = parts
    return RawSite(country=land, facility=", ".join(facility), city=city, state=state, zip=code)
