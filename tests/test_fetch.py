"""The registry's API, the mirror, fetches and updates, against a server on loopback."""

import datetime as dt
import email.utils
import itertools
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from conftest import WordEncoder, record
from registry_server import Registry, serving

from simsearch import Study, build_index, read_studies
from simsearch.errors import (
    ApiError,
    FetchError,
    GoneStudyError,
    MirrorError,
    RedirectError,
    ShrinkError,
    SourceError,
)
from simsearch.index.opened import opened_index
from simsearch.records import Gone, read_ids
from simsearch.records.mirror import Mirror, MirroredRecord, Window, is_mirror
from simsearch.records.registry import Record
from simsearch.registry.api import FIELDS, RegistryApi
from simsearch.registry.fetch import fetch, update
from simsearch.registry.recheck import recheck
from simsearch.registry.scope import Scope, plan, windows
from simsearch.registry.single_studies import fetch_ids, study_online

DATES = ("2003-05-01", "2012-01-31", "2019-12-31", "2020-01-01", "2024-02-29", "2026-03-24")
RECORDS = [
    record(f"NCT0000010{n}", f"Iron pills {n}", ["Anemia" if n % 2 else "Knee"], updated=date)
    for n, date in enumerate(DATES, start=1)
]
IDS = [f"NCT0000010{n}" for n in range(1, 7)]
ALL = Scope()


@pytest.fixture
def registry():
    with serving(Registry(json.loads(json.dumps(RECORDS)))) as served:
        yield served


@pytest.fixture
def client(registry):
    lines = []
    with RegistryApi(
        "simsearch-test", base_url=registry.url, pause_seconds=0, backoff_seconds=0.01,
        page_size=2, log=lines.append,
    ) as opened:  # fmt: skip
        opened.lines = lines
        yield opened


@pytest.fixture
def mirror(tmp_path):
    with Mirror(tmp_path / "mirror.sqlite") as opened:
        yield opened


def mirrored(mirror):
    return [json.loads(body)["protocolSection"]["identificationModule"]["nctId"]
            for body in mirror.records()]  # fmt: skip


def test_the_whole_registry_comes_page_by_page(mirror, client, registry):
    seen = []
    report = fetch(mirror, client, ALL, progress=lambda *each: seen.append(each))
    assert mirrored(mirror) == IDS
    assert (report.n_received, report.n_mirrored) == (6, 6)
    assert report.data_timestamp == registry.timestamp
    assert seen[-1] == ("fetching", 6, 6, "studies")
    assert registry.agents == {"simsearch-test"}


def test_a_narrow_scope_brings_what_matches(mirror, client):
    fetch(mirror, client, Scope(condition="anemia"))
    assert mirrored(mirror) == IDS[::2]


def test_since_brings_what_was_updated_on_or_after(mirror, client):
    fetch(mirror, client, ALL, since="2020-01-01")
    assert mirrored(mirror) == IDS[3:]


# Where a record has what is read of it → the piece of that name in the API.
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
    """Return the places that a struct of a record reads, in the form of `PIECES`."""
    found = {}
    for field in msgspec.structs.fields(struct):
        parts = [part for each in (field.type, *get_args(field.type))
                 for part in (each, *get_args(each))]  # fmt: skip
        deeper = [part for part in parts if getattr(part, "__struct_fields__", None)]
        found[field.encode_name] = places(deeper[0]) if deeper else None
    return found


def leaves(tree):
    """Return the pieces of `PIECES`, or of a part of it."""
    return set().union(*map(leaves, tree.values())) if isinstance(tree, dict) else {tree}


def emptied(tree):
    return {key: emptied(each) if isinstance(each, dict) else None for key, each in tree.items()}


def test_the_fields_asked_for_are_those_read():
    """But for the day of a download, which a mirror does without (docs/forms.md)."""
    read = places(Record)
    del read["studies"], read["nextPageToken"]  # of an answer, not of a study
    assert read == emptied(PIECES)
    assert set(FIELDS) == leaves(PIECES) - {"VersionHolder"}
    assert len(set(FIELDS)) == len(FIELDS)


