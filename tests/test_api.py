"""The client of the registry's API: fields, retries, throttling."""

import datetime as dt
import email.utils
import time
from typing import get_args

import msgspec
import pytest
from registry_server import client_of, serving, six_studies

from simsearch.errors import ApiError
from simsearch.records.registry import Record
from simsearch.registry.api import FIELDS, RegistryApi


@pytest.fixture
def registry():
    with serving(six_studies()) as served:
        yield served


@pytest.fixture
def client(registry):
    with client_of(registry) as opened:
        yield opened


# The fields read from a record, by their place in it → their names in the API.
PIECES = {
    "protocolSection": {
        "identificationModule": {
            "nctId": "NCTId", "nctIdAliases": "NCTIdAlias", "orgStudyIdInfo": {"id": "OrgStudyId"},
            "secondaryIdInfos": {"id": "SecondaryId"}, "briefTitle": "BriefTitle",
            "officialTitle": "OfficialTitle", "acronym": "Acronym",
        },
        "statusModule": {
            "overallStatus": "OverallStatus", "lastKnownStatus": "LastKnownStatus",
            "startDateStruct": {"date": "StartDate"},
            "completionDateStruct": {"date": "CompletionDate"},
            "lastUpdatePostDateStruct": {"date": "LastUpdatePostDate"},
        },
        "sponsorCollaboratorsModule": {"leadSponsor": {"name": "LeadSponsorName"}},
        "descriptionModule": {
            "briefSummary": "BriefSummary", "detailedDescription": "DetailedDescription",
        },
        "conditionsModule": {"conditions": "Condition", "keywords": "Keyword"},
        "designModule": {
            "studyType": "StudyType", "phases": "Phase",
            "enrollmentInfo": {"count": "EnrollmentCount"},
        },
        "armsInterventionsModule": {
            "interventions": {
                "name": "InterventionName", "type": "InterventionType",
                "otherNames": "InterventionOtherName",
            },
        },
        "outcomesModule": {
            "primaryOutcomes": {"measure": "PrimaryOutcomeMeasure"},
            "secondaryOutcomes": {"measure": "SecondaryOutcomeMeasure"},
        },
        "eligibilityModule": {"eligibilityCriteria": "EligibilityCriteria"},
        "contactsLocationsModule": {"locations": {"country": "LocationCountry"}},
    },
    "derivedSection": {
        "miscInfoModule": {"versionHolder": "VersionHolder"},
        "conditionBrowseModule": {"meshes": {"term": "ConditionMeshTerm"}},
        "interventionBrowseModule": {"meshes": {"term": "InterventionMeshTerm"}},
    },
    "hasResults": "HasResults",
}  # fmt: skip


def places(struct):
    """Return the places of the fields in a struct of a record, in the form of `PIECES`."""
    found = {}
    for field in msgspec.structs.fields(struct):
        parts = [part for each in (field.type, *get_args(field.type))
                 for part in (each, *get_args(each))]  # fmt: skip
        deeper = [part for part in parts if getattr(part, "__struct_fields__", None)]
        found[field.encode_name] = places(deeper[0]) if deeper else None
    return found


def leaves(tree):
    """Return the API names in `PIECES`, or in a part of it."""
    return set().union(*map(leaves, tree.values())) if isinstance(tree, dict) else {tree}


def emptied(tree):
    return {key: emptied(each) if isinstance(each, dict) else None for key, each in tree.items()}


def test_the_requested_fields_are_those_that_are_read():
    """Except for the date of a download, which a mirror does not have (docs/forms.md)."""
    read = places(Record)
    del read["studies"], read["nextPageToken"]  # of a search result, not of a study
    assert read == emptied(PIECES)
    assert set(FIELDS) == leaves(PIECES) - {"VersionHolder"}
    assert len(set(FIELDS)) == len(FIELDS)


@pytest.mark.parametrize("status", [400, 403])
def test_a_refusal_is_final(client, registry, status):
    registry.faults.append(status)
    with pytest.raises(ApiError, match=f"answered {status}: try later"):
        client.page({})
    assert len(registry.requests) == 1


@pytest.mark.parametrize("dated", [False, True])
def test_retries_wait_as_long_as_the_server_asks(registry, monkeypatch, dated):
    waits = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=100)
    after = email.utils.format_datetime(later, usegmt=True) if dated else "100"
    registry.faults.append((429, {"Retry-After": after}))
    with RegistryApi("t", base_url=registry.url, pause_seconds=0, backoff_seconds=0.01) as opened:
        opened.data_timestamp()
    assert [wait for wait in waits if wait > 50] == [pytest.approx(100, abs=3)]


def test_requests_are_throttled(registry):
    with RegistryApi("t", base_url=registry.url, pause_seconds=0.15) as opened:
        began = time.monotonic()
        for _ in range(3):
            opened.data_timestamp()
    assert time.monotonic() - began >= 0.3


def test_a_timeout_is_retried(registry):
    registry.faults.append("slow")
    lines = []
    with RegistryApi(
        "t", base_url=registry.url, pause_seconds=0, backoff_seconds=0.01, timeout_seconds=0.2,
        log=lines.append,
    ) as opened:  # fmt: skip
        assert opened.data_timestamp() == registry.timestamp
    assert "no answer (timed out); try 2 of 5" in lines[0]
