"""The fields of a record that are requested from the API, by their API names."""

# Those that `records/registry.py` reads: no contacts, no results, no personal data.
FIELDS = (
    "NCTId", "NCTIdAlias", "OrgStudyId", "SecondaryId", "BriefTitle", "OfficialTitle", "Acronym",
    "OverallStatus", "LastKnownStatus", "StartDate", "CompletionDate", "LastUpdatePostDate",
    "LeadSponsorName", "BriefSummary", "DetailedDescription", "Condition", "Keyword", "StudyType",
    "Phase", "EnrollmentCount", "InterventionType", "InterventionName", "InterventionOtherName",
    "PrimaryOutcomeMeasure", "SecondaryOutcomeMeasure", "EligibilityCriteria", "LocationCountry",
    "ConditionMeshTerm", "InterventionMeshTerm", "HasResults",
)  # fmt: skip
