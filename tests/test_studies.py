"""The study store gives back what was written."""

import os
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import IndexCorruptError
from simsearch.index.studies import StudyStore
from simsearch.index.study_writer import write_store
from simsearch.study import Intervention, Study

text = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]))
texts = st.lists(text, max_size=3).map(tuple)
studies = st.builds(
    Study,
    nct_id=st.just("NCT00000102"),
    aliases=texts,
    title=text,
    summary=text,
    conditions=texts,
    interventions=st.lists(st.builds(Intervention, text, text, texts), max_size=2).map(tuple),
    outcomes=texts,
    mentions=texts,
    phases=texts,
    enrollment=st.none() | st.integers(0, 2**62),
    has_results=st.none() | st.booleans(),
)


@settings(deadline=None, max_examples=40)
@given(studies)
def test_a_study_comes_back_as_it_was(tmp_path_factory, study):
    path = tmp_path_factory.mktemp("store") / "s.sqlite"
    write_store(path, [study])
    assert StudyStore(path).studies([0]) == [study]


@pytest.fixture
def store(tmp_path):
    made = [Study(nct_id=f"NCT{n:08}", aliases=(f"NCT9{n:07}",)) for n in range(1, 2001)]
    write_store(tmp_path / "s.sqlite", made)
    return StudyStore(tmp_path / "s.sqlite")


def test_rows_are_found_by_id_and_alias(store):
    assert store.row_of("NCT00000007") == 6
    assert store.row_of("NCT90000007") == 6
    assert store.row_of("NCT00009999") is None


def test_rows_of_several_studies_come_in_the_order_asked_for(store):
    assert store.rows_of_studies(["NCT00000007", "NCT00000002", "NCT00000007"]) == [6, 1, 6]
    assert store.rows_of_studies([]) == []


def test_studies_come_in_the_order_asked_for_however_many(store):
    rows = list(range(1999, -1, -1))
    assert [each.nct_id for each in store.studies(rows)] == store.nct_ids()[::-1]


def test_a_row_that_is_not_there_is_damage(store):
    with pytest.raises(IndexCorruptError, match="row 5,000"):
        store.studies([1, 5000])


def test_lists_can_be_read_by_any_sqlite_tool(tmp_path):
    """Filters of later issues ask SQLite itself."""
    import sqlite3

    study = Study(nct_id="NCT00000102", phases=("PHASE1", "PHASE2"),
                  interventions=(Intervention("Drops", "DRUG"),))  # fmt: skip
    write_store(tmp_path / "s.sqlite", [study])
    with sqlite3.connect(tmp_path / "s.sqlite") as database:
        found = database.execute(
            "SELECT nct_id, json_extract(interventions, '$[0].type') FROM study "
            "WHERE EXISTS (SELECT 1 FROM json_each(phases) WHERE value = 'PHASE1')"
        ).fetchall()
    database.close()
    assert found == [("NCT00000102", "DRUG")]


TWO = """
import sys
from pathlib import Path
from simsearch.index.study_writer import write_store
from simsearch.study import Study
countries = ("Chad", "France", "Iran", "Peru", "Togo")
studies = [Study(nct_id=f"NCT{n:08}", title="x", status="COMPLETED", countries=countries)
           for n in (1, 2)]
write_store(Path(sys.argv[1]), studies)
"""


def test_the_same_studies_make_the_same_file_in_any_process(tmp_path):
    """Sets come in another order in another process."""
    paths = [tmp_path / seed for seed in "123"]
    for path in paths:
        environment = {**os.environ, "PYTHONHASHSEED": path.name}
        subprocess.run([sys.executable, "-c", TWO, str(path)], check=True, env=environment)
    assert len({path.read_bytes() for path in paths}) == 1


def test_another_file_is_not_a_store(tmp_path):
    with pytest.raises(IndexCorruptError, match="not a study store"):
        StudyStore(tmp_path)
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"something else entirely" * 50)
    with pytest.raises(IndexCorruptError, match="damaged study store"):
        StudyStore(path)
    path.write_bytes(msgspec.json.encode({}))
    with pytest.raises(IndexCorruptError):
        StudyStore(path)
