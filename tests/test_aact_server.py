"""AACT's tables on a real PostgreSQL, read as the files of its export are."""

import gzip
import io
import json
import random
import sys
import zipfile

import psycopg
import pytest
from conftest import SIX, WordEncoder
from postgres_server import run, server  # noqa: F401 - a fixture
from psycopg import sql
from test_aact_reader import FULL, tables_of

from simsearch import build_index, read_studies
from simsearch.cli import main as cli
from simsearch.errors import SourceError, SourceLostError
from simsearch.index.opened import opened_index
from simsearch.records import Notice
from simsearch.records.aact_tables import cells_of
from simsearch.study import Study


def load(address, tables, schema="ctgov"):
    """Load tables in the form of the export into a server, as they are."""
    with psycopg.connect(address) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        for name, content in tables.items():
            header, *lines = content.decode().splitlines()
            columns = [sql.Identifier(each) for each in header.split("|")]
            table = sql.Identifier(schema, name)
            typed = sql.SQL(", ").join(sql.SQL("{} text").format(each) for each in columns)
            connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, typed))
            with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
                for line in lines:
                    cells = cells_of(line.encode(), len(columns))
                    copy.write_row([None if each == "" else each for each in cells])


@pytest.fixture
def aact(server):  # noqa: F811
    """The address of an empty database."""
    run(server, "DROP DATABASE IF EXISTS aact WITH (FORCE)", "CREATE DATABASE aact")
    return server.replace("/postgres?", "/aact?")


def zip_of(path, tables):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in tables.items():
            archive.writestr(f"{name}.txt", content)
    return path


def studies(source):
    return [each for each in read_studies(source) if isinstance(each, Study)]


def test_a_study_is_the_same_from_the_server_and_from_the_files(aact, tmp_path):
    tables = tables_of([*SIX, FULL])
    load(aact, tables)
    found = studies(aact)
    assert found == studies(zip_of(tmp_path / "aact.zip", tables))
    assert len(found) == 7


def test_rows_may_lie_in_any_order(aact, tmp_path):
    load(aact, tables_of([*SIX, FULL], random.Random(2)))
    assert studies(aact) == studies(zip_of(tmp_path / "aact.zip", tables_of([*SIX, FULL])))


def test_real_records_are_the_same_from_the_server_and_from_the_files(shared, aact, tmp_path):
    with gzip.open(shared / "raw" / "api-v2-studies.jsonl.gz", "rt", encoding="utf-8") as file:
        by_id = {}
        for line in file:
            record = json.loads(line)
            by_id[record["protocolSection"]["identificationModule"]["nctId"]] = record
    tables = tables_of(list(by_id.values()))
    load(aact, tables)
    found = studies(aact)
    assert len(found) > 400
    assert found == studies(zip_of(tmp_path / "aact.zip", tables))


def test_line_breaks_and_quotes_are_what_the_export_makes_of_them(aact, tmp_path):
    text = 'Adults with "aplasia":\n\n* take pills\n  * or drops; about \\~5 mg'
    load(aact, tables_of(SIX[:1]))
    run(aact, "UPDATE ctgov.brief_summaries SET description = " + sql.quote(text))
    exported = json.loads(json.dumps(SIX[0]))
    exported["protocolSection"]["descriptionModule"]["briefSummary"] = text
    assert studies(aact) == studies(zip_of(tmp_path / "aact.zip", tables_of([exported])))


def test_an_index_has_the_same_bytes_by_both_ways(aact, tmp_path):
    tables = tables_of([*SIX, FULL])
    load(aact, tables)
    sources = {"server": aact, "files": zip_of(tmp_path / "aact.zip", tables)}
    folders = {}
    for name, source in sources.items():
        build_index(read_studies(source), tmp_path / name, WordEncoder())
        with opened_index(tmp_path / name) as opened:
            folders[name] = opened.generation.path
    names = {each.name for each in folders["files"].iterdir()} - {"manifest.json"}
    assert names == {each.name for each in folders["server"].iterdir()} - {"manifest.json"}
    for name in names:
        assert (folders["server"] / name).read_bytes() == (folders["files"] / name).read_bytes()


def test_it_is_one_snapshot(aact):
    load(aact, tables_of(SIX))
    outcomes = iter(read_studies(aact))
    first = next(each for each in outcomes if isinstance(each, Study))
    run(aact, "DELETE FROM ctgov.studies", "DELETE FROM ctgov.conditions")
    found = [first, *(each for each in outcomes if isinstance(each, Study))]
    assert [bool(each.conditions) for each in found] == [True] * 6


def test_tables_that_are_missing_are_named(aact):
    load(aact, {"studies": tables_of(SIX)["studies"]})
    outcomes = list(read_studies(aact))
    (notice,) = (each for each in outcomes if isinstance(each, Notice))
    assert "conditions" in notice.message
    assert "are left empty" in notice.message


def test_another_database_is_refused_before_the_encoder_loads(aact):
    with pytest.raises(SourceError, match=r"no table ctgov\.studies"):
        read_studies(aact).check()


def test_an_address_without_a_server_is_one_line_without_its_password():
    address = "postgresql://me:s3cret@127.0.0.1:1/aact?password=s3cret"
    with pytest.raises(SourceLostError, match=r"127\.0\.0\.1") as raised:
        list(read_studies(address))
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_password_is_in_no_manifest_and_no_log(aact, tmp_path, monkeypatch, capsys):
    load(aact, tables_of(SIX))
    address = aact.replace("postgres:@", "postgres:s3cret@")
    words = ["simsearch", "rebuild", address, "--index", str(tmp_path / "index"), "--no-cache"]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr("simsearch.cli.building.load_encoder", lambda *_: WordEncoder())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    shown = "".join(capsys.readouterr())
    assert "6 studies" in shown
    (manifest,) = (tmp_path / "index").glob("generations/*/manifest.json")
    assert "s3cret" not in shown + manifest.read_text()


def test_a_connection_that_is_cut_ends_in_one_line(aact, monkeypatch):
    load(aact, tables_of(SIX))
    from simsearch.records import aact_server

    real = aact_server._as_exported
    rows = io.StringIO()

    def cut(row):
        if rows.tell() == 0:
            rows.write("cut")
            run(
                aact,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'simsearch'",
            )
        return real(row)

    monkeypatch.setattr(aact_server, "_as_exported", cut)
    with pytest.raises(SourceLostError, match=r"terminating|closed|connection"):
        list(read_studies(aact))
