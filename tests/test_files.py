"""Files are written whole or not at all; JSON is readable; batches are of one size."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.files import batches, pretty_json, written_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_when_it_is_complete(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"before")
    with written_whole(path) as file:
        file.write(b"after")
        file.flush()
        assert path.read_bytes() == b"before"
        assert names(tmp_path) == ["x.csv", "x.csv.part"]
    assert path.read_bytes() == b"after"
    assert names(tmp_path) == ["x.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_what_stood_there_and_nothing_beside_it(tmp_path, error):
    path = tmp_path / "x.csv"
    path.write_bytes(b"before")
    with pytest.raises(error), written_whole(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["x.csv"]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_what_stood_there(tmp_path, monkeypatch, name):
    def refused(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "x.csv"
    path.write_bytes(b"before")
    monkeypatch.setattr(os, name, refused)
    with pytest.raises(OSError, match="No space left"), written_whole(path) as file:
        file.write(b"after")
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["x.csv"]


def test_what_a_killed_writer_left_is_written_over(tmp_path):
    (tmp_path / "x.csv.part").write_bytes(b"a long half of a file")
    with written_whole(tmp_path / "x.csv") as file:
        file.write(b"whole")
    assert (tmp_path / "x.csv").read_bytes() == b"whole"
    assert names(tmp_path) == ["x.csv"]


@pytest.mark.skipif(os.name == "nt", reason="links need a right of their own there")
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "x.csv"
    target.write_bytes(b"before")
    (tmp_path / "link").symlink_to(target)
    with written_whole(tmp_path / "link") as file:
        file.write(b"after")
    assert (tmp_path / "link").is_symlink()
    assert target.read_bytes() == b"after"


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="has no such device")
def test_a_device_is_written_directly():
    with written_whole(Path("/dev/null")) as file:
        file.write(b"away")
    assert not Path("/dev/null").is_file()


def test_json_is_indented_and_ends_a_line():
    text = pretty_json({"a": [1, "é"], "path": Path("x").name})
    assert text == '{\n  "a": [\n    1,\n    "é"\n  ],\n  "path": "x"\n}\n'
    assert json.loads(text) == {"a": [1, "é"], "path": "x"}


@given(st.lists(st.integers(), max_size=30), st.integers(1, 9))
def test_batches_are_full_but_the_last_and_hold_all_in_order(values, size):
    found = list(batches(iter(values), size))
    assert [value for batch in found for value in batch] == values
    assert all(len(batch) == size for batch in found[:-1])
    assert all(found)
