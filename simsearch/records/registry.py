"""A record in the layout of the ClinicalTrials.gov API v2 → `Study`.

The structs declare the parts of a record that are read, under the names of the registry's data
dictionary (API v2 study data structure). They are strict about types, ignore unknown fields, and
read null as absent.
"""

from __future__ import annotations

import msgspec

from simsearch.records import vocabulary
from simsearch.records.assemble import assemble_study
from simsearch.study import Study


class _Part(msgspec.Struct, rename="camel", gc=False):
    """Base of the parts of a record; the API v2 has its names in camelCase."""


class OtherId(_Part):
    id: str | None = None


class Identification(_Part):
    nct_id: str | None = None
    nct_id_aliases: list[str] | None = None
    org_study_id_info: OtherId | None = None
    secondary_id_infos: list[OtherId] | None = None
    brief_title: str | None = None
    official_title: str | None = None
    acronym: str | None = None


class DateStruct(_Part):
    date: str | None = None


class Status(_Part):
    overall_status: str | None = None
    last_known_status: str | None = None
    start_date_struct: DateStruct | None = None
    completion_date_struct: DateStruct | None = None
    last_update_post_date_struct: DateStruct | None = None


class Sponsor(_Part):
    name: str | None = None


class Sponsors(_Part):
    lead_sponsor: Sponsor | None = None


class Description(_Part):
    brief_summary: str | None = None
    detailed_description: str | None = None


class Conditions(_Part):
    conditions: list[str] | None = None
    keywords: list[str] | None = None


class EnrollmentInfo(_Part):
    count: int | float | str | None = None


class Design(_Part):
    study_type: str | None = None
    phases: list[str] | None = None
    enrollment_info: EnrollmentInfo | None = None


class RegisteredIntervention(_Part):
    name: str | None = None
    type: str | None = None
    other_names: tuple[str, ...] | None = None


class ArmsInterventions(_Part):
    interventions: list[RegisteredIntervention] | None = None


class Outcome(_Part):
    measure: str | None = None


class Outcomes(_Part):
    primary_outcomes: list[Outcome] | None = None
    secondary_outcomes: list[Outcome] | None = None


class Eligibility(_Part):
    eligibility_criteria: str | None = None


class Location(_Part):
    country: str | None = None


class ContactsLocations(_Part):
    locations: list[Location] | None = None


class Protocol(_Part):
    identification_module: Identification | None = None
    status_module: Status | None = None
    sponsor_collaborators_module: Sponsors | None = None
    description_module: Description | None = None
    conditions_module: Conditions | None = None
    design_module: Design | None = None
    arms_interventions_module: ArmsInterventions | None = None
    outcomes_module: Outcomes | None = None
    eligibility_module: Eligibility | None = None
    contacts_locations_module: ContactsLocations | None = None


class Mesh(_Part):
    term: str | None = None


class MeshModule(_Part):
    meshes: list[Mesh] | None = None


class MiscInfo(_Part):
    version_holder: str | None = None


class Derived(_Part):
    misc_info_module: MiscInfo | None = None
    condition_browse_module: MeshModule | None = None
    intervention_browse_module: MeshModule | None = None


class Record(_Part):
    """The root of a record, or of a page of records (`studies`)."""

    protocol_section: Protocol | None = None
    derived_section: Derived | None = None
    has_results: bool | None = None
    studies: list[msgspec.Raw] | None = None
    next_page_token: str | None = None


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
_NO_ENROLLMENT_INFO = EnrollmentInfo()
_NO_MISC_INFO = MiscInfo()
_NO_MESH_MODULE = MeshModule()


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
        last_update_date=(status.last_update_post_date_struct or _NO_DATE_STRUCT).date,
        outcomes=[
            each.measure
            for several in (outcomes.primary_outcomes, outcomes.secondary_outcomes)
            for each in several or ()
        ],
        searched=[
            description.detailed_description,
            eligibility.eligibility_criteria,
            *_other_ids(identification),
        ],
        enrollment=vocabulary.count((design.enrollment_info or _NO_ENROLLMENT_INFO).count),
        has_results=record.has_results,
        data_version=(derived.misc_info_module or _NO_MISC_INFO).version_holder,
    )


def _other_ids(identification: Identification) -> list[str | None]:
    own = identification.org_study_id_info
    return [
        each.id for each in (*([own] if own else ()), *(identification.secondary_id_infos or ()))
    ]


def _mesh(module: MeshModule | None) -> list[str | None]:
    return [mesh.term for mesh in (module or _NO_MESH_MODULE).meshes or ()]