def test_only_the_fields_that_are_read_are_asked_for(mirror, client, registry):
    fetch(mirror, client, ALL)
    fields = [query["fields"] for path, query in registry.requests if "pageSize" in query]
    assert fields[-1] == "|".join(FIELDS)


def test_an_exactly_full_last_page_ends_the_fetch(mirror, client):
    """Six studies in pages of two: the registry gives a token although nothing follows."""
    fetch(mirror, client, Scope(term=""), since="2000-01-01")
    assert len(mirrored(mirror)) == 6


@pytest.mark.parametrize(
    "fault",
    [429, (429, {"Retry-After": "0"}), 500, 502, 503, 504, 408, "html", "cut", "torn", "drop"],
)
def test_what_may_heal_is_tried_again(mirror, client, registry, fault):
    registry.faults.extend([fault, fault])
    assert fetch(mirror, client, ALL).n_received == 6
    assert sum("; try " in line for line in client.lines) == 2


def test_what_does_not_heal_ends_with_the_address_and_the_reason(mirror, client, registry):
    registry.faults.extend([503] * 5)
    with pytest.raises(ApiError, match=r"/version: answered 503, after 5 tries"):
        fetch(mirror, client, ALL)


@pytest.mark.parametrize("status", [400, 403])
def test_a_refusal_is_final(client, registry, status):
    registry.faults.append(status)
    with pytest.raises(ApiError, match=f"answered {status}: try later"):
        client.page({})
    assert len(registry.requests) == 1


@pytest.mark.parametrize("dated", [False, True])
def test_the_server_says_how_long_to_wait(registry, monkeypatch, dated):
    waits = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=100)
    after = email.utils.format_datetime(later, usegmt=True) if dated else "100"
    registry.faults.append((429, {"Retry-After": after}))
    with RegistryApi("t", base_url=registry.url, pause_seconds=0, backoff_seconds=0.01) as opened:
        opened.data_timestamp()
    assert [wait for wait in waits if wait > 50] == [pytest.approx(100, abs=3)]


def test_requests_keep_their_distance(registry):
    with RegistryApi("t", base_url=registry.url, pause_seconds=0.15) as opened:
        began = time.monotonic()
        for _ in range(3):
            opened.data_timestamp()
    assert time.monotonic() - began >= 0.3


def test_a_fetch_that_stops_goes_on_with_the_next_page(mirror, client, registry):
    client.data_timestamp()
    registry.requests.clear()
    # version, count, two pages, then the registry is gone for good
    registry.faults.extend([None, None, None, None, *[503] * 5])
    with pytest.raises(FetchError, match=r"503.*the 4 studies received are kept"):
        fetch(mirror, client, Scope(), since="2000-01-01")
    assert mirrored(mirror) == IDS[:4]
    registry.requests.clear()
    assert fetch(mirror, client, Scope(), since="2000-01-01").n_received == 6
    tokens = [query.get("pageToken", "") for _, query in registry.requests if "pageSize" in query]
    fields = [query["fields"] for _, query in registry.requests if "pageSize" in query]
    assert "BriefTitle" in fields[1]
    assert mirrored(mirror) == IDS
    assert tokens[1] == f"{registry.timestamp}|4"  # after the count: not from the start


@pytest.mark.parametrize(("fault", "code"), [(503, 75), ("drop", 75), (403, 1)])
def test_a_fetch_says_whether_to_come_again(mirror, client, registry, fault, code):
    """A registry that is gone may be back; one that refuses needs a person."""
    client.data_timestamp()
    registry.faults.extend([None, None, None, None, *[fault] * 5])
    with pytest.raises(FetchError, match="the 4 studies received are kept") as broken:
        fetch(mirror, client, Scope(), since="2000-01-01")
    assert broken.value.exit_code == code
    registry.faults.clear()
    registry.faults.extend([None, *[fault] * 5])
    with pytest.raises(FetchError) as broken:
        fetch_ids(mirror, client, IDS[:2])
    assert broken.value.exit_code == code
    assert mirrored(mirror) == IDS[:4]


