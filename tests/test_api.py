"""The client of the registry's API: fields, retries, throttling."""

import datetime as dt
import email.utils
import gzip
import time
from typing import get_args

import msgspec
import pytest
from registry_server import IDS, client_of, serving, six_studies

from simsearch.errors import ApiError, NoAnswerError
from simsearch.records.registry_parts import Record
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
            "nctId": "NCTId", "nctIdAliases": "NCTIdAlias",
            "orgStudyIdInfo": {"id": "OrgStudyId", "type": "OrgStudyIdType"},
            "secondaryIdInfos": {
                "id": "SecondaryId", "type": "SecondaryIdType", "domain": "SecondaryIdDomain",
            },
            "briefTitle": "BriefTitle", "officialTitle": "OfficialTitle", "acronym": "Acronym",
        },
        "statusModule": {
            "overallStatus": "OverallStatus", "lastKnownStatus": "LastKnownStatus",
            "whyStopped": "WhyStopped",
            "startDateStruct": {"date": "StartDate", "type": "StartDateType"},
            "primaryCompletionDateStruct": {
                "date": "PrimaryCompletionDate", "type": "PrimaryCompletionDateType",
            },
            "completionDateStruct": {"date": "CompletionDate", "type": "CompletionDateType"},
            "studyFirstPostDateStruct": {"date": "StudyFirstPostDate"},
            "resultsFirstPostDateStruct": {"date": "ResultsFirstPostDate"},
            "lastUpdatePostDateStruct": {"date": "LastUpdatePostDate"},
        },
        "sponsorCollaboratorsModule": {
            "leadSponsor": {"name": "LeadSponsorName", "class": "LeadSponsorClass"},
            "collaborators": {"name": "CollaboratorName", "class": "CollaboratorClass"},
        },
        "descriptionModule": {
            "briefSummary": "BriefSummary", "detailedDescription": "DetailedDescription",
        },
        "conditionsModule": {"conditions": "Condition", "keywords": "Keyword"},
        "designModule": {
            "studyType": "StudyType", "phases": "Phase", "patientRegistry": "PatientRegistry",
            "designInfo": {
                "allocation": "DesignAllocation", "interventionModel": "DesignInterventionModel",
                "primaryPurpose": "DesignPrimaryPurpose",
                "observationalModel": "DesignObservationalModel",
                "timePerspective": "DesignTimePerspective",
                "maskingInfo": {"masking": "DesignMasking", "whoMasked": "DesignWhoMasked"},
            },
            "enrollmentInfo": {"count": "EnrollmentCount", "type": "EnrollmentType"},
        },
        "armsInterventionsModule": {
            "armGroups": {
                "label": "ArmGroupLabel", "type": "ArmGroupType",
                "description": "ArmGroupDescription",
                "interventionNames": "ArmGroupInterventionName",
            },
            "interventions": {
                "name": "InterventionName", "type": "InterventionType",
                "description": "InterventionDescription",
                "armGroupLabels": "InterventionArmGroupLabel",
                "otherNames": "InterventionOtherName",
            },
        },
        "outcomesModule": {
            f"{kind}Outcomes": {
                "measure": f"{kind.title()}OutcomeMeasure",
                "timeFrame": f"{kind.title()}OutcomeTimeFrame",
                "description": f"{kind.title()}OutcomeDescription",
            }
            for kind in ("primary", "secondary", "other")
        },
        "eligibilityModule": {
            "eligibilityCriteria": "EligibilityCriteria", "healthyVolunteers": "HealthyVolunteers",
            "sex": "Sex", "minimumAge": "MinimumAge", "maximumAge": "MaximumAge",
            "studyPopulation": "StudyPopulation", "samplingMethod": "SamplingMethod",
        },
        "contactsLocationsModule": {
            "locations": {
                "facility": "LocationFacility", "status": "LocationStatus",
                "city": "LocationCity", "state": "LocationState", "zip": "LocationZip",
                "country": "LocationCountry",
                "geoPoint": {"lat": "LocationGeoPoint", "lon": "LocationGeoPoint"},
            },
        },
        "referencesModule": {
            "references": {
                "pmid": "ReferencePMID", "type": "ReferenceType", "citation": "ReferenceCitation",
            },
        },
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


def test_a_pause_of_an_hour_is_not_waited_for(registry):
    """The request fails at once, and says how long the registry wants to be left alone."""
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)
    lines = []
    for after, named in (("3600", "3,600"), (email.utils.format_datetime(later), "7,")):
        registry.faults.append((429, {"Retry-After": after}))
        with (
            RegistryApi("t", base_url=registry.url, pause_seconds=0, say=lines.append) as opened,
            pytest.raises(NoAnswerError, match=f"answered 429 and asks for a pause of {named}"),
        ):
            opened.data_timestamp()
    assert len(registry.requests) == 2
    assert lines == []


