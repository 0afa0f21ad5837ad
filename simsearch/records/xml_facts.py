"""What the legacy XML has for a study's page."""

from __future__ import annotations

import re
from typing import Any

from simsearch.records import vocabulary
from simsearch.records.assemble_facts import RawArm, RawFacts, RawGiven, RawOutcome, RawSite
from simsearch.records.xml_texts import Group, Texts, as_lines, as_markup, one

_DESIGN = (
    "allocation", "intervention_model", "primary_purpose", "masking", "observational_model",
    "time_perspective",
)  # fmt: skip
_NUMBER = re.compile(r"\s*([0-9]{1,6})\s*")


def raw_facts(texts: Texts) -> RawFacts:
    """Return the facts of a study as its document gives them."""
    first = texts.first
    return RawFacts(
        why_stopped=first("why_stopped"),
        start_date_type=first("start_date@type"),
        primary_completion_date=first("primary_completion_date"),
        primary_completion_date_type=first("primary_completion_date@type"),
        completion_date_type=first("completion_date@type"),
        first_posted_date=first("study_first_posted") or first("firstreceived_date"),
        results_first_posted_date=(
            first("results_first_posted") or first("firstreceived_results_date")
        ),
        enrollment_type=first("enrollment@type"),
        description=as_lines(first("detailed_description/textblock") or ""),
        **_design(texts),
        arms=[
            RawArm(
                one(each, "arm_group_label"), one(each, "arm_group_type"),
                as_markup(one(each, "description") or ""),
            )
            for each in texts.groups("arm_group")
        ],
        n_arms=_number(first("number_of_arms") or first("number_of_groups")),
        interventions=[
            RawGiven(
                one(each, "intervention_type"), one(each, "intervention_name"),
                as_markup(one(each, "description") or ""), each.get("arm_group_label", ()),
            )
            for each in texts.groups("intervention")
        ],
        primary_outcomes=_outcomes(texts, "primary_outcome"),
        secondary_outcomes=_outcomes(texts, "secondary_outcome"),
        other_outcomes=_outcomes(texts, "other_outcome"),
        criteria=as_lines(first("eligibility/criteria/textblock") or ""),
        minimum_age=first("eligibility/minimum_age"),
        maximum_age=first("eligibility/maximum_age"),
        sex=first("eligibility/gender"),
        healthy_volunteers=vocabulary.yes_or_no(first("eligibility/healthy_volunteers")),
        study_population=as_markup(first("eligibility/study_pop/textblock") or ""),
        sampling_method=first("eligibility/sampling_method"),
        sponsor_class=first("sponsors/lead_sponsor/agency_class"),
        collaborators=[
            (one(each, "agency"), one(each, "agency_class"))
            for each in texts.groups("sponsors/collaborator")
        ],
        sites=[_site(each) for each in texts.groups("location")],
        references=[
            (one(each, "citation"), one(each, "PMID"), kind)
            for path, kind in (("reference", None), ("results_reference", "RESULT"))
            for each in texts.groups(path)
        ],
        other_numbers=[
            (each,)
            for path in ("id_info/org_study_id", "id_info/secondary_id")
            for each in texts.every(path)
        ],
    )  # fmt: skip


def _design(texts: Texts) -> dict[str, Any]:
    """Return the design; before 2017 it is one text."""
    old = vocabulary.design(texts.first("study_design") or "")
    found: dict[str, Any] = {
        name: texts.first(f"study_design_info/{name}") or old.get(name.replace("_", " "))
        for name in _DESIGN
    }
    is_registry = "registry" in (texts.first("study_type") or "").lower()
    return {**found, "patient_registry": True if is_registry else None}


def _outcomes(texts: Texts, path: str) -> list[RawOutcome]:
    return [
        (one(each, "measure"), one(each, "time_frame"), as_markup(one(each, "description") or ""))
        for each in texts.groups(path)
    ]


def _site(group: Group) -> RawSite:
    country, city, state, code = (
        one(group, f"facility/address/{name}") for name in ("country", "city", "state", "zip")
    )
    return RawSite(country, one(group, "facility/name"), city, state, code, one(group, "status"))


def _number(text: str | None) -> int | None:
    number = _NUMBER.fullmatch(text or "")
    return int(number[1]) if number else None