def test_a_dead_token_restarts_its_window_alone(mirror, client, registry):
    registry.faults.extend([None, None, None, None, *[503] * 5])
    with pytest.raises(FetchError):
        fetch(mirror, client, ALL, since="2000-01-01")
    registry.timestamp = "2026-03-26T09:00:05"  # the daily refresh: tokens are void
    assert fetch(mirror, client, ALL, since="2000-01-01").n_received == 6
    assert mirrored(mirror) == IDS


def test_a_token_of_older_data_is_never_used_again(mirror, client, registry):
    """A fetch goes on after the daily refresh: what changed meanwhile must come."""
    registry.faults.extend([None, None, None, None, *[503] * 5])
    with pytest.raises(FetchError):
        fetch(mirror, client, ALL, since="2000-01-01")
    registry.tokens_outlive_refresh = True
    registry.timestamp = "2026-03-26T09:00:05"
    registry.records[IDS[0]] = record(IDS[0], "Changed", updated="2026-03-25")
    fetch(mirror, client, ALL, since="2000-01-01")
    titles = {each.nct_id: each.title for each in read_studies(mirror.path)}
    assert titles[IDS[0]] == "Changed"


def test_a_study_that_comes_twice_does_not_stand_for_one_that_is_missing(mirror, client, registry):
    """Pages follow positions: one study updated between pages moves all that follow it."""
    registry.by_date = True

    def change():
        if registry.records[IDS[0]]["protocolSection"]["statusModule"][
            "lastUpdatePostDateStruct"]["date"] < "2026-03-25":  # fmt: skip
            registry.records[IDS[0]] = record(IDS[0], "Changed", updated="2026-03-25")

    registry.after_page = change
    fetch(mirror, client, ALL, since="2000-01-01")
    assert mirrored(mirror) == IDS


def test_one_id_that_fails_them_all_is_looked_up_by_itself(mirror, client, registry):
    fetch(mirror, client, ALL)
    del registry.records[IDS[0]]
    registry.offence = IDS[0]
    assert recheck(mirror, client, IDS) == (IDS[0],)
    assert fetch_ids(mirror, client, IDS).not_found == (IDS[0],)


def test_a_merged_study_asks_for_the_read_fields_alone(mirror, client, registry):
    registry.merged["NCT00000901"] = IDS[1]
    fetch_ids(mirror, client, ["NCT00000901"])
    assert all("fields" in query for path, query in registry.requests if path != "/version")


def test_done_windows_are_not_asked_for_again(mirror, client, registry):
    n_windows = len(windows(ALL))
    registry.faults.extend([None] * (2 + n_windows - 3) + [503] * 5)
    with pytest.raises(FetchError):
        fetch(mirror, client, ALL)
    registry.requests.clear()
    assert fetch(mirror, client, ALL).n_mirrored == 6
    pages = [query for _, query in registry.requests if query.get("pageSize") == "2"]
    assert len(pages) < n_windows / 2


def test_a_window_that_stays_incomplete_is_said(mirror, client, registry):
    """The registry counts six studies and shows five."""
    registry.hide_from_pages.add(IDS[2])
    with pytest.raises(FetchError, match="remain incomplete: 5 of 6 studies were received"):
        fetch(mirror, client, ALL, since="2000-01-01")
    assert len(mirrored(mirror)) == 5


def test_windows_cover_every_date_once():
    ranges = windows(ALL)
    assert ranges[0][0] == "MIN"
    assert ranges[-1][1] == "MAX"
    for (_, last), (first, _) in itertools.pairwise(ranges):
        assert dt.date.fromisoformat(last) + dt.timedelta(days=1) == dt.date.fromisoformat(first)
    assert windows(Scope(condition="x")) == [("MIN", "MAX")]
    assert windows(ALL, "2026-01-01") == [("2026-01-01", "MAX")]


def test_single_studies_by_id_with_an_obsolete_and_an_unknown_one(mirror, client, registry):
    registry.merged["NCT00000901"] = IDS[1]
    report = fetch_ids(mirror, client, [IDS[4], "NCT00000901", "NCT00000999"])
    assert mirrored(mirror) == [IDS[1], IDS[4]]
    assert report.not_found == ("NCT00000999",)


