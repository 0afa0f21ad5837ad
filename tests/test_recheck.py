"""Studies that have left the registry, or were merged into others."""

import datetime as dt
import itertools
import json
import sqlite3

import pytest
from conftest import WordEncoder, record
from registry_server import (
    IDS,
    Registry,
    a_day_passes,
    client_of,
    mirrored,
    serving,
)

from simsearch import build_index, read_studies
from simsearch.errors import (
    FetchError,
    GoneStudyError,
    NoAnswerError,
    RedirectError,
)
from simsearch.index.opened import opened_index
from simsearch.records import Gone
from simsearch.registry.fetch import fetch, update
from simsearch.registry.recheck import recheck
from simsearch.registry.scope import Scope
from simsearch.registry.single_studies import fetch_ids, study_online

ALL = Scope()


def updated_twice(mirror, client, **options):
    """Update on two days in a row; return the second report."""
    update(mirror, client, **options)
    a_day_passes(mirror)
    return update(mirror, client, **options)


def test_studies_that_have_gone_become_tombstones(mirror, client, registry):
    fetch(mirror, client, ALL)
    registry.vanish(IDS[0])
    registry.vanish(IDS[1], into=IDS[3])
    report = updated_twice(mirror, client)
    assert report.gone == (IDS[0], IDS[1])
    assert mirrored(mirror) == IDS[2:]
    noticed = f"{dt.datetime.now(dt.UTC) - dt.timedelta(days=1):%Y-%m-%d}"
    assert mirror.tombstones() == [(IDS[0], noticed, ""), (IDS[1], noticed, IDS[3])]
    assert [each for each in read_studies(mirror.path) if isinstance(each, Gone)] == [
        Gone(IDS[0], noticed), Gone(IDS[1], noticed, IDS[3])
    ]  # fmt: skip


def test_a_study_merged_several_times_is_followed_to_the_last(mirror, client, registry):
    fetch(mirror, client, ALL)
    del registry.records[IDS[0]]
    chain = [IDS[0], *(f"NCT0000080{n}" for n in range(4)), IDS[3]]
    registry.merged = dict(itertools.pairwise(chain))
    said = []
    assert updated_twice(mirror, client, say=said.append).gone == (IDS[0],)
    assert mirror.tombstones()[0][2] == IDS[3]
    assert not any("redirects" in line for line in said)
    assert fetch_ids(mirror, client, [IDS[0]]).not_found == ()


def test_studies_merged_in_a_circle_are_skipped(mirror, client, registry):
    fetch(mirror, client, ALL)
    for nct_id in IDS[:3]:
        del registry.records[nct_id]
    registry.merged = {IDS[0]: IDS[1], IDS[1]: IDS[0]}
    with sqlite3.connect(mirror.path) as database:  # as if years had passed
        database.execute("UPDATE record SET checked = '2020'")
    said = []
    assert update(mirror, client, say=said.append).missing == (IDS[2],)
    a_day_passes(mirror)
    assert update(mirror, client).gone == (IDS[2],)
    assert mirrored(mirror) == [*IDS[:2], *IDS[3:]]
    assert database.execute("SELECT min(checked) > '2021' FROM record").fetchone() == (1,)
    database.close()
    assert said[:2] == [
        f"{nct_id}: the registry redirects more than 5 times: skipped" for nct_id in IDS[:2]
    ]
    said.clear()
    report = fetch_ids(mirror, client, [IDS[0], IDS[3]], said.append)
    assert (report.n_received, len(said)) == (1, 1)
    with pytest.raises(RedirectError):
        study_online(client, IDS[0])


def test_rechecks_rotate_through_all_studies(mirror, client):
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


def test_a_study_that_returns_loses_its_tombstone(mirror, client, registry):
    fetch(mirror, client, ALL)
    gone = registry.records.pop(IDS[0])
    updated_twice(mirror, client)
    assert mirror.tombstones()
    registry.records[IDS[0]] = gone
    fetch_ids(mirror, client, [IDS[0]])
    assert mirror.tombstones() == []


def test_a_query_for_a_gone_study_says_what_happened(mirror, client, registry, tmp_path):
    fetch(mirror, client, ALL)
    registry.vanish(IDS[0])
    registry.vanish(IDS[1], into=IDS[3])
    updated_twice(mirror, client)
    build_index(read_studies(mirror.path), tmp_path / "index", WordEncoder())
    index = opened_index(tmp_path / "index")
    with pytest.raises(GoneStudyError, match=r"NCT00000101 has left the registry \(noticed on 20"):
        index.study(IDS[0])
    with pytest.raises(GoneStudyError, match="was merged into NCT00000104"):
        index.study(IDS[1])


