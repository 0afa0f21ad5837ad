"""The mirror as a file, and as a source of records."""

import json
import sqlite3

import pytest
from registry_server import IDS, RECORDS

from simsearch import Study, read_studies
from simsearch.errors import MirrorError
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