def test_an_update_brings_changes_and_new_studies(mirror, client, registry):
    fetch(mirror, client, ALL)
    registry.timestamp = "2026-03-27T09:00:05"
    registry.records["NCT00000107"] = record("NCT00000107", "New", updated="2026-03-26")
    registry.records[IDS[0]] = record(IDS[0], "Changed", updated="2026-03-27")
    registry.requests.clear()
    report = update(mirror, client, n_rechecked=0)
    assert report.n_mirrored == 7
    assert report.n_received == 3  # one day of overlap: NCT00000106 of 2026-03-24 again
    assert any("RANGE[2026-03-24,MAX]" in query.get("filter.advanced", "")
               for _, query in registry.requests)  # fmt: skip
    titles = {each.nct_id: each.title for each in read_studies(mirror.path)}
    assert titles[IDS[0]] == "Changed"
    assert dict(mirror.scopes()) == {"{}": "2026-03-27"}


def test_an_update_without_a_complete_fetch_is_an_error(mirror, client):
    with pytest.raises(MirrorError, match="no complete fetch that could be updated"):
        update(mirror, client)


def test_studies_that_have_gone_become_tombstones(mirror, client, registry):
    fetch(mirror, client, ALL)
    del registry.records[IDS[0]]
    del registry.records[IDS[1]]
    registry.merged[IDS[1]] = IDS[3]
    report = update(mirror, client)
    assert report.gone == (IDS[0], IDS[1])
    assert mirrored(mirror) == IDS[2:]
    today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    assert mirror.tombstones() == [(IDS[0], today, ""), (IDS[1], today, IDS[3])]
    assert [each for each in read_studies(mirror.path) if isinstance(each, Gone)] == [
        Gone(IDS[0], today), Gone(IDS[1], today, IDS[3])
    ]  # fmt: skip


def test_a_study_merged_again_and_again_is_followed_to_its_end(mirror, client, registry):
    fetch(mirror, client, ALL)
    del registry.records[IDS[0]]
    chain = [IDS[0], *(f"NCT0000080{n}" for n in range(4)), IDS[3]]
    registry.merged = dict(itertools.pairwise(chain))
    said = []
    assert update(mirror, client, say=said.append).gone == (IDS[0],)
    assert (mirror.tombstones()[0][2], said) == (IDS[3], [])
    assert fetch_ids(mirror, client, [IDS[0]]).not_found == ()


def test_studies_merged_in_a_circle_are_passed_over(mirror, client, registry):
    fetch(mirror, client, ALL)
    for nct_id in IDS[:3]:
        del registry.records[nct_id]
    registry.merged = {IDS[0]: IDS[1], IDS[1]: IDS[0]}
    with sqlite3.connect(mirror.path) as database:  # as if years had passed
        database.execute("UPDATE record SET checked = '2020'")
    said = []
    assert update(mirror, client, say=said.append).gone == (IDS[2],)
    assert mirrored(mirror) == [*IDS[:2], *IDS[3:]]
    assert database.execute("SELECT min(checked) > '2021' FROM record").fetchone() == (1,)
    database.close()
    assert said == [
        f"{nct_id}: the registry redirects more than 5 times: skipped" for nct_id in IDS[:2]
    ]
    said.clear()
    report = fetch_ids(mirror, client, [IDS[0], IDS[3]], said.append)
    assert (report.n_received, len(said)) == (1, 1)
    with pytest.raises(RedirectError):
        study_online(client, IDS[0])


def test_the_check_for_gone_studies_rotates(mirror, client):
    fetch(mirror, client, ALL)
    checked = []
    for n in range(3):
        with sqlite3.connect(mirror.path) as database:  # as if days had passed
            database.execute("UPDATE record SET checked = '2020' WHERE checked > '2021'"
                             if not n else "SELECT 1")  # fmt: skip
        database.close()
        oldest = mirror.oldest_checked(2)
        recheck(mirror, client, oldest)
        checked += oldest
    assert sorted(checked) == IDS


