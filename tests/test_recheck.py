"""Studies that have left the registry, or were merged into others."""

import datetime as dt
import itertools
import sqlite3

import pytest
from conftest import WordEncoder
from registry_server import IDS, client_of, mirrored, serving, six_studies

from simsearch import build_index, read_studies
from simsearch.errors import (
    GoneStudyError,
    RedirectError,
)
from simsearch.index.opened import opened_index
from simsearch.records import Gone
from simsearch.records.mirror import Mirror
from simsearch.registry.fetch import fetch, update
from simsearch.registry.recheck import recheck
from simsearch.registry.scope import Scope
from simsearch.registry.single_studies import fetch_ids, study_online

ALL = Scope()


@pytest.fixture
def registry():
    with serving(six_studies()) as served:
        yield served


@pytest.fixture
def client(registry):
    with client_of(registry) as opened:
        yield opened


@pytest.fixture
def mirror(tmp_path):
    with Mirror(tmp_path / "mirror.sqlite") as opened:
        yield opened


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


def test_a_study_merged_several_times_is_followed_to_the_last(mirror, client, registry):
    fetch(mirror, client, ALL)
    del registry.records[IDS[0]]
    chain = [IDS[0], *(f"NCT0000080{n}" for n in range(4)), IDS[3]]
    registry.merged = dict(itertools.pairwise(chain))
    said = []
    assert update(mirror, client, say=said.append).gone == (IDS[0],)
    assert (mirror.tombstones()[0][2], said) == (IDS[3], [])
    assert fetch_ids(mirror, client, [IDS[0]]).not_found == ()


def test_studies_merged_in_a_circle_are_skipped(mirror, client, registry):
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
