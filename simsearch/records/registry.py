"""A record in the layout of the ClinicalTrials.gov API v2 → `Study`."""

from __future__ import annotations

from typing import Any

from simsearch.records import vocabulary
from simsearch.records.assemble import assemble_study
from simsearch.records.assemble_facts import RawArm, RawFacts, RawGiven, RawOutcome, RawSite
from simsearch.records.other_numbers import RawNumber
from simsearch.records.registry_parts import (
    ArmsInterventions,
    Conditions,
    ContactsLocations,
    DateStruct,
    Derived,
    Description,
    Design,
    DesignInfo,
    Eligibility,
    EnrollmentInfo,
    GeoPoint,
    Identification,
    MaskingInfo,
    MeshModule,
    MiscInfo,
    Outcome,
    Outcomes,
    OwnId,
    PostDate,
    Protocol,
    Record,
    References,
    Sponsor,
    Sponsors,
    Status,
)
from simsearch.study import Study

# Defaults for parts that a record lacks.
_NO_DERIVED = Derived()
_NO_IDENTIFICATION = Identification()
_NO_STATUS = Status()
_NO_SPONSORS = Sponsors()
_NO_DESCRIPTION = Description()
_NO_CONDITIONS = Conditions()
_NO_DESIGN = Design()
_NO_ARMS_INTERVENTIONS = ArmsInterventions()
_NO_OUTCOMES = Outcomes()
_NO_ELIGIBILITY = Eligibility()
_NO_CONTACTS_LOCATIONS = ContactsLocations()
_NO_PROTOCOL = Protocol()
_NO_SPONSOR = Sponsor()
_NO_DATE_STRUCT = DateStruct()
_NO_POST_DATE = PostDate()
_NO_ENROLLMENT_INFO = EnrollmentInfo()
_NO_MISC_INFO = MiscInfo()
_NO_MESH_MODULE = MeshModule()
_NO_DESIGN_INFO = DesignInfo()
_NO_MASKING_INFO = MaskingInfo()
_NO_REFERENCES = References()
_NO_GEO_POINT = GeoPoint()
_NO_OWN_ID = OwnId()


def study_from_record(record: Record, *, draft: bool = False) -> Study:
    """Return the study of a record; with `draft` it may lack an NCT ID.

    Raises:
        NctIdError: the NCT ID is missing or malformed.
    """
    protocol = record.protocol_section or _NO_PROTOCOL
    derived = record.derived_section or _NO_DERIVED
    identification = protocol.identification_module or _NO_IDENTIFICATION
    status = protocol.status_module or _NO_STATUS
    sponsors = protocol.sponsor_collaborators_module or _NO_SPONSORS
    description = protocol.description_module or _NO_DESCRIPTION
    conditions = protocol.conditions_module or _NO_CONDITIONS
    design = protocol.design_module or _NO_DESIGN
    arms = protocol.arms_interventions_module or _NO_ARMS_INTERVENTIONS
    outcomes = protocol.outcomes_module or _NO_OUTCOMES
    eligibility = protocol.eligibility_module or _NO_ELIGIBILITY
    places = protocol.contacts_locations_module or _NO_CONTACTS_LOCATIONS
    return assemble_study(
        draft=draft,
        nct_id=identification.nct_id,
        aliases=identification.nct_id_aliases or (),
        title=identification.brief_title,
        official_title=identification.official_title,
        acronym=identification.acronym,
        summary=description.brief_summary,
        conditions=conditions.conditions or (),
        keywords=conditions.keywords or (),
        interventions=[
            (each.type, each.name, each.other_names or ()) for each in arms.interventions or ()
        ],
        condition_mesh=_mesh(derived.condition_browse_module),
        intervention_mesh=_mesh(derived.intervention_browse_module),
        status=status.overall_status,
        last_known_status=status.last_known_status,
        study_type=design.study_type,
        phases=design.phases or (),
        sponsor=(sponsors.lead_sponsor or _NO_SPONSOR).name,
        countries=[place.country for place in places.locations or ()],
        start_date=(status.start_date_struct or _NO_DATE_STRUCT).date,
        completion_date=(status.completion_date_struct or _NO_DATE_STRUCT).date,
        last_update_date=(status.last_update_post_date_struct or _NO_POST_DATE).date,
        outcomes=[
            each.measure
            for several in (outcomes.primary_outcomes, outcomes.secondary_outcomes)
            for each in several or ()
        ],
        searched=[
            description.detailed_description,
            eligibility.eligibility_criteria,
            *(number for number, *_ in _numbers(identification)),
        ],
        enrollment=vocabulary.count((design.enrollment_info or _NO_ENROLLMENT_INFO).count),
        has_results=record.has_results,
        data_version=(derived.misc_info_module or _NO_MISC_INFO).version_holder,
        facts=_facts(protocol),
    )