def test_a_study_that_comes_back_is_no_longer_gone(mirror, client, registry):
    fetch(mirror, client, ALL)
    gone = registry.records.pop(IDS[0])
    update(mirror, client)
    registry.records[IDS[0]] = gone
    fetch_ids(mirror, client, [IDS[0]])
    assert mirror.tombstones() == []


def test_a_query_for_a_gone_study_says_what_happened(mirror, client, registry, tmp_path):
    fetch(mirror, client, ALL)
    del registry.records[IDS[0]]
    del registry.records[IDS[1]]
    registry.merged[IDS[1]] = IDS[3]
    update(mirror, client)
    build_index(read_studies(mirror.path), tmp_path / "index", WordEncoder())
    index = opened_index(tmp_path / "index")
    with pytest.raises(GoneStudyError, match=r"NCT00000101 has left the registry \(noticed on 20"):
        index.study(IDS[0])
    with pytest.raises(GoneStudyError, match="was merged into NCT00000104"):
        index.study(IDS[1])


def test_one_study_online(client, registry):
    registry.merged["NCT00000901"] = IDS[1]
    assert study_online(client, "nct101").title == "Iron pills 1"
    assert study_online(client, "NCT901").nct_id == IDS[1]
    with pytest.raises(ApiError, match=r"NCT00000999: is not in the registry$"):
        study_online(client, "NCT999")


def test_a_build_that_would_lose_many_studies_is_refused(build, tmp_path):
    many = [record(f"NCT{n:08}", "Iron pills") for n in range(1, 101)]
    build(many)
    with pytest.raises(ShrinkError, match=r"lose 3 of its 100 studies.*nothing was published"):
        build(many[:97])
    assert opened_index(tmp_path / "index").n_studies == 100
    assert build(many[:98]).n_studies == 98
    assert build(many[:5], allow_shrink=True).n_studies == 5
    others = [record(f"NCT{n:08}", "Iron pills") for n in range(201, 206)]
    with pytest.raises(ShrinkError, match="lose 5 of its 5"):
        build(others)  # as many, but not the same


def test_a_build_over_another_versions_index_counts_its_studies(build, tmp_path):
    report = build([record(f"NCT{n:08}", "Iron pills") for n in range(1, 101)])
    path = report.index / "generations" / report.generation / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 0'))
    with pytest.raises(ShrinkError, match="lose 98 of its 100"):
        build([record("NCT00000001", "Iron"), record("NCT00000002", "Iron")])


def test_a_mirror_is_a_source_like_others(mirror, client):
    fetch(mirror, client, ALL)
    assert is_mirror(mirror.path)
    reader = read_studies(mirror.path)
    assert [each.nct_id for each in reader if isinstance(each, Study)] == IDS
    assert reader.bytes_read == reader.bytes_total


def test_an_older_record_never_replaces_a_newer_one(mirror):
    new = MirroredRecord("NCT00000101", "2024-01-01", b'{"a": 2}')
    mirror.add([new, MirroredRecord("NCT00000101", "2020-01-01", b'{"a": 1}')])
    assert list(mirror.records()) == [b'{"a": 2}']


def test_a_page_is_kept_with_its_place_or_not_at_all(mirror):
    records = [MirroredRecord("NCT00000101", "2024-01-01", b"{}"),
               MirroredRecord(None, "2024-01-01", b"{}")]  # fmt: skip
    with pytest.raises(MirrorError):
        mirror.add_page("{}", "w", Window("next", total=2), records)
    assert mirror.n_records == 0
    assert mirror.window("{}", "w") == Window()


def test_another_file_is_no_mirror(tmp_path):
    path = tmp_path / "mirror.sqlite"
    path.write_text("my thesis")
    with pytest.raises(MirrorError, match="not a database"):
        Mirror(path)
    assert path.read_text() == "my thesis"
    sqlite3.connect(tmp_path / "other.sqlite").execute("CREATE TABLE t (a)").connection.close()
    assert not is_mirror(tmp_path / "other.sqlite")
    with pytest.raises(MirrorError, match="is not a mirror"):
        Mirror(tmp_path / "other.sqlite")


