"""The SQL of docs/databases.md, run."""

import duckdb
import psycopg
import pytest
from conftest import REPOSITORY
from postgres_server import run, server  # noqa: F401 - a fixture
from test_docs import blocks

from simsearch.export.parquet import export_parquet
from simsearch.export.postgres import export_postgres
from simsearch.index.opened import opened_index
from simsearch.search.answer import ask
from simsearch.search.filters import Filters
from simsearch.search.question import Question

DOCUMENT = REPOSITORY / "docs" / "databases.md"
LIST, RECRUITING, WHOLE, APPROXIMATE, COMPETING, NUMBER, DUCKDB = blocks(DOCUMENT, "sql")
STUDY = "NCT03540472"


@pytest.fixture(scope="module")
def demo():
    with opened_index() as opened:
        yield opened


@pytest.fixture(scope="module")
def database(server, demo):  # noqa: F811
    """The demo index beside a small AACT."""
    run(server, "DROP DATABASE IF EXISTS docs WITH (FORCE)", "CREATE DATABASE docs")
    address = server.replace("/postgres?", "/docs?")
    export_postgres(demo, address, hnsw=True)
    run(
        address,
        "CREATE SCHEMA ctgov",
        "CREATE TABLE ctgov.studies AS SELECT nct_id, title AS brief_title, "
        "status AS overall_status FROM simsearch.study",
    )
    return address


@pytest.fixture
def changed(server, database):  # noqa: F811
    """A copy of it to change."""
    run(server, "DROP DATABASE IF EXISTS changed WITH (FORCE)")
    run(server, "CREATE DATABASE changed TEMPLATE docs")
    return server.replace("/postgres?", "/changed?")


def result(address, statements):
    with psycopg.connect(address) as connection:
        *first, last = [each for each in statements.split(";\n") if each.strip()]
        for statement in first:
            connection.execute(statement)
        return connection.execute(last.rstrip().rstrip(";")).fetchall()


def test_the_related_list_beside_aact(database, demo):
    answer = ask(demo, Question(studies=STUDY))
    found = [(rank, nct_id, title, reason) for rank, nct_id, title, _, _, reason in
             result(database, LIST)]  # fmt: skip
    assert found == [(e.rank, e.nct_id, e.title, e.reason.line) for e in answer]


def test_recruiting_neighbours_in_a_country(database, demo):
    answer = ask(demo, Question(studies=STUDY))
    wanted = [
        (e.rank, e.nct_id, e.title)
        for e in answer
        if e.study.status == "RECRUITING" and "United States" in e.study.countries
    ]
    assert result(database, RECRUITING) == wanted


@pytest.mark.parametrize("study", [STUDY, "every twentieth"])
def test_the_whole_similarity_is_that_of_a_query(database, demo, study):
    asked = [STUDY] if study == STUDY else demo.store.nct_ids()[::20]
    for nct_id in asked:
        answer = ask(demo, Question(studies=nct_id, explain=False, ranking="linear"))
        found = result(database, WHOLE.replace(STUDY, nct_id))
        assert [each for each, _ in found] == [each.nct_id for each in answer]
        assert [float(value) for _, value in found] == pytest.approx(
            [each.similarity for each in answer], abs=2e-6
        )


def test_a_query_study_without_conditions_moves_its_weight(database, demo):
    lacking = result(
        database,
        "SELECT nct_id FROM simsearch.study_embedding WHERE conditions IS NULL AND text NOTNULL",
    )
    for (nct_id,) in lacking:
        answer = ask(demo, Question(studies=nct_id, explain=False, ranking="linear"))
        found = result(database, WHOLE.replace(STUDY, nct_id))
        assert [each for each, _ in found] == [each.nct_id for each in answer]


def test_approximate_search_with_a_filter(database, demo):
    filters = Filters(status="recruiting")
    exact = ask(demo, Question(studies=STUDY, weights={"text": 1}, filters=filters, explain=False))
    found = [nct_id for nct_id, _ in result(database, APPROXIMATE) if nct_id != STUDY]
    assert set(found) <= {each.nct_id for each in exact} | {STUDY}
    assert len(found) >= 0.9 * len(exact) - 1


def test_competing_trials_by_site(changed):
    run(
        changed,
        "DELETE FROM simsearch.site",
        "INSERT INTO simsearch.site (nct_id, number, city, country) "
        f"SELECT neighbour_id, 1, 'Lyon', 'France' FROM simsearch.related WHERE nct_id = '{STUDY}' "
        f"UNION SELECT '{STUDY}', 1, 'Lyon', 'France'",
        "UPDATE simsearch.study SET status = 'RECRUITING' WHERE nct_id IN (SELECT neighbour_id "
        f"FROM simsearch.related WHERE nct_id = '{STUDY}' AND rank IN (2, 5))",
        "UPDATE simsearch.study SET status = 'COMPLETED' WHERE nct_id IN (SELECT neighbour_id "
        f"FROM simsearch.related WHERE nct_id = '{STUDY}' AND rank NOT IN (2, 5))",
    )
    found = result(changed, COMPETING)
    assert [(rank, cities) for rank, _, _, cities in found] == [
        (2, ["Lyon, France"]), (5, ["Lyon, France"]),
    ]  # fmt: skip


def test_a_study_by_another_number(changed):
    run(
        changed,
        "INSERT INTO simsearch.other_number "
        "VALUES ('NCT03540472', 99, '2012-003157-29', 'EudraCT')",
    )
    assert result(changed, NUMBER) == [(STUDY,)]


def test_duckdb_reads_the_files(demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export_parquet(demo, tmp_path / "trials")
    found = duckdb.sql(DUCKDB).fetchall()
    assert [nct_id for _, nct_id, _, _ in found] == [
        each.nct_id for each in ask(demo, Question(studies=STUDY))
    ]
