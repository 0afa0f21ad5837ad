"""How commands end: with which code, and quietly where nobody reads on."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys

import pytest
from conftest import REPOSITORY, SIX, WordEncoder

from simsearch import build_index, read_studies
from simsearch.cli import main as cli
from simsearch.index.lock import write_lock

LOG = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T.*")

USED_WRONGLY = [
    "nosuch", "query", "query two", "query NCT0000010Z", "query NCT101 --nosuch",
    "query NCT101 -k 0", "query NCT101 -k many", "query NCT101 --status nonsense",
    "query NCT101 --start-after yesterday", "query NCT101 --weight nope=1",
    "query NCT101 --diverse 3", "query NCT101 --near Nowhereville", "query NCT101 --radius 5",
    "query NCT101 --text=", "query NCT101 -o nodir/x.csv", "query NCT101 -o x.pdf",
    "query NCT101 -o folder", "query NCT101 -f pdf", "query NCT101 --not NCT101",
    "show", "show two", "compare", "related", "related --all -o x.pdf", "diff --watch two",
    "diff --status recruiting", "diff --watch-text=", "rebuild x --details some",
    "rebuild x --engine dask", "rebuild --mirror missing", "fetch", "fetch --all --condition x",
    "review keep mine two", "review report mine -o x.pdf", "evaluate --system nope",
    "serve --port 99999", "export parquet", "index prune", "index prune --keep 0",
    "cache prune", "cache prune --older-than never",
]  # fmt: skip

IN_ERROR = [
    "query NCT00000999", "query 2020-001154-22", "query NCT101 -i missing", "query NCT101 -i empty",
    "query NCT101 -i folder", "query --ids missing", "query --ids folder", "query --ids empty",
    "query --file missing", "query --file folder", "query --file empty", "query --file other.json",
    "query NCT101 --exclude missing.csv", "show NCT00000999", "compare NCT101 --with missing.csv",
    "related --ids missing", "related NCT00000999", "rebuild missing", "rebuild empty",
    "rebuild folder", "rebuild other.json", "rebuild records.jsonl -i empty", "fetch --ids missing",
    "update --mirror new.sqlite", "info -i missing", "diff 1999", "diff --watch-list missing",
    "diff --watch-file other.json", "review next missing", "review new mine --included NCT101",
    "review import mine missing", "review import mine empty", "evaluate --groups missing",
    "evaluate --groups empty", "evaluate --qrels missing", "serve -i missing", "mcp -i missing",
    "export parquet -o empty", "index list -i missing", "index verify 1999", "index rollback 1999",
    "cache info --cache folder", "cache info --cache other.json",
    "cache prune --older-than 1 --cache folder",
]  # fmt: skip

PIPED = [
    "--help", "--version", "query --help", "index list --help",
    "query NCT00000101", "query NCT00000101 -k 200 -f json", "show NCT00000101",
    "show NCT00000101 -f html", "compare NCT00000101 --no-groups", "related --all",
    "related NCT00000101 -f csv", "diff", "diff -f json", "diff --watch NCT00000101",
    "info", "info -f json", "index list", "index verify", "cache info", "review next mine",
    "review status mine", "review report mine", "review export mine -f csv", "mcp --config",
]  # fmt: skip


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A folder with an index of two generations in `index/`, and a review; its environment."""
    folder = tmp_path_factory.mktemp("exits")
    records = folder / "records.jsonl"
    for studies in (SIX, SIX[:5]):
        records.write_text("".join(json.dumps(each) + "\n" for each in studies))
        build_index(read_studies(records), folder / "index", WordEncoder(), allow_shrink=True)
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    environment = {**kept, "PYTHONPATH": str(REPOSITORY), "HOME": str(folder)}
    begin = ["review", "new", "mine", "--included", "NCT00000101"]
    subprocess.run(
        [sys.executable, "-m", "simsearch", *begin], check=True, capture_output=True, cwd=folder,
        env=environment,
    )  # fmt: skip
    (folder / "folder").mkdir()
    (folder / "empty").touch()
    (folder / "other.json").write_text('{"a": 1}')
    return folder, environment


@pytest.fixture
def ended(world, monkeypatch, capsys):
    """Run a command in-process; return its exit code, what it printed, and its errors."""
    folder, _ = world
    monkeypatch.chdir(folder)
    monkeypatch.delenv("SIMSEARCH_INDEX", raising=False)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))

    def _ended(words):
        monkeypatch.setattr(sys, "argv", ["simsearch", *words.split()])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        return caught.value.code, out, [line for line in err.splitlines() if not LOG.match(line)]

    return _ended


@pytest.mark.parametrize(
    ("words", "code"), [(w, 2) for w in USED_WRONGLY] + [(w, 1) for w in IN_ERROR]
)
def test_wrong_usage_is_2_and_what_is_not_there_is_1(ended, words, code):
    found, out, errors = ended(words)
    assert (found, out, len(errors)) == (code, "", 1)
    assert errors[0].startswith("simsearch: ")


def test_another_process_that_writes_is_75(world, ended):
    folder, _ = world
    with write_lock(folder / "index"):
        code, _, errors = ended("index prune --keep 1")
    assert code == 75
    assert "try again later" in errors[0]


@pytest.mark.parametrize("words", PIPED)
def test_a_reader_who_has_had_enough_is_no_error(world, words):
    """As `head -1` is; here the pipe is closed before anything is written."""
    folder, environment = world
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "simsearch", *words.split()], stdout=writing,
        stderr=subprocess.PIPE, text=True, check=False, timeout=120, cwd=folder, env=environment,
    )  # fmt: skip
    os.close(writing)
    assert [line for line in done.stderr.splitlines() if not LOG.match(line)] == []
    assert done.returncode == 0


def test_a_diff_says_by_its_code_that_something_changed_whoever_reads_it(world):
    folder, environment = world
    words = f"{sys.executable} -m simsearch diff --exit-code | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", words], capture_output=True, check=False, timeout=120, cwd=folder,
        env=environment,
    )  # fmt: skip
    assert done.returncode == 4
