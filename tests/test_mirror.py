"""The mirror as a file, and as a source of records."""

import json
import sqlite3
import zlib

import pytest
from registry_server import IDS, RECORDS

from simsearch import Study, read_studies
from simsearch.errors import MirrorError
from simsearch.records import Gone
from simsearch.records.mirror import Mirror, MirroredRecord, Window, is_mirror


@pytest.fixture
def mirror(tmp_path):
    with Mirror(tmp_path / "mirror.sqlite") as opened:
        yield opened


def test_a_mirror_is_a_source_of_records(mirror):
    mirror.add(
        MirroredRecord(nct_id, "2020-01-01", json.dumps(each).encode())
        for nct_id, each in zip(IDS, RECORDS, strict=True)
    )
    assert is_mirror(mirror.path)
    reader = read_studies(mirror.path)
    assert [each.nct_id for each in reader if isinstance(each, Study)] == IDS
    assert reader.bytes_read == reader.bytes_total


def test_an_older_record_never_replaces_a_newer_one(mirror):
    new = MirroredRecord("NCT00000101", "2024-01-01", b'{"a": 2}')
    mirror.add([new, MirroredRecord("NCT00000101", "2020-01-01", b'{"a": 1}')])
    assert list(mirror.records()) == [b'{"a": 2}']


def test_a_page_is_stored_with_its_position_or_not_at_all(mirror):
    records = [MirroredRecord("NCT00000101", "2024-01-01", b"{}"),
               MirroredRecord(None, "2024-01-01", b"{}")]  # fmt: skip
    with pytest.raises(MirrorError):
        mirror.add_page("{}", "w", Window("next", total=2), records)
    assert mirror.n_records == 0
    assert mirror.window("{}", "w") == Window()


def test_another_file_is_not_a_mirror(tmp_path):
    path = tmp_path / "mirror.sqlite"
    path.write_text("my thesis")
    with pytest.raises(MirrorError, match="not a database"):
        Mirror(path)
    assert path.read_text() == "my thesis"
    sqlite3.connect(tmp_path / "other.sqlite").execute("CREATE TABLE t (a)").connection.close()
    assert not is_mirror(tmp_path / "other.sqlite")
    with pytest.raises(MirrorError, match="is not a mirror"):
        Mirror(tmp_path / "other.sqlite")


# The tables of the first version, which did not note studies as missing.
OLD_TABLES = """
PRAGMA application_id = 0x51A51A51;
CREATE TABLE record (
    nct_id TEXT PRIMARY KEY NOT NULL, last_update TEXT NOT NULL, fetched TEXT NOT NULL,
    checked TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX record_checked ON record (checked);
CREATE TABLE tombstone (nct_id TEXT PRIMARY KEY, since TEXT NOT NULL, became TEXT NOT NULL);
CREATE TABLE scope (query TEXT PRIMARY KEY, synced TEXT NOT NULL);
CREATE TABLE window (
    query TEXT NOT NULL, name TEXT NOT NULL, token TEXT NOT NULL, stamp TEXT NOT NULL,
    broken INTEGER NOT NULL, total INTEGER, done INTEGER NOT NULL, PRIMARY KEY (query, name)
);
CREATE TABLE window_study (
    query TEXT NOT NULL, name TEXT NOT NULL, nct_id TEXT NOT NULL,
    PRIMARY KEY (query, name, nct_id)
) WITHOUT ROWID;
INSERT INTO tombstone VALUES ('NCT00000900', '2026-01-01', '');
"""


@pytest.fixture
def old_mirror(tmp_path):
    path = tmp_path / "old.sqlite"
    database = sqlite3.connect(path)
    database.executescript(OLD_TABLES)
    with database:
        for nct_id, each in zip(IDS, RECORDS, strict=True):
            body = zlib.compress(json.dumps(each).encode())
            row = (nct_id, "2020-01-01", "2026-01-01", "2026-01-01", body)
            database.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?)", row)
    database.close()
    return path


def test_the_mirror_of_an_earlier_version_is_read_and_continued(old_mirror):
    with Mirror(old_mirror) as mirror:
        assert (mirror.n_records, mirror.missing()) == (6, [])
        assert mirror.oldest_tombstones() == ["NCT00000900"]
        mirror.mark_missing(IDS[0])
        mirror.add([MirroredRecord("NCT00000900", "2024-01-01", b"{}")])
    with Mirror(old_mirror) as mirror:
        assert [each.nct_id for each in mirror.missing()] == [IDS[0]]
        assert (mirror.n_records, mirror.tombstones()) == (7, [])


def test_the_mirror_of_an_earlier_version_is_read_where_it_cannot_be_written(
    old_mirror, monkeypatch
):
    before = old_mirror.read_bytes()
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **how: connect(f"file:{path}?mode=ro", uri=True, **how)
    )
    found = list(read_studies(old_mirror))
    assert old_mirror.read_bytes() == before
    assert [each.nct_id for each in found if isinstance(each, Study)] == IDS
    assert [each.nct_id for each in found if isinstance(each, Gone)] == ["NCT00000900"]


def test_an_earlier_version_can_write_to_a_mirror_of_this_one(mirror):
    """It names the values of whole rows, so these tables may not get further columns."""
    database = sqlite3.connect(mirror.path)
    with database:
        database.execute("INSERT INTO record VALUES ('NCT00000101', '2020', '2026', '2026', x'00')")
        database.execute("INSERT INTO tombstone VALUES ('NCT00000900', '2026-01-01', '')")
        database.execute("INSERT INTO window VALUES ('{}', 'w', '', '', 0, 1, 1)")
    database.close()
    assert mirror.tombstones() == [("NCT00000900", "2026-01-01", "")]


def test_a_study_stays_missing_since_the_first_of_checks_that_agree(mirror):
    first = mirror.mark_missing(IDS[0])
    assert mirror.mark_missing(IDS[0]).since == first.since
    assert mirror.mark_missing(IDS[0], IDS[1]).became == IDS[1]
    mirror.mark_seen([IDS[0]])
    assert mirror.missing() == []
