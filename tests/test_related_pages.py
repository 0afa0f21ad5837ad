"""Lists for sites without a server: a small JSON and an HTML fragment a study."""

from __future__ import annotations

import json
import subprocess
import sys

from conftest import SIX
from hostile import HOSTILE

import simsearch


def written(index, folder):
    words = [sys.executable, "-m", "simsearch", "related", "--all", "-k", "3", "-q",
             "--index", str(index), "-o", f"{folder}/"]  # fmt: skip
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_every_study_has_its_list_as_json_and_as_a_fragment(build, tmp_path):
    index, folder = build().index, tmp_path / "pages"
    assert written(index, folder).returncode == 0
    about = json.loads((folder / "index.json").read_text())
    with simsearch.open_index(index) as opened:
        assert (about["n_studies"], about["generation"]) == (6, opened.facts.generation)
        for record in SIX:
            nct_id = record["protocolSection"]["identificationModule"]["nctId"]
            found = json.loads((folder / "0000" / f"{nct_id}.json").read_text())
            expected = [each.nct_id for each in opened.related(nct_id, k=3)]
            assert [each["nct_id"] for each in found["neighbours"]] == expected
            fragment = (folder / "0000" / f"{nct_id}.html").read_text()
            places = [fragment.index(f"/study/{each}") for each in expected]
            assert places == sorted(places)


def test_what_records_say_is_text_in_a_fragment(build, tmp_path):
    index, folder = build([*SIX, HOSTILE]).index, tmp_path / "pages"
    assert written(index, folder).returncode == 0
    fragments = "".join(each.read_text() for each in folder.rglob("*.html"))
    assert "&lt;script&gt;alert(1)" in fragments
    assert "<script" not in fragments
    assert "\u202e" not in fragments


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(build, tmp_path):
    done = written(build().index, tmp_path / "nowhere" / "pages")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
