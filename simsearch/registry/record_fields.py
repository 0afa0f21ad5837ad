"""The fields of a record that are requested from the API, by their API names."""

# Those that `records/registry.py` reads: no contacts, no results, no personal data.
FIELDS = (
    "NCTId", "NCTIdAlias", "OrgStudyId", "OrgStudyIdType", "SecondaryId", "SecondaryIdType",
    "SecondaryIdDomain",
    "BriefTitle", "OfficialTitle", "Acronym",
    "OverallStatus", "LastKnownStatus", "WhyStopped", "StartDate", "StartDateType",
    "PrimaryCompletionDate", "PrimaryCompletionDateType", "CompletionDate", "CompletionDateType",
    "StudyFirstPostDate", "ResultsFirstPostDate", "LastUpdatePostDate",
    "LeadSponsorName", "LeadSponsorClass", "CollaboratorName", "CollaboratorClass",
    "BriefSummary", "DetailedDescription", "Condition", "Keyword",
    "StudyType", "PatientRegistry", "Phase", "DesignAllocation", "DesignInterventionModel",
    "DesignPrimaryPurpose", "DesignObservationalModel", "DesignTimePerspective", "DesignMasking",
    "DesignWhoMasked", "EnrollmentCount", "EnrollmentType",
    "ArmGroupLabel", "ArmGroupType", "ArmGroupDescription", "ArmGroupInterventionName",
    "InterventionType", "InterventionName", "InterventionDescription",
    "InterventionArmGroupLabel", "InterventionOtherName",
    "PrimaryOutcomeMeasure", "PrimaryOutcomeTimeFrame", "PrimaryOutcomeDescription",
    "SecondaryOutcomeMeasure", "SecondaryOutcomeTimeFrame", "SecondaryOutcomeDescription",
    "OtherOutcomeMeasure", "OtherOutcomeTimeFrame", "OtherOutcomeDescription",
    "EligibilityCriteria", "HealthyVolunteers", "Sex", "MinimumAge", "MaximumAge",
    "StudyPopulation", "SamplingMethod",
    "LocationFacility", "LocationStatus", "LocationCity", "LocationState", "LocationZip",
    "LocationCountry", "LocationGeoPoint",
    "ReferencePMID", "ReferenceType", "ReferenceCitation",
    "ConditionMeshTerm", "InterventionMeshTerm", "HasResults",
)  # fmt: skip