def test_a_file_of_ids(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("# mine\nNCT101\n\nhttps://clinicaltrials.gov/study/NCT00000102\nnct101\n")
    assert read_ids(path) == IDS[:2]
    path.write_text("NCT101\nfoo\n")
    with pytest.raises(SourceError, match=r"ids.txt line 2: 'foo' is not an NCT ID"):
        read_ids(path)
    path.write_text("# none\n")
    with pytest.raises(SourceError, match="names no study"):
        read_ids(path)
    with pytest.raises(SourceError, match="No such file"):
        read_ids(tmp_path / "nowhere")


def test_the_plan_asks_nothing():
    text = plan(Scope(condition="anemia"), "2026-01-01", [])
    assert "query.cond=anemia" in text
    assert "RANGE[2026-01-01,MAX]" in text
    assert "450 studies by NCT ID, in 3 requests" in plan(ALL, "", ["NCT00000101"] * 450)


def test_a_slow_server_is_asked_again(registry):
    registry.faults.append("slow")
    lines = []
    with RegistryApi(
        "t", base_url=registry.url, pause_seconds=0, backoff_seconds=0.01, timeout_seconds=0.2,
        log=lines.append,
    ) as opened:  # fmt: skip
        assert opened.data_timestamp() == registry.timestamp
    assert "no answer (timed out); try 2 of 5" in lines[0]


def test_a_total_that_changes_between_pages_begins_its_window_again(mirror, client, registry):
    """A study appears while the pages are read: seven come where six were counted."""

    def appear():
        if len(registry.records) == 6:
            registry.records["NCT00000107"] = record("NCT00000107", "New", updated="2026-03-24")

    registry.after_page = appear
    report = fetch(mirror, client, ALL, since="2000-01-01")
    assert report.n_mirrored == 7


def test_a_record_that_changes_while_pages_are_read_comes_in_its_new_form(mirror, client, registry):
    def change():
        registry.records[IDS[0]] = record(IDS[0], "Changed", updated="2026-03-25")

    registry.after_page = change
    fetch(mirror, client, ALL)
    assert mirrored(mirror) == IDS
    titles = {each.nct_id: each.title for each in read_studies(mirror.path)}
    assert titles[IDS[0]] == "Changed"


def test_a_broken_record_costs_itself_alone(mirror, client, registry):
    broken = record("NCT00000100", "x", updated="2020-01-01")
    del broken["protocolSection"]["identificationModule"]["nctId"]
    registry.records["NCT00000100"] = broken
    report = fetch(mirror, client, ALL)
    assert (report.n_received, report.n_broken, report.n_mirrored) == (7, 1, 6)
    assert any("cannot be kept" in line for line in client.lines)


SCRIPT = """
import sys
from pathlib import Path
from simsearch.registry.api import RegistryApi
from simsearch.registry.fetch import fetch
from simsearch.registry.scope import Scope
from simsearch.records.mirror import Mirror
with Mirror(Path(sys.argv[1])) as mirror:
    with RegistryApi("t", base_url=sys.argv[2], pause_seconds=0.01, page_size=20) as client:
        print("ready", flush=True)
        fetch(mirror, client, Scope(), since="2000-01-01")
"""


def test_a_fetch_killed_again_and_again_ends_complete(tmp_path):
    many = [record(f"NCT{n:08}", f"Iron {n}", updated="2020-01-01") for n in range(1, 1201)]
    path = tmp_path / "mirror.sqlite"
    killed = 0
    with serving(Registry(many)) as registry:
        for n in range(8):
            process = subprocess.Popen(
                [sys.executable, "-c", SCRIPT, str(path), registry.url],
                cwd=Path(__file__).parent, stdout=subprocess.PIPE,
            )  # fmt: skip
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.03 * n)
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
            process.stdout.close()
            with Mirror(path) as mirror:
                window = mirror.window("{}", "2000-01-01..MAX")
                assert mirror.n_records == window.received or not window.received
        with RegistryApi("t", base_url=registry.url, pause_seconds=0) as client, \
                Mirror(path) as mirror:  # fmt: skip
            report = fetch(mirror, client, ALL, since="2000-01-01")
            assert report.n_mirrored == 1200
    assert killed >= 4


