"""The command `simsearch related`: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import msgspec
import pytest
from conftest import REPOSITORY

from simsearch.index.lock import output_lock
from simsearch.related.run import related


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
    [
        ("NCT00000999", "NCT00000999 is not in the index"),
        ("two words", "'two words' is not an NCT ID"),
    ],
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


def test_a_file_that_holds_something_else_is_refused_with_the_option_that_replaces_it(
    six, tmp_path
):
    (tmp_path / "x.csv").write_text("precious,data\n")
    words = ("--all", "-o", str(tmp_path / "x.csv"), "--index", str(six.path))
    done = run(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(
        "x.csv holds something other than related lists; give --force to replace it\n"
    )
    assert run(*words, "--force").returncode == 0


def test_the_command_reports_in_words(six, tmp_path):
    done = run("--all", "-o", str(tmp_path / "x.csv"), "--index", str(six.path))
    assert "6 (6 computed)" in done.stdout
    assert done.returncode == 0


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


def test_lists_of_neighbours_are_counted_by_themselves(six, tmp_path):
    report = related(six, tmp_path / "x.csv", 3, nct_ids=["NCT00000101"])
    assert (report.n_lists, report.n_computed, report.n_of_neighbours) == (1, 1, 3)
    done = run("NCT101", "-k", "3", "-o", str(tmp_path / "x.csv"), "--index", str(six.path))
    assert "1 (1 computed)" in done.stdout
    assert "the lists of 3 neighbours" in done.stdout


def test_no_list_is_written_into_an_index(six):
    done = run("NCT101", "-o", str(six.path / "lists.csv"), "--index", str(six.path))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"lies in the index {six.path}" in done.stderr
    assert not (six.path / "lists.csv").exists()
