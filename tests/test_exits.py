"""How commands end: with which code, and quietly where nobody reads on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import REPOSITORY, SIX, WordEncoder

from simsearch import build_index, read_studies

LOG = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T.*")

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
    return folder, environment


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