def test_a_long_wait_is_announced(registry, monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    registry.faults.extend([(503, {"Retry-After": "60"}), 503])
    lines = []
    with RegistryApi(
        "t", base_url=registry.url, pause_seconds=0, backoff_seconds=0.01, say=lines.append
    ) as opened:
        opened.data_timestamp()
    assert lines == ["the registry: answered 503; try 2 of 5 in 60 s"]


def padded(registry, n):
    """Let the registry answer with the time of its data and `n` more bytes."""
    stamp = b'{"dataTimestamp": "%s", "x": "' % registry.timestamp.encode()
    return stamp + b"x" * n + b'"}'


def test_an_answer_of_any_size_is_cut_off(registry):
    registry.answers = lambda *_: (200, {}, padded(registry, 1_000_000))
    with RegistryApi("t", base_url=registry.url, pause_seconds=0, most_bytes=100_000) as opened:
        with pytest.raises(ApiError, match=r"/version: answered with more than 100,000 bytes$"):
            opened.data_timestamp()
        registry.answers = lambda *_: (200, {}, padded(registry, 90_000))
        assert opened.data_timestamp() == registry.timestamp


def test_a_packed_answer_is_cut_off_at_its_unpacked_size(registry):
    packed = gzip.compress(padded(registry, 50_000_000))
    assert len(packed) < 100_000
    registry.answers = lambda *_: (200, {"Content-Encoding": "gzip"}, packed)
    with RegistryApi("t", base_url=registry.url, pause_seconds=0, most_bytes=1_000_000) as opened:
        with pytest.raises(ApiError, match="answered with more than 1,000,000 bytes"):
            opened.data_timestamp()
        packed = gzip.compress(padded(registry, 900_000))
        assert opened.data_timestamp() == registry.timestamp


@pytest.mark.parametrize("damage", [lambda body: body[:-20], lambda body: b"x" + body[1:]])
def test_a_damaged_packed_answer_is_requested_again(registry, client, damage):
    packed = gzip.compress(padded(registry, 1000))
    bodies = [damage(packed), packed]
    registry.answers = lambda *_: (200, {"Content-Encoding": "gzip"}, bodies.pop(0))
    assert client.data_timestamp() == registry.timestamp


def test_an_answer_in_an_unknown_encoding_is_refused(registry, client):
    registry.answers = lambda *_: (200, {"Content-Encoding": "br"}, b"{}")
    with pytest.raises(ApiError, match="in the encoding 'br', which was not asked for"):
        client.data_timestamp()


def test_an_answer_that_drips_is_given_up(registry):
    """Each part arrives in time, and the whole never does."""
    registry.drip_seconds = 0.02
    with (
        RegistryApi(
            "t", base_url=registry.url, pause_seconds=0, backoff_seconds=0.01, answer_seconds=0.1
        ) as opened,
        pytest.raises(NoAnswerError, match=r"did not end within 0\.1 s, after 5 tries"),
    ):
        opened.data_timestamp()


def test_one_refused_id_costs_few_requests(registry, client):
    """The halves of a refused list are requested by themselves, not each study."""
    registry.offence = "NCT00000999"
    wanted = [*IDS, registry.offence, *(f"NCT{n:08}" for n in range(1001, 1194))]
    found = client.studies(wanted, ["NCTId"])
    assert [each.nct_id for each in found] == IDS
    assert len(registry.requests) < 20


@pytest.mark.parametrize("status", [None, 403, 503, 429])
def test_no_error_and_no_log_shows_the_password(registry, status):
    """Of an address like https://user:password@host, as SIMSEARCH_API may hold."""
    lines = []
    registry.faults.extend([(status, {"Retry-After": "0"})] * 5 if status else [])
    registry.answers = lambda *_: (200, {}, b'{"dataTimestamp": "never"}')
    with RegistryApi(
        "t", base_url=registry.url.replace("//", "//me:s3cret@"), pause_seconds=0,
        backoff_seconds=0.01, log=lines.append, say=lines.append,
    ) as opened, pytest.raises(ApiError) as refused:  # fmt: skip
        opened.data_timestamp()
    assert "127.0.0.1" in str(refused.value)
    assert not any("s3cret" in each or "me:" in each for each in [str(refused.value), *lines])
    assert registry.authorizations == {"Basic bWU6czNjcmV0"}


@pytest.mark.parametrize("address", ["http://me:s3/cret@host/api", "http://me:s3cret@ho st:x/"])
def test_an_invalid_address_is_named_without_its_password(address):
    with pytest.raises(ApiError) as refused:
        RegistryApi("t", base_url=address)
    assert "s3" not in str(refused.value)
