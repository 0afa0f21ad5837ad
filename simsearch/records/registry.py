"""A record in the layout of the ClinicalTrials.gov API v2 → `Study`.

The structs name the parts of a record that are read, as the registry's data
dictionary (API v2 study data structure) names them. They are strict about types,
take any unknown field, and take null for absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from simsearch.errors import NctIdError
from simsearch.records.text import clean_text
from simsearch.study import Intervention, Study, parse_nct_id

_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
# The registry's stand-in for "unknown" in enrollment counts.
_UNKNOWN_ENROLLMENT = 99_999_999


class _Part(msgspec.Struct, rename="camel"):
    """Base of the record's parts: API v2 writes its names in camelCase."""


class Identification(_Part):
    nct_id: str | None = None
    nct_id_aliases: list[str] | None = None
    brief_title: str | None = None
    official_title: str | None = None
    acronym: str | None = None


class DateStruct(_Part):
    date: str | None = None


class Status(_Part):
    overall_status: str | None = None
    start_date_struct: DateStruct | None = None
    completion_date_struct: DateStruct | None = None
    last_update_post_date_struct: DateStruct | None = None


class Sponsor(_Part):
    name: str | None = None


class Sponsors(_Part):
    lead_sponsor: Sponsor | None = None


class Description(_Part):
    brief_summary: str | None = None


class Conditions(_Part):
    conditions: list[str] | None = None
    keywords: list[str] | None = None


class EnrollmentInfo(_Part):
    count: int | None = None


class Design(_Part):
    study_type: str | None = None
    phases: list[str] | None = None
    enrollment_info: EnrollmentInfo | None = None


class RegisteredIntervention(_Part):
    name: str | None = None
    type: str | None = None


class ArmsInterventions(_Part):
    interventions: list[RegisteredIntervention] | None = None


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
    """The root of one record."""

    protocol_section: Protocol
    derived_section: Derived | None = None
    has_results: bool | None = None


def study_from_record(record: Record, *, draft: bool = False) -> Study:
    """Return what is kept of `record`; a `draft` may lack its NCT ID.

    Raises:
        NctIdError: the record has no NCT ID, or a malformed one.
    """
    protocol = record.protocol_section
    derived = record.derived_section or Derived()
    identification = protocol.identification_module or Identification()
    status = protocol.status_module or Status()
    sponsors = protocol.sponsor_collaborators_module or Sponsors()
    description = protocol.description_module or Description()
    conditions = protocol.conditions_module or Conditions()
    design = protocol.design_module or Design()
    arms = protocol.arms_interventions_module or ArmsInterventions()
    places = protocol.contacts_locations_module or ContactsLocations()
    misc = derived.misc_info_module or MiscInfo()
    nct_id = _nct_id(identification.nct_id, draft=draft)
    return Study(
        nct_id=nct_id,
        aliases=_aliases(identification.nct_id_aliases or (), nct_id),
        title=clean_text(identification.brief_title),
        official_title=clean_text(identification.official_title),
        acronym=clean_text(identification.acronym),
        summary=clean_text(description.brief_summary, markup=True),
        conditions=_distinct(conditions.conditions or ()),
        keywords=_distinct(conditions.keywords or ()),
        interventions=_interventions(arms.interventions or ()),
        condition_mesh=_mesh(derived.condition_browse_module),
        intervention_mesh=_mesh(derived.intervention_browse_module),
        status=status.overall_status or "",
        study_type=design.study_type or "",
        phases=tuple(design.phases or ()),
        sponsor=clean_text(sponsors.lead_sponsor.name if sponsors.lead_sponsor else None),
        countries=_distinct(place.country for place in places.locations or ()),
        start_date=_date(status.start_date_struct),
        completion_date=_date(status.completion_date_struct),
        last_update_date=_date(status.last_update_post_date_struct),
        enrollment=_enrollment(design.enrollment_info),
        has_results=record.has_results,
        data_version=misc.version_holder or "",
    )


def _nct_id(text: str | None, *, draft: bool) -> str:
    if text and text.strip():
        return parse_nct_id(text)
    if draft:
        return ""
    raise NctIdError("", "is no NCT ID")


def _aliases(texts: Iterable[str], nct_id: str) -> tuple[str, ...]:
    """Return the obsolete IDs that are IDs, in order, without the study's own."""
    aliases = []
    for text in texts:
        try:
            aliases.append(parse_nct_id(text))
        except NctIdError:
            continue
    return tuple(alias for alias in dict.fromkeys(aliases) if alias != nct_id)


def _distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Return the clean texts that say something, each once, in their first order."""
    return tuple(dict.fromkeys(text for text in map(clean_text, texts) if text))


def _interventions(registered: Iterable[RegisteredIntervention]) -> tuple[Intervention, ...]:
    named = ((clean_text(each.name), each.type or "") for each in registered)
    return tuple(dict.fromkeys(Intervention(name, kind) for name, kind in named if name))


def _mesh(module: MeshModule | None) -> tuple[str, ...]:
    return _distinct(mesh.term for mesh in (module.meshes if module else None) or ())


def _date(struct: DateStruct | None) -> str:
    """Return the date as precise as registered; a text of another form is no date."""
    text = (struct.date if struct else None) or ""
    return text if _DATE.fullmatch(text) else ""


def _enrollment(info: EnrollmentInfo | None) -> int | None:
    count = info.count if info else None
    return None if count == _UNKNOWN_ENROLLMENT else count
