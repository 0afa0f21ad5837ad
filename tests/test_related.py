"""The related list of every study: files, mutual nearness, kills, refusals."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import msgspec
import pandas as pd
import pyarrow.parquet as pq
import pytest
from asking import similar_to_study
from conftest import REPOSITORY
from test_batch_search import many

from simsearch import Filters
from simsearch.errors import ArgumentError, RelatedBusyError, RelatedFileError, UnknownStudyError
from simsearch.index.lock import output_lock
from simsearch.index.opened import opened_index
from simsearch.related.files import METADATA
from simsearch.related.run import related

SCRIPT = """
import sys, time
from pathlib import Path
import simsearch.related.batch_search as b, simsearch.related as r
from simsearch.index.opened import opened_index
b.BLOCK = 4
index = opened_index(sys.argv[1])
def say(stage, done, total, unit):
    print(done, flush=True)
    time.sleep(0.02)
output = Path(sys.argv[2])
print(r.related(index, output, 3, threads=1, progress=say).n_resumed)
"""


def lists_of(path: Path) -> dict[str, list[tuple[str, float]]]:
    frame = pd.read_parquet(path)
    return {
        nct_id: list(zip(part.neighbour_id, part.similarity, strict=True))
        for nct_id, part in frame.groupby("nct_id")
    }


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


def test_killed_runs_go_on_and_end_the_same(build, tmp_path):
    folder = build(many(120)).index
    related(opened_index(folder), tmp_path / "whole.parquet", 3)
    output = tmp_path / "x.parquet"
    for kill in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder), str(output)],
            stdout=subprocess.PIPE, cwd=REPOSITORY,
        )  # fmt: skip
        for _ in range(3 + kill):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        assert not output.exists()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(output)],
        capture_output=True, check=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert int(done.stdout.split()[-1]) >= 4 * 4
    assert lists_of(output) == lists_of(tmp_path / "whole.parquet")
    assert {path.name for path in tmp_path.glob("x*")} <= {"x.parquet", "x.parquet.lock"}


def test_a_torn_journal_is_used_as_far_as_it_is_whole(build, tmp_path, monkeypatch):
    monkeypatch.setattr("simsearch.related.batch_search.BLOCK", 4)
    index = opened_index(build(many(60)).index)
    output = tmp_path / "x.csv"
    related(index, output, 3)
    whole = output.read_text()

    def stop(stage, done, total, unit):
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        related(index, output, 3, threads=1, progress=stop)
    journal = tmp_path / "x.csv.journal"
    journal.write_bytes(journal.read_bytes()[:-10])
    report = related(index, output, 3)
    assert report.n_resumed == 16
    assert output.read_text() == whole


def test_a_journal_of_another_job_is_not_used(build, tmp_path, monkeypatch):
    monkeypatch.setattr("simsearch.related.batch_search.BLOCK", 4)
    index = opened_index(build(many(60)).index)

    def stop(stage, done, total, unit):
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        related(index, tmp_path / "x.csv", 3, progress=stop)
    assert related(index, tmp_path / "x.csv", 2).n_resumed == 0


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.jsonl"])
def test_a_foreign_file_is_not_replaced(six, tmp_path, name):
    (tmp_path / name).write_text("precious,data\n")
    with pytest.raises(RelatedFileError, match="--force"):
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
    with pytest.raises(RelatedFileError, match="--force"):
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
    with pytest.raises(RelatedFileError, match="is no folder"):
        related(six, tmp_path / "missing" / "x.csv")


def test_another_ending(six, tmp_path):
    with pytest.raises(ArgumentError, match=r"\.parquet"):
        related(six, tmp_path / "x.xlsx")


def test_a_full_disk(six, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("simsearch.related.files.os.fsync", full)
    with pytest.raises(RelatedFileError, match="No space left"):
        related(six, tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


def test_no_file_is_left_but_the_output(six, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    related(six, folder / "x.csv")
    assert [path.name for path in folder.iterdir()] == ["x.csv"]


def run(*words: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "simsearch", "related", *words],
        capture_output=True, text=True, cwd=REPOSITORY, check=False, **options,
    )  # fmt: skip


def test_the_command_writes_lines_to_standard_output(six):
    done = run("NCT00000101", "-k", "2", "--index", str(six.path), "--quiet")
    lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert [each["rank"] for each in lines] == [1, 2]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("NCT00000999", "NCT00000999 is not in the index"), ("two words", "'two words' is no NCT ID")],
)
def test_a_wrong_id_in_a_file_is_told_with_its_line(six, tmp_path, wrong, said):
    (tmp_path / "ids.txt").write_text(f"NCT101\n# one more\n\n{wrong}\n")
    done = run("--ids", str(tmp_path / "ids.txt"), "--index", str(six.path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"simsearch: {tmp_path / 'ids.txt'} line 4: {said}")


def test_the_command_takes_ids_from_a_file(six, tmp_path):
    (tmp_path / "ids.txt").write_text("NCT00000101  # pills\n\nNCT00000105\n")
    done = run("--ids", str(tmp_path / "ids.txt"), "-k", "1", "--index", str(six.path))
    assert [json.loads(line)["nct_id"] for line in done.stdout.splitlines()] == [
        "NCT00000101", "NCT00000105",
    ]  # fmt: skip


def test_the_command_needs_studies_or_all(six):
    assert run("--index", str(six.path)).returncode == 2
    assert run("--all", "NCT00000101", "--index", str(six.path)).returncode == 2
    since = run("NCT00000101", "--since", "earlier.parquet", "--index", str(six.path))
    assert since.returncode == 2
    assert "--since goes with --all" in " ".join(since.stderr.split())


def test_the_command_reports_in_words(six, tmp_path):
    done = run("--all", "-o", str(tmp_path / "x.csv"), "--index", str(six.path))
    assert "6 (6 computed)" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [(("x.csv",), True), (("x.jsonl",), True), (("x.csv", "--quiet"), False),
     (("x.parquet",), False), (("x.csv", "--since", "before.parquet"), False)],
)  # fmt: skip
def test_what_is_never_carried_over_is_said_to_be_computed_anew(six, tmp_path, words, said):
    related(six, tmp_path / "before.parquet", 10)
    paths = [word if word.startswith("--") else str(tmp_path / word) for word in words]
    done = run("--all", "-o", *paths, "--index", str(six.path))
    assert done.returncode == 0
    assert done.stderr.count("always computed anew; of Parquet, or with --since") == said


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


def test_a_run_that_fails_before_its_first_block_leaves_nothing(six, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr("simsearch.related.batch_search.BlockSearch.lists", None)
    with pytest.raises(TypeError):
        related(six, folder / "x.csv")
    assert list(folder.iterdir()) == []


def test_no_study_named_is_no_list(six, tmp_path):
    report = related(six, tmp_path / "x.csv", nct_ids=[])
    assert (report.n_lists, report.n_without_text) == (0, 0)


def test_a_file_that_names_no_study_is_refused_and_the_output_stays(six, tmp_path):
    related(six, tmp_path / "x.csv", 2)
    before = (tmp_path / "x.csv").read_bytes()
    (tmp_path / "ids.txt").write_text("# none yet\n")
    done = run(
        "--ids", str(tmp_path / "ids.txt"), "-o", str(tmp_path / "x.csv"),
        "--index", str(six.path),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"simsearch: {tmp_path / 'ids.txt'}: names no study\n"
    assert (tmp_path / "x.csv").read_bytes() == before


def test_the_command_takes_ids_from_standard_input(six):
    done = run("--ids", "-", "-k", "1", "--index", str(six.path), input="NCT101\n")
    assert json.loads(done.stdout)["nct_id"] == "NCT00000101"


@pytest.mark.parametrize(
    ("redirection", "reason"),
    [
        (">/dev/full", "standard output cannot be written: No space left on device"),
        (">&-", "standard output cannot be written: it is closed"),
        ("--ids - <&-", "standard input: is closed"),
    ],
)
def test_a_stream_that_fails_is_told_in_one_line(six, redirection, reason):
    words = [sys.executable, "-m", "simsearch", "related", "--index", str(six.path), "--quiet"]
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(words)} NCT00000101 {redirection}"],
        capture_output=True, text=True, cwd=REPOSITORY, check=False,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )  # fmt: skip
    assert done.stderr == f"simsearch: {reason}\n"
    assert done.returncode == 1


def test_a_reader_who_has_had_enough_is_no_error(six):
    words = [sys.executable, "-m", "simsearch", "related", "--index", str(six.path), "--quiet"]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*words, "--all"], stdout=writer, stderr=subprocess.PIPE, cwd=REPOSITORY, check=False
        )
    finally:
        os.close(writer)
    assert done.stderr == b""


def test_a_scheduler_is_told_to_try_later(six, tmp_path):
    with output_lock(tmp_path / "x.csv"):
        done = run("--all", "-o", str(tmp_path / "x.csv"), "--index", str(six.path))
    assert done.returncode == os.EX_TEMPFAIL
    assert done.stderr.startswith(
        f"simsearch: {tmp_path / 'x.csv'} is being written by another run"
    )
    assert done.stderr.count("\n") == 1


def test_a_folder_in_the_place_of_the_lock(six, tmp_path):
    (tmp_path / "x.csv.lock").mkdir()
    with pytest.raises(RelatedFileError, match=r"x\.csv\.lock cannot be locked"):
        related(six, tmp_path / "x.csv")


def test_the_lock_of_a_killed_run_is_free(six, tmp_path):
    (tmp_path / "x.csv.lock").touch()
    related(six, tmp_path / "x.csv")
    assert not (tmp_path / "x.csv.lock").exists()


def test_lists_of_neighbours_are_counted_by_themselves(six, tmp_path):
    report = related(six, tmp_path / "x.csv", 3, nct_ids=["NCT00000101"])
    assert (report.n_lists, report.n_computed, report.n_of_neighbours) == (1, 1, 3)
    done = run("NCT101", "-k", "3", "-o", str(tmp_path / "x.csv"), "--index", str(six.path))
    assert "1 (1 computed)" in done.stdout
    assert "3 more lists" in done.stdout


def test_tables_of_a_few_rows_hold_the_same(six, tmp_path, monkeypatch):
    related(six, tmp_path / "whole.csv", 3)
    monkeypatch.setattr("simsearch.related.run._TABLE_ROWS", 4)
    monkeypatch.setattr("simsearch.related.run._COMPARED", 4)
    related(six, tmp_path / "parts.csv", 3)
    assert (tmp_path / "parts.csv").read_text() == (tmp_path / "whole.csv").read_text()