def _facts(protocol: Protocol) -> RawFacts:
    identification = protocol.identification_module or _NO_IDENTIFICATION
    status = protocol.status_module or _NO_STATUS
    sponsors = protocol.sponsor_collaborators_module or _NO_SPONSORS
    arms = protocol.arms_interventions_module or _NO_ARMS_INTERVENTIONS
    outcomes = protocol.outcomes_module or _NO_OUTCOMES
    eligibility = protocol.eligibility_module or _NO_ELIGIBILITY
    start = status.start_date_struct or _NO_DATE_STRUCT
    primary = status.primary_completion_date_struct or _NO_DATE_STRUCT
    return RawFacts(
        why_stopped=status.why_stopped,
        start_date_type=start.type,
        primary_completion_date=primary.date,
        primary_completion_date_type=primary.type,
        completion_date_type=(status.completion_date_struct or _NO_DATE_STRUCT).type,
        first_posted_date=(status.study_first_post_date_struct or _NO_POST_DATE).date,
        results_first_posted_date=(status.results_first_post_date_struct or _NO_POST_DATE).date,
        description=(protocol.description_module or _NO_DESCRIPTION).detailed_description,
        **_design(protocol.design_module or _NO_DESIGN),
        arms=[
            RawArm(each.label, each.type, each.description, each.intervention_names or ())
            for each in arms.arm_groups or ()
        ],
        interventions=[
            RawGiven(each.type, each.name, each.description, each.arm_group_labels or ())
            for each in arms.interventions or ()
        ],
        primary_outcomes=_outcomes(outcomes.primary_outcomes),
        secondary_outcomes=_outcomes(outcomes.secondary_outcomes),
        other_outcomes=_outcomes(outcomes.other_outcomes),
        criteria=eligibility.eligibility_criteria,
        minimum_age=eligibility.minimum_age,
        maximum_age=eligibility.maximum_age,
        sex=eligibility.sex,
        healthy_volunteers=eligibility.healthy_volunteers,
        study_population=eligibility.study_population,
        sampling_method=eligibility.sampling_method,
        sponsor_class=(sponsors.lead_sponsor or _NO_SPONSOR).class_,
        collaborators=[(each.name, each.class_) for each in sponsors.collaborators or ()],
        sites=_sites(protocol.contacts_locations_module or _NO_CONTACTS_LOCATIONS),
        references=[
            (each.citation, each.pmid, each.type)
            for each in (protocol.references_module or _NO_REFERENCES).references or ()
        ],
        other_numbers=_numbers(identification),
    )


def _design(module: Design) -> dict[str, Any]:
    """Return the fields of `RawFacts` that the design module has."""
    design = module.design_info or _NO_DESIGN_INFO
    masking = design.masking_info or _NO_MASKING_INFO
    return {
        "enrollment_type": (module.enrollment_info or _NO_ENROLLMENT_INFO).type,
        "allocation": design.allocation,
        "intervention_model": design.intervention_model,
        "primary_purpose": design.primary_purpose,
        "masking": masking.masking,
        "who_masked": masking.who_masked or (),
        "observational_model": design.observational_model,
        "time_perspective": design.time_perspective,
        "patient_registry": module.patient_registry,
    }


def _outcomes(outcomes: list[Outcome] | None) -> list[RawOutcome]:
    return [(each.measure, each.time_frame, each.description) for each in outcomes or ()]


def _sites(module: ContactsLocations) -> list[RawSite]:
    sites = []
    for each in module.locations or ():
        point = each.geo_point or _NO_GEO_POINT
        sites.append(
            RawSite(
                each.country, each.facility, each.city, each.state, each.zip, each.status,
                point.lat, point.lon,
            )
        )  # fmt: skip
    return sites


def _numbers(identification: Identification) -> list[RawNumber]:
    own = identification.org_study_id_info or _NO_OWN_ID
    others = identification.secondary_id_infos or ()
    return [
        (own.id, own.type, None),
        *((each.id, each.type, each.domain) for each in others),
    ]


def _mesh(module: MeshModule | None) -> list[str | None]:
    return [mesh.term for mesh in (module or _NO_MESH_MODULE).meshes or ()]