def test_a_study_missing_once_is_kept_and_named(mirror, client, registry):
    fetch(mirror, client, ALL)
    registry.vanish(IDS[0])
    said = []
    for _ in range(2):  # again on the same day
        report = update(mirror, client, say=said.append)
        assert (report.gone, report.missing) == ((), (IDS[0],))
    assert mirrored(mirror) == IDS
    assert said[0] == (
        f"not found in the registry: 1 ({IDS[0]}); kept until a check on another day agrees"
    )


def test_checks_that_disagree_bury_nothing(mirror, client, registry):
    """Gone, then merged into one study, then into another: each starts the day again."""
    fetch(mirror, client, ALL)
    registry.vanish(IDS[0])
    for target in ("", IDS[1], IDS[2]):
        registry.merged = {IDS[0]: target} if target else {}
        assert update(mirror, client).gone == ()
        a_day_passes(mirror)
    assert mirror.tombstones() == []
    assert update(mirror, client).gone == (IDS[0],)


def test_a_study_seen_between_two_checks_is_no_longer_missing(mirror, client, registry):
    fetch(mirror, client, ALL)
    kept = registry.records.pop(IDS[0])
    update(mirror, client)
    a_day_passes(mirror)
    registry.records[IDS[0]] = kept
    assert update(mirror, client).missing == ()
    registry.vanish(IDS[0])
    assert update(mirror, client).missing == (IDS[0],)


def test_missing_studies_are_checked_first(mirror, client, registry):
    fetch(mirror, client, ALL)
    registry.vanish(IDS[5])
    update(mirror, client)
    a_day_passes(mirror)
    assert update(mirror, client, n_rechecked=1).gone == (IDS[5],)


def many_studies(n=100):
    return [record(f"NCT{i:08}", "Iron", updated="2020-01-01") for i in range(1, n + 1)]


@pytest.fixture
def many():
    with serving(Registry(many_studies())) as served:
        yield served


def nothing_by_id(registry):
    """Let the registry find no study by its NCT ID: an empty list, and 404."""
    registry.answers = lambda path, query: (
        (200, {}, b'{"studies": [], "totalCount": 0}')
        if "filter.ids" in query
        else (404, {}, b"not found") if path.startswith("/studies/") else None
    )  # fmt: skip


def refusal_by_id(registry):
    """Let the registry refuse every list of NCT IDs, and find none singly."""
    registry.answers = lambda path, query: (
        (400, {}, b"incorrect format of filter.ids")
        if "filter.ids" in query
        else (404, {}, b"not found") if path.startswith("/studies/") else None
    )  # fmt: skip


def one_study_by_id(registry):
    """Let the registry answer every NCT ID with the same study."""
    body = json.dumps(next(iter(registry.records.values()))).encode()
    registry.answers = lambda path, query: (
        (200, {}, b'{"studies": [%s], "totalCount": 1}' % body)
        if "filter.ids" in query
        else (200, {}, body) if path.startswith("/studies/") else None
    )  # fmt: skip


def redirects_to_one_study(registry):
    """Let the registry find no list of NCT IDs, and redirect each to the same study."""
    first = next(iter(registry.records))
    registry.answers = lambda path, query: (
        (200, {}, b'{"studies": [], "totalCount": 0}')
        if "filter.ids" in query
        else (301, {"Location": f"/api/v2/studies/{first}"}, b"")
        if path.startswith("/studies/") and not path.endswith(first) else None
    )  # fmt: skip


def redirects_to_a_notice(registry):
    """Let the registry redirect every NCT ID to a page about maintenance, which it lacks."""
    registry.answers = lambda path, query: (
        (200, {}, b'{"studies": [], "totalCount": 0}')
        if "filter.ids" in query
        else (302, {"Location": "/maintenance"}, b"") if path.startswith("/studies/NCT")
        else (404, {}, b"not found") if path.startswith("/studies/") else None
    )  # fmt: skip


def a_tenth_by_id(registry):
    """Let the registry lack a tenth of its studies by NCT ID."""

    def lacks(path, query):
        if "filter.ids" in query:
            ids = [each for each in query["filter.ids"].split(",") if not each.endswith("7")]
            body = json.dumps([registry.records[each] for each in ids if each in registry.records])
            return 200, {}, b'{"studies": %s, "totalCount": %d}' % (body.encode(), len(ids))
        return (404, {}, b"not found") if path.endswith("7") else None

    registry.answers = lacks


