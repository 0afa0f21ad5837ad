"""The parts of a record in the layout of the ClinicalTrials.gov API v2 that are read.

They are declared under the names of the registry's data dictionary (API v2 study data structure),
are strict about types, ignore unknown fields, and read null as absent.
"""

from __future__ import annotations

import msgspec


class _Part(msgspec.Struct, rename="camel", gc=False):
    """Base of the parts of a record; the API v2 has its names in camelCase."""


class OwnId(_Part):
    id: str | None = None
    type: str | None = None


class OtherId(_Part):
    id: str | None = None
    type: str | None = None
    domain: str | None = None


class Identification(_Part):
    nct_id: str | None = None
    nct_id_aliases: list[str] | None = None
    org_study_id_info: OwnId | None = None
    secondary_id_infos: list[OtherId] | None = None
    brief_title: str | None = None
    official_title: str | None = None
    acronym: str | None = None


class DateStruct(_Part):
    date: str | None = None
    type: str | None = None


class PostDate(_Part):
    date: str | None = None


class Status(_Part):
    overall_status: str | None = None
    last_known_status: str | None = None
    why_stopped: str | None = None
    start_date_struct: DateStruct | None = None
    primary_completion_date_struct: DateStruct | None = None
    completion_date_struct: DateStruct | None = None
    study_first_post_date_struct: PostDate | None = None
    results_first_post_date_struct: PostDate | None = None
    last_update_post_date_struct: PostDate | None = None


class Sponsor(_Part):
    name: str | None = None
    class_: str | None = msgspec.field(name="class", default=None)


class Sponsors(_Part):
    lead_sponsor: Sponsor | None = None
    collaborators: list[Sponsor] | None = None


class Description(_Part):
    brief_summary: str | None = None
    detailed_description: str | None = None


class Conditions(_Part):
    conditions: list[str] | None = None
    keywords: list[str] | None = None


class EnrollmentInfo(_Part):
    count: int | float | str | None = None
    type: str | None = None


class MaskingInfo(_Part):
    masking: str | None = None
    who_masked: list[str] | None = None


class DesignInfo(_Part):
    allocation: str | None = None
    intervention_model: str | None = None
    primary_purpose: str | None = None
    observational_model: str | None = None
    time_perspective: str | None = None
    masking_info: MaskingInfo | None = None


class Design(_Part):
    study_type: str | None = None
    phases: list[str] | None = None
    patient_registry: bool | None = None
    design_info: DesignInfo | None = None
    enrollment_info: EnrollmentInfo | None = None


class RegisteredIntervention(_Part):
    name: str | None = None
    type: str | None = None
    description: str | None = None
    arm_group_labels: list[str] | None = None
    other_names: tuple[str, ...] | None = None


class ArmGroup(_Part):
    label: str | None = None
    type: str | None = None
    description: str | None = None
    intervention_names: list[str] | None = None


class ArmsInterventions(_Part):
    arm_groups: list[ArmGroup] | None = None
    interventions: list[RegisteredIntervention] | None = None


class Outcome(_Part):
    measure: str | None = None
    time_frame: str | None = None
    description: str | None = None


class Outcomes(_Part):
    primary_outcomes: list[Outcome] | None = None
    secondary_outcomes: list[Outcome] | None = None
    other_outcomes: list[Outcome] | None = None


class Eligibility(_Part):
    eligibility_criteria: str | None = None
    healthy_volunteers: bool | None = None
    sex: str | None = None
    minimum_age: str | None = None
    maximum_age: str | None = None
    study_population: str | None = None
    sampling_method: str | None = None


class GeoPoint(_Part):
    lat: float | None = None
    lon: float | None = None


class Location(_Part):
    facility: str | None = None
    status: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    geo_point: GeoPoint | None = None


class ContactsLocations(_Part):
    locations: list[Location] | None = None


class CitedArticle(_Part):
    pmid: str | None = None
    type: str | None = None
    citation: str | None = None


class References(_Part):
    references: list[CitedArticle] | None = None


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
    references_module: References | None = None


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