def run_cli(monkeypatch, capsys, *args):
    from simsearch.cli import building, query
    from simsearch.cli import main as cli

    for module, name in ((query, "load_query_encoder"), (building, "load_encoder")):
        monkeypatch.setattr(module, name, lambda *_, **__: WordEncoder())
    monkeypatch.setattr(sys, "argv", ["simsearch", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    out, err = capsys.readouterr()
    return caught.value.code or 0, out, err


def test_the_commands_fetch_update_rebuild_and_online(registry, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMSEARCH_API", registry.url)
    monkeypatch.setenv("SIMSEARCH_MIRROR", str(tmp_path / "mirror.sqlite"))
    monkeypatch.setenv("SIMSEARCH_INDEX", str(tmp_path / "mine"))

    def run(*args):
        return run_cli(monkeypatch, capsys, *args)

    assert run("rebuild")[0] == 2  # neither records nor a mirror
    code, out, err = run("fetch", "--all", "-v")
    assert code == 0
    assert "Received  6 studies, registry data of 2026-03-25T09:00:05" in out
    assert "Mirror    6 studies in" in out
    assert "200 http://127.0.0.1" in err
    assert "fetching 6 of 6 studies (100%)" in err
    code, out, _ = run("rebuild")
    assert code == 0
    assert "6 studies" in out
    registry.records["NCT00000107"] = record("NCT00000107", "Marrow", updated="2026-03-26")
    registry.timestamp = "2026-03-27T09:00:05"
    del registry.records[IDS[0]]
    code, out, _ = run("update", "--allow-shrink")
    assert code == 0
    assert "Gone      1 (NCT00000101)" in out
    assert "Published   6 studies" in out
    code, _, err = run("query", IDS[0])
    assert (code, "has left the registry" in err) == (1, True)
    registry.records["NCT00000200"] = record("NCT00000200", "Marrow")
    code, _, err = run("query", "NCT200")
    assert (code, "--online" in err) == (1, True)
    code, out, _ = run("query", "NCT200", "--online", "-o", "ids", "-k", "2")
    assert code == 0
    assert out.split()[0] == "NCT00000107"
    code, out, _ = run("query", "NCT107", "--not", "NCT200", "--online", "-o", "json")
    assert code == 0
    assert [each["nct_id"] for each in json.loads(out)["query"]["unlike"]] == ["NCT00000200"]
    code, _, err = run("query", "NCT200", "--not", "NCT00000200", "--online")
    assert (code, "--not 'NCT00000200'" in err) == (2, True)
    code, _, err = run("query", "NCT999", "--online")
    assert (code, "not in the registry" in err) == (1, True)
    (tmp_path / "ids.txt").write_text("NCT200\nNCT00000999\n")
    code, out, _ = run("fetch", "--ids", "ids.txt")
    assert "Not found  1 (NCT00000999)" in out
    assert "7 studies" in out


def test_a_study_counts_once_by_whichever_number_or_file(
    registry, write, tmp_path, monkeypatch, capsys
):
    def run(*args):
        return run_cli(monkeypatch, capsys, "query", *args, "--index", tmp_path / "i", "-o", "json")

    def shown(*args):
        code, out, err = run(*args)
        assert code == 0, err
        answer = json.loads(out)
        studies = [(each["nct_id"], each["title"]) for each in answer["query"]["studies"]]
        return studies, [each["similarity"] for each in answer["neighbours"]]

    monkeypatch.setenv("SIMSEARCH_API", registry.url)
    run_cli(monkeypatch, capsys, "rebuild", write(RECORDS), "-i", tmp_path / "i", "-q")
    registry.records["NCT00000200"] = record("NCT00000200", "Marrow and iron")
    registry.merged["NCT00000902"] = "NCT00000200"
    alone = shown(IDS[0], "NCT200", "--online")
    assert shown(IDS[0], "NCT200", "NCT902", "--online") == alone
    assert shown(IDS[0], "NCT902", "NCT200", "--online") == alone

    draft = tmp_path / "d.json"
    for number, aliases in ((IDS[0], []), ("NCT00000200", []), ("NCT00000300", [IDS[0]])):
        draft.write_text(json.dumps(record(number, "Marrow", aliases=aliases)))
        alone = shown("--file", draft)
        assert alone[0] == [(number, "Marrow")]
        assert shown(*aliases, number, "--file", draft) == alone
    draft.write_text(json.dumps(record("NCT00000200", "Marrow")))
    for number in ("NCT200", "NCT902"):
        code, _, err = run("--file", draft, "--not", number, "--online")
        assert (code, "--not 'NCT00000200': it must be another" in err) == (2, True)


def test_a_registry_out_of_reach_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SIMSEARCH_API", "http://127.0.0.1:9/api/v2")
    code, out, err = run_cli(
        monkeypatch, capsys, "fetch", "--all", "--mirror", tmp_path / "m.sqlite", "-q"
    )
    assert (code, out) == (75, "")
    assert err.count("\n") == 1
    assert "no answer" in err


@pytest.mark.parametrize("address", ["foo", "ftp://127.0.0.1/api", "http:///api", "//127.0.0.1"])
def test_what_is_no_address_is_refused_at_once(monkeypatch, capsys, tmp_path, address):
    monkeypatch.setenv("SIMSEARCH_API", address)
    words = ("fetch", "--all", "--mirror", tmp_path / "m.sqlite", "-q")
    code, out, err = run_cli(monkeypatch, capsys, *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert f"simsearch: SIMSEARCH_API {address!r}: it must be an address like https://" in err


@pytest.fixture(scope="module")
def real_registry(shared):
    """5,000 real studies with their dates, served with trouble in one request of five."""
    import gzip

    records = []
    with gzip.open(shared / "studies-full.jsonl.gz", "rt") as lines:
        for line in lines:
            if '"lastUpdatePostDateStruct"' in line:
                records.append(json.loads(line))
            if len(records) == 5000:
                break
    rng = random.Random(4)
    kinds = [429, 500, 503, "html", "cut", "torn", "drop", (429, {"Retry-After": "0"})]
    registry = Registry(records)
    registry.trouble = lambda: rng.choice(kinds) if rng.random() < 0.2 else None
    with serving(registry):
        yield registry


def same_as_served(mirror, registry):
    served = [json.dumps(each).encode() for _, each in sorted(registry.records.items())]
    return list(mirror.records()) == served


@pytest.mark.real_data
def test_5000_studies_come_through_trouble_byte_for_byte_each_once(real_registry, mirror):
    with RegistryApi(
        "t", base_url=real_registry.url, pause_seconds=0, backoff_seconds=0.001, page_size=100
    ) as client:
        fetch_until_complete(mirror, client)
    assert same_as_served(mirror, real_registry)


@pytest.mark.real_data
def test_5000_studies_come_through_20_kills_and_trouble(real_registry, tmp_path):
    path = tmp_path / "mirror.sqlite"
    script = SCRIPT.replace("page_size=20", "page_size=100").replace(
        "pause_seconds=0.01", "pause_seconds=0.002, backoff_seconds=0.001"
    ).replace('since="2000-01-01"', 'since="1990-01-01"')  # fmt: skip
    rng = random.Random(9)
    killed = 0
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(path), real_registry.url],
            cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2 * rng.random())
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert killed >= 15
    with (
        RegistryApi(
            "t", base_url=real_registry.url, pause_seconds=0, backoff_seconds=0.001, page_size=100
        ) as client,
        Mirror(path) as mirror,
    ):
        fetch_until_complete(mirror, client, since="1990-01-01")
        assert same_as_served(mirror, real_registry)


def fetch_until_complete(mirror, client, since=""):
    """Give the command again where five tries in a row met trouble, as its message says."""
    for _ in range(20):
        try:
            return fetch(mirror, client, ALL, since=since)
        except (FetchError, ApiError):
            continue
    raise AssertionError("never complete")