MODES = [nothing_by_id, refusal_by_id, one_study_by_id, redirects_to_one_study,
         redirects_to_a_notice, a_tenth_by_id]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_a_registry_without_its_studies_for_a_while_is_not_believed(many, mirror, mode):
    """Nothing is buried however often that happens, and healthy updates go on as before."""
    with client_of(many) as client:
        fetch(mirror, client, ALL)
        mode(many)
        for _ in range(3):
            with pytest.raises((FetchError, NoAnswerError)) as refused:
                update(mirror, client)
            assert refused.value.exit_code == 75
            a_day_passes(mirror)
        assert (mirror.n_records, mirror.tombstones(), mirror.missing()) == (100, [], [])
        many.answers = lambda *_: None
        many.vanish("NCT00000050")
        assert update(mirror, client).missing == ("NCT00000050",)
        a_day_passes(mirror)
        assert update(mirror, client).gone == ("NCT00000050",)


@pytest.mark.parametrize("mode", [nothing_by_id, redirects_to_one_study])
def test_a_check_that_is_not_believed_ends_early_and_says_why(many, mirror, mode):
    with client_of(many) as client:
        fetch(mirror, client, ALL)
        mode(many)
        many.requests.clear()
        with pytest.raises(FetchError, match="answers are not believed, and no study was removed"):
            update(mirror, client)
    assert sum(path.startswith("/studies/") for path, _ in many.requests) < 10


def test_changes_during_an_outage_are_fetched_after_it(many, mirror):
    """While the registry lists nothing as changed, the date of the mirror stays."""
    with client_of(many) as client:
        fetch(mirror, client, Scope(term="iron"))
        many.timestamp = "2026-06-01T09:00:05"
        many.records["NCT00000001"] = record("NCT00000001", "Changed", updated="2026-04-01")
        many.answers = lambda path, _: (
            (200, {}, b'{"studies": [], "totalCount": 0}') if path == "/studies"
            else (404, {}, b"not found") if path.startswith("/studies/") else None
        )  # fmt: skip
        with pytest.raises(FetchError):
            update(mirror, client)
        many.answers = lambda *_: None
        update(mirror, client)
    titles = {each.nct_id: each.title for each in read_studies(mirror.path)}
    assert titles["NCT00000001"] == "Changed"


def test_a_registry_that_counts_too_few_studies_is_not_believed(many, mirror):
    """All its answers are empty: the whole registry cannot have shrunk like this."""
    with client_of(many) as client:
        fetch(mirror, client, ALL)
        many.records, kept = {}, many.records
        with pytest.raises(FetchError, match="counts 0 studies, and the mirror has 100 of them"):
            fetch(mirror, client, ALL)
        many.records = kept
        assert fetch(mirror, client, ALL).n_mirrored == 100


def test_studies_buried_by_mistake_come_back(many, mirror):
    """The mirror of an earlier version, which believed the registry: one update repairs it."""
    with client_of(many) as client:
        fetch(mirror, client, ALL)
        for nct_id in list(many.records)[:90]:
            mirror.bury(nct_id)
        said = []
        report = update(mirror, client, n_rechecked=20, say=said.append)
        assert len(report.returned) == report.n_mirrored - 10 == 90
        assert said[0].startswith("back in the registry: 90 (NCT00000001, ")
        assert (mirror.n_records, mirror.tombstones()) == (100, [])


def test_tombstones_are_looked_at_in_turn(many, mirror):
    """At most as many as asked for, while none is back; then others."""
    with client_of(many) as client:
        fetch(mirror, client, ALL)
        for n in range(1, 601):
            mirror.bury(f"NCT{n + 1000:08}")
        for n_before in (0, 200, 400):
            many.requests.clear()
            update(mirror, client, n_rechecked=1)
            asked = [query["filter.ids"] for _, query in many.requests if "filter.ids" in query]
            assert asked[0].startswith(f"NCT{n_before + 1001:08},")
            assert len(asked) == 2  # one of tombstones, one of studies
        many.requests.clear()
        update(mirror, client, n_rechecked=0)
        assert not any("filter.ids" in query for _, query in many.requests)


def test_a_few_of_many_that_have_gone_are_believed(many, mirror):
    with client_of(many) as client:
        fetch(mirror, client, ALL)
        for n in (7, 17, 27):
            many.vanish(f"NCT{n:08}")
        assert len(updated_twice(mirror, client).gone) == 3
        many.vanish("NCT00000001", "NCT00000002", "NCT00000003", "NCT00000004")
        with pytest.raises(FetchError, match="lacks at least 4 of 97 studies checked"):
            update(mirror, client)


def test_several_studies_may_be_merged_into_one_that_lists_them(many, mirror):
    with client_of(many) as client:
        fetch(mirror, client, ALL)
        merged = ["NCT00000001", "NCT00000002", "NCT00000003"]
        many.vanish(*merged, into="NCT00000004")
        with pytest.raises(FetchError, match="NCT00000004 does not list them"):
            update(mirror, client)
        many.records["NCT00000004"] = record(
            "NCT00000004", "Iron", aliases=merged, updated="2020-01-01"
        )
        assert updated_twice(mirror, client).gone == tuple(merged)
