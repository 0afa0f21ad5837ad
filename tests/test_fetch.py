"""Fetching and updating the mirror, against a registry on loopback."""

import itertools
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import record
from registry_server import IDS, Registry, mirrored, serving

from simsearch import read_studies
from simsearch.errors import (
    ApiError,
    FetchError,
    MirrorError,
    ShrinkError,
)
from simsearch.index.opened import opened_index
from simsearch.records.mirror import Mirror
from simsearch.registry.api import FIELDS, RegistryApi
from simsearch.registry.fetch import fetch, update
from simsearch.registry.scope import Scope, windows
from simsearch.registry.single_studies import fetch_ids

ALL = Scope()


def test_the_whole_registry_is_fetched_page_by_page(mirror, client, registry):
    seen = []
    report = fetch(mirror, client, ALL, progress=lambda *each: seen.append(each))
    assert mirrored(mirror) == IDS
    assert (report.n_received, report.n_mirrored) == (6, 6)
    assert report.data_timestamp == registry.timestamp
    assert seen[-1] == ("fetching", 6, 6, "studies")
    assert registry.agents == {"simsearch-test"}


def test_a_search_fetches_the_studies_that_match(mirror, client):
    fetch(mirror, client, Scope(condition="anemia"))
    assert mirrored(mirror) == IDS[::2]


def test_since_fetches_the_studies_updated_on_or_after_a_date(mirror, client):
    fetch(mirror, client, ALL, since="2020-01-01")
    assert mirrored(mirror) == IDS[3:]


def test_a_fetch_requests_only_the_fields_that_are_read(mirror, client, registry):
    fetch(mirror, client, ALL)
    fields = [query["fields"] for path, query in registry.requests if "pageSize" in query]
    assert fields[-1] == "|".join(FIELDS)


def test_an_exactly_full_last_page_ends_the_fetch(mirror, client):
    """With six studies in pages of two, the last page has a token although nothing follows."""
    fetch(mirror, client, Scope(term=""), since="2000-01-01")
    assert len(mirrored(mirror)) == 6


@pytest.mark.parametrize(
    "fault",
    [429, (429, {"Retry-After": "0"}), 500, 502, 503, 504, 408, "html", "cut", "torn", "drop"],
)
def test_transient_failures_are_retried(mirror, client, registry, fault):
    registry.faults.extend([fault, fault])
    assert fetch(mirror, client, ALL).n_received == 6
    assert sum("; try " in line for line in client.lines) == 2


def test_a_lasting_failure_is_an_error_with_address_and_reason(mirror, client, registry):
    registry.faults.extend([503] * 5)
    with pytest.raises(ApiError, match=r"/version: answered 503, after 5 tries"):
        fetch(mirror, client, ALL)


def test_an_interrupted_fetch_resumes_with_the_next_page(mirror, client, registry):
    client.data_timestamp()
    registry.requests.clear()
    # version, count and two pages are answered, then nothing
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
    assert tokens[1] == f"{registry.timestamp}|4"  # tokens[0] is the count: it did not start again


@pytest.mark.parametrize(("fault", "code"), [(503, 75), ("drop", 75), (403, 1)])
def test_the_exit_code_says_whether_to_try_again(mirror, client, registry, fault, code):
    """A registry that does not answer may be back later; a refusal needs a person."""
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


def test_an_expired_token_restarts_only_its_window(mirror, client, registry):
    registry.faults.extend([None, None, None, None, *[503] * 5])
    with pytest.raises(FetchError):
        fetch(mirror, client, ALL, since="2000-01-01")
    registry.timestamp = "2026-03-26T09:00:05"  # the daily refresh: tokens have expired
    assert fetch(mirror, client, ALL, since="2000-01-01").n_received == 6
    assert mirrored(mirror) == IDS


def test_a_token_of_older_data_is_never_reused(mirror, client, registry):
    """A fetch that resumes after the daily refresh must include what has changed meanwhile."""
    registry.faults.extend([None, None, None, None, *[503] * 5])
    with pytest.raises(FetchError):
        fetch(mirror, client, ALL, since="2000-01-01")
    registry.tokens_outlive_refresh = True
    registry.timestamp = "2026-03-26T09:00:05"
    registry.records[IDS[0]] = record(IDS[0], "Changed", updated="2026-03-25")
    fetch(mirror, client, ALL, since="2000-01-01")
    titles = {each.nct_id: each.title for each in read_studies(mirror.path)}
    assert titles[IDS[0]] == "Changed"


def test_a_study_received_twice_does_not_make_up_for_a_missing_one(mirror, client, registry):
    """Pages are cut by position: a study updated between two pages shifts all after it."""
    registry.by_date = True

    def change():
        if registry.records[IDS[0]]["protocolSection"]["statusModule"][
            "lastUpdatePostDateStruct"]["date"] < "2026-03-25":  # fmt: skip
            registry.records[IDS[0]] = record(IDS[0], "Changed", updated="2026-03-25")

    registry.after_page = change
    fetch(mirror, client, ALL, since="2000-01-01")
    assert mirrored(mirror) == IDS


