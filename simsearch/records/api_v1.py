"""Records in the layout of the API v1, which the registry retired in 2024 → the layout of API v2.

Names there begin with capitals and repeat their parent's (`LeadSponsor.LeadSponsorName`), lists
are wrapped (`ConditionList.Condition`), numbers are texts, and words are those of the legacy XML.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any

from simsearch.records import vocabulary

Json = dict[str, Any]

NOTICE = (
    "in the layout of the API v1, which the registry retired in 2024: these records are years "
    "old; download them again (simsearch fetch --ids FILE)"
)

_ANSWERS = MappingProxyType(
    {"FullStudiesResponse": "FullStudies", "StudyFieldsResponse": "StudyFields"}
)
# Names that are not their own without the parent's, in lower case.
_NAMES = MappingProxyType(
    {
        "ConditionMesh": "meshes", "DesignMasking": "masking", "DesignMaskingInfo": "maskingInfo",
        "DesignObservationalModelList": "observationalModel",
        "DesignTimePerspectiveList": "timePerspective", "DesignWhoMasked": "whoMasked",
        "Gender": "sex", "InterventionArmGroupLabel": "armGroupLabels",
        "InterventionMesh": "meshes", "InterventionOtherName": "otherNames",
        "ArmGroupInterventionName": "interventionNames", "NCTId": "nctId",
        "NCTIdAlias": "nctIdAliases", "OrgStudyId": "id", "ReferencePMID": "pmid",
        "SecondaryId": "id",
    }
)  # fmt: skip
_ENUMS = re.compile(
    r"(?:Date|Enrollment|ArmGroup|Reference)Type|Design(?:Allocation|InterventionModel|"
    r"PrimaryPurpose|Masking|WhoMasked|ObservationalModel|TimePerspective)|Gender|SamplingMethod|"
    r"\w+Class|LocationStatus|SecondaryIdType"
)
_WORDS = MappingProxyType(
    {"ANTICIPATED": "ESTIMATED", "ESTIMATE": "ESTIMATED", "NONE_OPEN_LABEL": "NONE", "N_A": "NA",
     "U_S_FED": "FED"}
)  # fmt: skip
_ANSWERS_YES = MappingProxyType({"yes": True, "accepts healthy volunteers": True, "no": False})
_YES_NO = frozenset({"HealthyVolunteers", "PatientRegistry", "HasExpandedAccess"})

# The fields of a `study_fields` answer → where the API v2 has them; lists end with [].
_FIELDS = MappingProxyType(
    {
        "NCTId": "identificationModule.nctId",
        "NCTIdAlias": "identificationModule.nctIdAliases[]",
        "OrgStudyId": "identificationModule.orgStudyIdInfo.id",
        "BriefTitle": "identificationModule.briefTitle",
        "OfficialTitle": "identificationModule.officialTitle",
        "Acronym": "identificationModule.acronym",
        "OverallStatus": "statusModule.overallStatus",
        "LastKnownStatus": "statusModule.lastKnownStatus",
        "WhyStopped": "statusModule.whyStopped",
        "StartDate": "statusModule.startDateStruct.date",
        "PrimaryCompletionDate": "statusModule.primaryCompletionDateStruct.date",
        "CompletionDate": "statusModule.completionDateStruct.date",
        "LastUpdatePostDate": "statusModule.lastUpdatePostDateStruct.date",
        "LeadSponsorName": "sponsorCollaboratorsModule.leadSponsor.name",
        "BriefSummary": "descriptionModule.briefSummary",
        "DetailedDescription": "descriptionModule.detailedDescription",
        "Condition": "conditionsModule.conditions[]",
        "Keyword": "conditionsModule.keywords[]",
        "StudyType": "designModule.studyType",
        "Phase": "designModule.phases[]",
        "EnrollmentCount": "designModule.enrollmentInfo.count",
        "EligibilityCriteria": "eligibilityModule.eligibilityCriteria",
        "MinimumAge": "eligibilityModule.minimumAge",
        "MaximumAge": "eligibilityModule.maximumAge",
    }
)
_NAMED_FIELDS = MappingProxyType(
    {
        "InterventionName": ("armsInterventionsModule.interventions[]", "name"),
        "PrimaryOutcomeMeasure": ("outcomesModule.primaryOutcomes[]", "measure"),
        "SecondaryOutcomeMeasure": ("outcomesModule.secondaryOutcomes[]", "measure"),
        "LocationCountry": ("contactsLocationsModule.locations[]", "country"),
    }
)


def v1_records(document: Json) -> list[Json] | None:
    """Return the records of a document of API v1 in the layout of API v2; None if it is not one.

    Args:
        document: an answer (`FullStudiesResponse`, `StudyFieldsResponse`) or one `FullStudy`.
    """
    for answer, inner in _ANSWERS.items():
        if isinstance(held := document.get(answer), dict):
            return [each for item in held.get(inner) or () for each in _records(item)]
    return _records(document) or None


def _records(item: Any) -> list[Json]:
    if not isinstance(item, dict):
        return []
    if isinstance(item.get("FullStudy"), dict):
        item = item["FullStudy"]
    study = item.get("Study", item)
    if isinstance(study, dict) and isinstance(study.get("ProtocolSection"), dict):
        record: Json = _renamed(
            {name: study[name] for name in ("ProtocolSection", "DerivedSection") if name in study}
        )
        return [{**record, "hasResults": "ResultsSection" in study}]
    return [_of_fields(item)] if isinstance(item.get("NCTId"), list) else []


def _renamed(value: Any, parent: str = "") -> Any:
    """Return a value with the names of the API v2; `parent` is the name above it."""
    if isinstance(value, list):
        return [_renamed(each, parent) for each in value]
    if not isinstance(value, dict):
        return value
    own = re.sub(r"(?:Struct|Info)$", "", parent)
    found: Json = {}
    for name, child in value.items():
        if name.endswith("List") and isinstance(child, dict) and len(child) == 1:
            ((inner, items),) = child.items()
            items = [_leaf(inner, each) for each in items if each is not None]
            if name in _NAMES:  # one text there, though the API v1 has a list
                found[_NAMES[name]] = items[0] if items else None
            else:
                found[_NAMES.get(inner, f"{_lower(inner)}s")] = items
        else:
            found[_name(name, own)] = _leaf(name, child)
    return found


def _leaf(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return _renamed(value, name)
    if name in _YES_NO:
        return _ANSWERS_YES.get(value.strip().lower())
    if _ENUMS.search(name):
        word = vocabulary.status(value).removesuffix("_ASSIGNMENT")
        return _WORDS.get(word, word)
    return (vocabulary.date(value) or value) if name.endswith("Date") else value


def _name(name: str, parent: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    if name == parent:
        return "date" if name.endswith("Date") else _lower(name)
    for prefix in (parent, "Design" if parent.startswith("Design") else ""):
        if prefix and name.startswith(prefix):
            return _lower(name.removeprefix(prefix))
    return _lower(name)


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _of_fields(item: Json) -> Json:
    """Return the record of an item of `study_fields`, in which every field is a list of texts."""
    protocol: Json = {}
    for field, path in _FIELDS.items():
        if texts := item.get(field):
            _put(protocol, path, texts if path.endswith("[]") else texts[0])
    for field, (path, name) in _NAMED_FIELDS.items():
        if texts := item.get(field):
            _put(protocol, path, [{name: text} for text in texts])
    kinds = item.get("InterventionType") or []
    named = protocol.get("armsInterventionsModule", {}).get("interventions", [])
    if len(kinds) == len(named):
        for each, kind in zip(named, kinds, strict=True):
            each["type"] = kind
    return {"protocolSection": protocol}


def _put(protocol: Json, path: str, value: Any) -> None:
    *folders, last = path.removesuffix("[]").split(".")
    for folder in folders:
        protocol = protocol.setdefault(folder, {})
    protocol[last] = value
