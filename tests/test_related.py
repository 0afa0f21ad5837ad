"""The related list of every study: its rows, its file, and what is refused."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from asking import similar_to_study
from conftest import REPOSITORY
from test_batch_search import many
from test_journal import SCRIPT, lists_of

from simsearch import Filters
from simsearch.errors import ArgumentError, RelatedBusyError, RelatedFileError, UnknownStudyError
from simsearch.index.opened import opened_index
from simsearch.related.files import METADATA
from simsearch.related.run import related


def answers(index, **options) -> dict[str, list[tuple[str, float]]]:
    return {
        nct_id: [
            (each.study.nct_id, each.similarity)
            for each in similar_to_study(index, nct_id, **options)
        ]
        for nct_id in index.store.nct_ids()
    }


def test_lists_are_what_single_queries_answer(six, tmp_path):
    related(six, tmp_path / "x.parquet", 3)
    assert lists_of(tmp_path / "x.parquet") == answers(six, k=3)


def test_neighbours_pass_the_filters_and_all_studies_ask(six, tmp_path):
    recruiting = Filters(status=("recruiting",))
    report = related(six, tmp_path / "x.parquet", 3, filters=recruiting)
    found = lists_of(tmp_path / "x.parquet")
    assert report.n_lists == 6
    assert {name for each in found.values() for name, _ in each} == {"NCT00000103"}
    assert "NCT00000103" not in found


def test_duckdb_reads_parquet_and_mutual_is_what_the_lists_say(six, tmp_path):
    related(six, tmp_path / "x.parquet", 2)
    wrong = duckdb.sql(
        f"""SELECT count(*) FROM '{tmp_path / "x.parquet"}' AS one WHERE mutual <> EXISTS (
        SELECT 1 FROM '{tmp_path / "x.parquet"}' AS other
        WHERE other.nct_id = one.neighbour_id AND other.neighbour_id = one.nct_id)"""
    ).fetchall()
    counts = duckdb.sql(
        f"SELECT count(*), count(*) FILTER (mutual) FROM '{tmp_path / 'x.parquet'}'"
    )
    assert wrong == [(0,)]
    [(n, n_mutual)] = counts.fetchall()
    assert n == 12
    assert 0 < n_mutual < 12


def test_metadata_say_what_the_lists_are_of(six, tmp_path):
    related(six, tmp_path / "x.parquet", 2, filters=Filters(phase=("2",)))
    found = json.loads(pq.read_schema(tmp_path / "x.parquet").metadata[METADATA])
    manifest = six.generation.manifest
    assert found["schema"] == "simsearch.related/1"
    assert found["generation"] == manifest.generation
    assert found["recipe"] == manifest.recipe.digest
    assert (found["k"], found["filters"], found["studies"]) == (2, {"phase": ["2"]}, "all")


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_other_forms_hold_the_same_rows(six, tmp_path, ending):
    related(six, tmp_path / "x.parquet", 2)
    related(six, tmp_path / f"x.{ending}", 2)
    read = pd.read_csv if ending == "csv" else lambda path: pd.read_json(path, lines=True)
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "x.parquet"), read(tmp_path / f"x.{ending}"),
        check_dtype=False,
    )  # fmt: skip


def test_titles(six, tmp_path):
    related(six, tmp_path / "x.csv", 1, with_titles=True)
    first = pd.read_csv(tmp_path / "x.csv").iloc[0]
    assert (first.title, first.status) == ("Pills for aplasia", "COMPLETED")
    assert first.neighbour_title == six.study(first.neighbour_id).title


def test_some_studies_have_the_same_rows_as_among_all(six, tmp_path):
    related(six, tmp_path / "all.csv", 2)
    related(six, tmp_path / "some.csv", 2, nct_ids=["NCT00000901", "nct00000104"])
    every = pd.read_csv(tmp_path / "all.csv")
    some = every[every.nct_id.isin(["NCT00000102", "NCT00000104"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, pd.read_csv(tmp_path / "some.csv"))


def test_an_unknown_study(six, tmp_path):
    with pytest.raises(UnknownStudyError):
        related(six, tmp_path / "x.csv", nct_ids=["NCT00000999"])
    assert list(tmp_path.glob("x*")) == []


def test_studies_without_text_are_counted(build, tmp_path):
    index = opened_index(build(many(97)).index)
    report = related(index, tmp_path / "x.csv", 2)
    assert report.n_without_text == index.n_studies - report.n_lists >= 1
    assert "NCT00000097" not in (tmp_path / "x.csv").read_text()


def test_k_beyond_the_corpus(six, tmp_path):
    report = related(six, tmp_path / "x.csv", 50)
    assert (report.n_rows, report.n_short) == (30, 6)


def test_nothing_passes(six, tmp_path):
    report = related(six, tmp_path / "x.parquet", filters=Filters(min_enrollment=10**6))
    assert report.n_rows == 0
    assert pd.read_parquet(tmp_path / "x.parquet").empty


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.jsonl"])
def test_a_foreign_file_is_not_replaced(six, tmp_path, name):
    (tmp_path / name).write_text("precious,data\n")
    with pytest.raises(RelatedFileError, match="holds something other than related lists"):
        related(six, tmp_path / name)
    assert (tmp_path / name).read_text() == "precious,data\n"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("x.jsonl", '{"nct_id":"NCT00000101","note":"mine"}'),
        ("x.jsonl", '{"nct_id":"NCT00000101","rank":1'),
        ("x.csv", "nct_id,rank,neighbour_id,similarity,mutual,note"),
    ],
)
def test_a_file_that_only_begins_like_ours_is_not_replaced(six, tmp_path, name, line):
    (tmp_path / name).write_text(line + "\n")
    with pytest.raises(RelatedFileError, match="holds something other than related lists"):
        related(six, tmp_path / name)
    assert (tmp_path / name).read_text() == line + "\n"


def test_a_foreign_file_is_replaced_with_force(six, tmp_path):
    (tmp_path / "x.csv").write_text("precious,data\n")
    related(six, tmp_path / "x.csv", force=True)
    assert (tmp_path / "x.csv").read_text().startswith("nct_id,rank")


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.jsonl"])
def test_its_own_file_is_replaced(six, tmp_path, name):
    related(six, tmp_path / name, 2)
    assert related(six, tmp_path / name, 3, with_titles=True).n_rows == 18
    assert related(six, tmp_path / name, 1).n_rows == 6


def test_a_missing_folder(six, tmp_path):
    with pytest.raises(RelatedFileError, match="is not a folder"):
        related(six, tmp_path / "missing" / "x.csv")


def test_another_ending(six, tmp_path):
    with pytest.raises(ArgumentError, match=r"\.parquet"):
        related(six, tmp_path / "x.xlsx")


def test_a_full_disk(six, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("simsearch.files.os.fsync", full)
    with pytest.raises(RelatedFileError, match="No space left"):
        related(six, tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


def test_no_file_is_left_but_the_output(six, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    related(six, folder / "x.csv")
    assert [path.name for path in folder.iterdir()] == ["x.csv"]


def test_a_second_run_on_the_same_output_is_refused(build, tmp_path):
    folder = build(many(120)).index
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(tmp_path / "x.csv")],
        stdout=subprocess.PIPE, cwd=REPOSITORY,
    )  # fmt: skip
    process.stdout.readline()
    try:
        with pytest.raises(RelatedBusyError, match="another run"):
            related(opened_index(folder), tmp_path / "x.csv")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_no_neighbour_and_titles(six, tmp_path):
    nothing = Filters(min_enrollment=10**6)
    report = related(six, tmp_path / "x.csv", filters=nothing, with_titles=True)
    assert report.n_rows == 0
    assert (tmp_path / "x.csv").read_text().count("\n") == 1


def test_studies_that_lack_all_that_weighs_are_counted_and_the_others_listed(six, tmp_path):
    """The last of the six has no intervention: a query for it by that alone is refused."""
    weights = {"interventions": 1.0}
    report = related(six, tmp_path / "x.csv", 2, weights=weights)
    assert (report.n_lists, report.n_without_text, report.n_without_weighed) == (5, 0, 1)
    assert "NCT00000106" not in set(pd.read_csv(tmp_path / "x.csv").nct_id)
    one = related(six, tmp_path / "y.csv", 5, weights=weights, nct_ids=["NCT00000101"])
    assert (one.n_lists, one.n_rows) == (1, 5)
    with pytest.raises(ArgumentError):
        similar_to_study(six, "NCT00000106", weights=weights)


def test_no_study_named_is_no_list(six, tmp_path):
    report = related(six, tmp_path / "x.csv", nct_ids=[])
    assert (report.n_lists, report.n_without_text) == (0, 0)


def test_a_folder_in_the_place_of_the_lock(six, tmp_path):
    (tmp_path / "x.csv.lock").mkdir()
    with pytest.raises(RelatedFileError, match=r"x\.csv\.lock cannot be locked"):
        related(six, tmp_path / "x.csv")


def test_the_lock_of_a_killed_run_is_free(six, tmp_path):
    (tmp_path / "x.csv.lock").touch()
    related(six, tmp_path / "x.csv")
    assert not (tmp_path / "x.csv.lock").exists()


def test_tables_of_a_few_rows_hold_the_same(six, tmp_path, monkeypatch):
    related(six, tmp_path / "whole.csv", 3)
    monkeypatch.setattr("simsearch.related.tables._ROWS", 4)
    monkeypatch.setattr("simsearch.related.lists._COMPARED", 4)
    related(six, tmp_path / "parts.csv", 3)
    assert (tmp_path / "parts.csv").read_text() == (tmp_path / "whole.csv").read_text()


@pytest.mark.parametrize(
    "metadata",
    [b"", b"{", b"[]", b"\xff", b'{"schema": "simsearch.related/1"}', b"[" * 5000],
)
def test_a_parquet_file_with_foreign_metadata_is_replaced_only_by_force(six, tmp_path, metadata):
    path = tmp_path / "x.parquet"
    related(six, path, 2)
    pq.write_table(pq.read_table(path).replace_schema_metadata({METADATA: metadata}), path)
    with pytest.raises(RelatedFileError, match="holds something other than related lists"):
        related(six, path, 2)
    assert related(six, path, 2, force=True).n_computed == 6
    assert json.loads(pq.read_schema(path).metadata[METADATA])["n_lists"] == 6


def test_a_file_of_an_earlier_generation_is_computed_anew(build, tmp_path):
    folder = build(many(30)).index
    related(opened_index(folder), tmp_path / "x.parquet", 3)
    build(many(31))
    index = opened_index(folder)
    report = related(index, tmp_path / "x.parquet", 3)
    assert report.n_computed == report.n_lists
    assert lists_of(tmp_path / "x.parquet") == answers(index, k=3)


class Reader(io.BytesIO):
    """A standard output whose reader has gone once this many bytes were read."""

    def __init__(self, most: int = 10**9) -> None:
        super().__init__()
        self._most = most

    def write(self, data: bytes) -> int:
        if self.tell() >= self._most:
            raise BrokenPipeError
        return super().write(data)


@pytest.fixture
def hundreds(build):
    with opened_index(build(many(700)).index) as index:
        yield index


def streamed(monkeypatch, index, reader: Reader, **options) -> list[tuple[int, int, int]]:
    """Write lists to a reader; return (lists done, lists in all, lines read) as it went on."""
    seen: list[tuple[int, int, int]] = []

    def progress(_: str, done: int, total: int, __: str) -> None:
        ids = {json.loads(line)["nct_id"] for line in reader.getvalue().splitlines()}
        seen.append((done, total, len(ids)))

    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=reader))
    related(index, None, 3, progress=progress, **options)
    return seen


def test_standard_output_gets_lists_while_others_are_computed(monkeypatch, hundreds, tmp_path):
    reader = Reader()
    seen = streamed(monkeypatch, hundreds, reader)
    assert len(seen) > 3
    assert [read for _, _, read in seen] == [done for done, _, _ in seen]
    related(hundreds, tmp_path / "x.jsonl", 3)
    assert reader.getvalue() == (tmp_path / "x.jsonl").read_bytes()


def test_no_more_is_computed_once_the_reader_has_gone(monkeypatch, hundreds):
    seen: list[int] = []
    reader = Reader(most=1)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=reader))
    with pytest.raises(BrokenPipeError):
        related(hundreds, None, 3, progress=lambda _, done, *__: seen.append(done))
    assert max(seen) < 100
