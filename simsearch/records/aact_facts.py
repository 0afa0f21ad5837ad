"""What AACT's tables have for a study's page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simsearch.records import vocabulary
from simsearch.records.aact_tables import whole_number, with_line_breaks
from simsearch.records.assemble_facts import RawArm, RawFacts, RawGiven, RawOutcome, RawSite
from simsearch.records.other_numbers import RawNumber

AactRow = Mapping[str, str | None]
"""Column → cell."""
Tables = Mapping[str, Sequence[AactRow]]

_ALIAS = "nct_alias"
_MASKED = (
    ("subject_masked", "PARTICIPANT"),
    ("caregiver_masked", "CARE_PROVIDER"),
    ("investigator_masked", "INVESTIGATOR"),
    ("outcomes_assessor_masked", "OUTCOMES_ASSESSOR"),
)


def raw_facts(study: AactRow, tables: Tables) -> RawFacts:
    """Return the facts of a study.

    Args:
        study: its row of studies.txt.
        tables: its rows of all tables, by the table's name.
    """
    eligibility = _only(tables, "eligibilities")
    lead = next(
        (each for each in tables.get("sponsors", ()) if each["lead_or_collaborator"] == "lead"), {}
    )
    return RawFacts(
        why_stopped=study["why_stopped"],
        start_date_type=study["start_date_type"],
        primary_completion_date=registered_date(study, "primary_completion"),
        primary_completion_date_type=study["primary_completion_date_type"],
        completion_date_type=study["completion_date_type"],
        first_posted_date=study["study_first_posted_date"],
        results_first_posted_date=study["results_first_posted_date"],
        enrollment_type=study["enrollment_type"],
        description=_markup(_only(tables, "detailed_descriptions").get("description")),
        **_design(_only(tables, "designs")),
        patient_registry=_patient_registry(study),
        n_arms=whole_number(study["number_of_arms"]) or whole_number(study["number_of_groups"]),
        arms=[
            RawArm(each["title"], each["group_type"], _markup(each["description"]))
            for each in tables.get("design_groups", ())
        ],
        interventions=_given(tables),
        **_outcomes(tables),
        criteria=_markup(eligibility.get("criteria")),
        minimum_age=eligibility.get("minimum_age"),
        maximum_age=eligibility.get("maximum_age"),
        sex=eligibility.get("gender"),
        healthy_volunteers=vocabulary.yes_or_no(eligibility.get("healthy_volunteers")),
        study_population=_markup(eligibility.get("population")),
        sampling_method=eligibility.get("sampling_method"),
        sponsor_class=lead.get("agency_class"),
        collaborators=[
            (each["name"], each["agency_class"])
            for each in tables.get("sponsors", ())
            if each["lead_or_collaborator"] == "collaborator"
        ],
        sites=[_site(each) for each in tables.get("facilities", ())],
        references=[
            (each["citation"], each["pmid"], each["reference_type"])
            for each in tables.get("study_references", ())
        ],
        other_numbers=other_numbers(tables.get("id_information", ())),
    )


def other_numbers(rows: Iterable[AactRow]) -> list[RawNumber]:
    """Return the study's numbers that are not obsolete NCT IDs."""
    return [
        (each["id_value"], each["id_type"], each["id_type_description"])
        for each in rows
        if _ALIAS not in (each["id_source"], each["id_type"])
    ]


def registered_date(study: AactRow, event: str) -> str | None:
    """Return a date as registered; AACT's own column has 2018-06-30 for 2018-06."""
    as_registered = study[f"{event}_month_year"]
    return as_registered if vocabulary.date(as_registered or "") else study[f"{event}_date"]


def _only(tables: Tables, name: str) -> AactRow:
    """Return the study's row of a table with one row a study; without a cell if there is none."""
    return next(iter(tables.get(name, ())), {})


def _markup(text: str | None) -> str:
    return with_line_breaks(text or "")


def _design(row: AactRow) -> dict[str, Any]:
    names = (
        "allocation", "intervention_model", "primary_purpose", "masking", "observational_model",
        "time_perspective",
    )  # fmt: skip
    masked = [who for column, who in _MASKED if vocabulary.yes_or_no(row.get(column))]
    return {**{name: row.get(name) for name in names}, "who_masked": masked}


def _patient_registry(study: AactRow) -> bool | None:
    if "registry" in (study["study_type"] or "").lower():
        return True
    return vocabulary.yes_or_no(study["patient_registry"])


def _given(tables: Tables) -> list[RawGiven]:
    """Return the interventions with the labels of the arms that they are given to."""
    labels = {each["id"]: each["title"] for each in tables.get("design_groups", ()) if each["id"]}
    arms: defaultdict[str | None, list[str | None]] = defaultdict(list)
    for each in tables.get("design_group_interventions", ()):
        if each["design_group_id"] in labels:
            arms[each["intervention_id"]].append(labels[each["design_group_id"]])
    return [
        RawGiven(
            each["intervention_type"], each["name"], _markup(each["description"]),
            arms[each["id"]] if each["id"] else (),
        )
        for each in tables.get("interventions", ())
    ]  # fmt: skip


def _outcomes(tables: Tables) -> dict[str, Any]:
    found: dict[str, list[RawOutcome]] = {
        f"{kind}_outcomes": [] for kind in ("primary", "secondary", "other")
    }
    for each in tables.get("design_outcomes", ()):
        kind = f"{(each['outcome_type'] or '').lower()}_outcomes"
        if kind in found:
            found[kind].append((each["measure"], each["time_frame"], _markup(each["description"])))
    return found


def _site(row: AactRow) -> RawSite:
    return RawSite(
        row["country"], row["name"], row["city"], row["state"], row["zip"], row["status"],
        vocabulary.degrees(row["latitude"]), vocabulary.degrees(row["longitude"]),
    )  # fmt: skip