def test_finished_windows_are_not_requested_again(mirror, client, registry):
    n_windows = len(windows(ALL))
    registry.faults.extend([None] * (2 + n_windows - 3) + [503] * 5)
    with pytest.raises(FetchError):
        fetch(mirror, client, ALL)
    registry.requests.clear()
    assert fetch(mirror, client, ALL).n_mirrored == 6
    pages = [query for _, query in registry.requests if query.get("pageSize") == "2"]
    assert len(pages) < n_windows / 2


def test_a_window_that_remains_incomplete_is_an_error(mirror, client, registry):
    """The registry counts six studies and returns five."""
    registry.hide_from_pages.add(IDS[2])
    with pytest.raises(FetchError, match="remain incomplete: 5 of 6 studies were received"):
        fetch(mirror, client, ALL, since="2000-01-01")
    assert len(mirrored(mirror)) == 5


def test_an_update_fetches_changed_and_new_studies(mirror, client, registry):
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
        build(others)  # just as many, but other studies


def test_a_build_over_another_versions_index_counts_its_studies(build, tmp_path):
    report = build([record(f"NCT{n:08}", "Iron pills") for n in range(1, 101)])
    path = report.index / "generations" / report.generation / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 0'))
    with pytest.raises(ShrinkError, match="lose 98 of its 100"):
        build([record("NCT00000001", "Iron"), record("NCT00000002", "Iron")])


def test_a_total_that_changes_between_pages_restarts_the_window(mirror, client, registry):
    """A study is added while the pages are read: six were counted, seven arrive."""

    def appear():
        if len(registry.records) == 6:
            registry.records["NCT00000107"] = record("NCT00000107", "New", updated="2026-03-24")

    registry.after_page = appear
    report = fetch(mirror, client, ALL, since="2000-01-01")
    assert report.n_mirrored == 7


def test_a_record_that_changes_during_the_fetch_arrives_in_its_new_form(mirror, client, registry):
    def change():
        registry.records[IDS[0]] = record(IDS[0], "Changed", updated="2026-03-25")

    registry.after_page = change
    fetch(mirror, client, ALL)
    assert mirrored(mirror) == IDS
    titles = {each.nct_id: each.title for each in read_studies(mirror.path)}
    assert titles[IDS[0]] == "Changed"


def test_only_the_broken_record_is_lost(mirror, client, registry):
    broken = record("NCT00000100", "x", updated="2020-01-01")
    del broken["protocolSection"]["identificationModule"]["nctId"]
    registry.records["NCT00000100"] = broken
    report = fetch(mirror, client, ALL)
    assert (report.n_received, report.n_broken, report.n_mirrored) == (7, 1, 6)
    assert any("cannot be kept" in line for line in client.lines)


@pytest.mark.parametrize("total", [6, None])
def test_a_page_that_comes_again_and_again_ends_the_fetch(mirror, client, registry, total):
    """Each time with another token."""
    tokens = itertools.count()
    studies = list(registry.records.values())[:2]
    page = {"studies": studies} | ({"totalCount": total} if total else {})
    registry.answers = lambda path, _: (
        (200, {}, json.dumps(page | {"nextPageToken": f"t{next(tokens)}"}).encode())
        if path == "/studies" else None
    )  # fmt: skip
    with pytest.raises(FetchError, match="remain incomplete: page 2 repeats studies"):
        fetch(mirror, client, ALL, since="2000-01-01")
    assert len(registry.requests) < 20


@pytest.mark.parametrize(
    ("total", "trouble"),
    [
        (6, "pages do not end, for 6 studies"),
        (None, "pages do not end, for 0 studies"),
        (10**9, "claims to have 1,000,000,000 studies"),
    ],
)
def test_new_studies_without_end_end_the_fetch(mirror, client, registry, total, trouble):
    numbers = itertools.count(1)

    def invented(path, query):
        if path != "/studies":
            return None
        some = [record(f"NCT{next(numbers):08}", "x", updated="2026-01-01") for _ in range(2)]
        page = {"studies": some, "nextPageToken": f"t{next(numbers)}"}
        return 200, {}, json.dumps(page | ({"totalCount": total} if total else {})).encode()

    registry.answers = invented
    with pytest.raises(FetchError, match=trouble):
        fetch(mirror, client, ALL, since="2000-01-01")
    assert len(registry.requests) < 500


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


def test_a_fetch_killed_repeatedly_ends_complete(tmp_path):
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


@pytest.fixture(scope="module")
def real_registry(shared):
    """5,000 real studies with their dates; one request in five fails."""
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
def test_5000_studies_arrive_intact_through_failures(real_registry, mirror):
    with RegistryApi(
        "t", base_url=real_registry.url, pause_seconds=0, backoff_seconds=0.001, page_size=100
    ) as client:
        fetch_until_complete(mirror, client)
    assert same_as_served(mirror, real_registry)


@pytest.mark.real_data
def test_5000_studies_arrive_intact_through_20_kills_and_failures(real_registry, tmp_path):
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
    """Fetch again after five failed tries in a row, as the error says."""
    for _ in range(20):
        try:
            return fetch(mirror, client, ALL, since=since)
        except (FetchError, ApiError):
            continue
    raise AssertionError("never complete")
