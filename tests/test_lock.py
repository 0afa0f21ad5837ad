"""One process writes, any number read: with real second processes."""

import math
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from asking import similar_to_study

from simsearch import build_index, read_studies
from simsearch.cli.hints import line_of
from simsearch.cli.main import main
from simsearch.errors import (
    ApiError,
    ArgumentError,
    BuildError,
    FetchError,
    FilterError,
    GuardError,
    IndexBusyError,
    NctIdError,
    NoAnswerError,
    RejectedRecordsError,
    SimsearchError,
    UnknownStudyError,
)
from simsearch.index import generations
from simsearch.index.directory import pointed
from simsearch.index.generations import generation_names, new_generation, prune, roll_back
from simsearch.index.lock import wait_until_free, write_lock
from simsearch.index.opened import opened_index

HOLDER = """
import sys, time
from pathlib import Path
from simsearch.index.lock import write_lock
with write_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""

READER = """
import sys
sys.path.insert(0, sys.argv[2])
from asking import similar_to_studies, similar_to_study, similar_to_text
from conftest import WordEncoder
from simsearch import Filters
from simsearch.index.opened import opened_index
index = opened_index(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
print([each.study.nct_id for each in similar_to_study(index, "NCT101", 3)])
print([each.study.nct_id for each in similar_to_studies(index, ["NCT105"], unlike=["NCT106"])])
print([each.study.nct_id for each in similar_to_text(index, "iron pills", WordEncoder(), 2)])
recruiting = Filters(status=("RECRUITING",))
print([each.study.title for each in similar_to_study(index, "NCT101", filters=recruiting)])
print(index.study("NCT901").title, len(index.store.nct_ids()), index.store.integrity())
"""


def started(script: str, *words: object) -> subprocess.Popen:
    """Start a process and wait for its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


@pytest.fixture
def index(build) -> Path:
    return build().index


@pytest.fixture
def holder(index):
    """A second process that holds the lock until it gets a line, or is killed."""
    process = started(HOLDER, index)
    yield process
    if process.poll() is None:
        process.communicate("\n")


def end(process: subprocess.Popen, number: int = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.communicate()


def test_a_second_writer_is_refused_with_the_process_that_holds_the_lock(
    index, holder, write, encoder
):
    message = (
        rf"is being written by process {holder.pid} of \S+ on {socket.gethostname()} "
        r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$"
    )
    with pytest.raises(IndexBusyError, match=message) as caught:
        build_index(read_studies(write()), index, encoder)
    assert re.search(r" UTC: try again later, or .* --wait", line_of(caught.value))
    for act in (roll_back, lambda path: prune(path, 1)):
        with pytest.raises(IndexBusyError, match=str(holder.pid)):
            act(index)
    assert opened_index(index).n_studies == 6


def test_the_lock_of_a_killed_process_is_free_and_it_is_not_named_any_more(index, holder):
    end(holder)
    assert (index / ".lock.owner").is_file()
    wait_until_free(index, 0)
    left = (index / ".lock.owner").read_bytes()
    with write_lock(index):
        (index / ".lock.owner").write_bytes(left)  # as if the new holder had not come so far
        with pytest.raises(IndexBusyError, match=r"by another process$") as caught:
            wait_until_free(index, 0)
    assert caught.value.owner == ""
    assert not (index / ".lock.owner").exists()


@pytest.mark.parametrize("text", [b"", b"process 7 since yesterday", b'{"process": "x"}'])
def test_an_owner_file_of_another_form_is_ignored(index, text):
    with write_lock(index):
        (index / ".lock.owner").write_bytes(text)
        with pytest.raises(IndexBusyError, match="by another process"):
            wait_until_free(index, 0)


def test_the_owner_on_another_host_is_believed(index):
    """On a shared disk: whether that process is alive cannot be known here."""
    with write_lock(index):
        owner = {"process": 2**22, "host": "elsewhere", "user": "ann", "since": "noon"}
        (index / ".lock.owner").write_bytes(msgspec.json.encode(owner))
        with pytest.raises(IndexBusyError, match="process 4194304 of ann on elsewhere since noon"):
            wait_until_free(index, 0)


def test_a_writer_waits_until_the_other_is_done_and_says_so_once(index, holder, write, encoder):
    said = []

    def say(line: str) -> None:
        said.append(line)
        end(holder)

    report = build_index(read_studies(write()), index, encoder, wait=60, say=say)
    assert report.generation in generation_names(index)
    [line] = said
    assert line.startswith(f"waiting for process {holder.pid} of ")
    assert line.endswith(f"which is writing {index} (60 s at most)")


def test_waiting_ends_when_the_time_is_over(index, holder):
    said = []
    with (
        pytest.raises(IndexBusyError, match=str(holder.pid)),
        new_generation(index, wait=0.1, say=said.append),
    ):
        pass
    assert len(said) == 1


def test_nobody_is_waited_for_where_nothing_was_built(tmp_path):
    wait_until_free(tmp_path / "missing", 0)
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize(
    ("words", "name", "wait"),
    [
        (["--wait"], "", math.inf),
        (["--wait", "30", "a"], "a", 30),
        (["--wait", "1.5"], "", 1.5),
        (["--wait", "a"], "a", math.inf),
        (["--wait", "--quiet"], "", math.inf),
        (["--wait=5"], "", 5),
    ],
)
def test_the_seconds_of_wait_may_be_left_out(index, monkeypatch, words, name, wait):
    asked = []

    def roll_back(path, name, *, wait, **_):
        asked.append((name, wait))
        return pointed(path)

    monkeypatch.setattr(generations, "roll_back", roll_back)
    command = ["simsearch", "index", "rollback", "--index", str(index)]
    monkeypatch.setattr(sys, "argv", [*command, *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert asked == [(name, wait)]


def test_the_command_waits_or_is_turned_away_before_it_loads_a_model(index, holder, write):
    words = [sys.executable, "-m", "simsearch", "rebuild", str(write()), "--index", str(index)]
    for more in ([], ["--wait", "0.2"]):
        done = subprocess.run(
            [*words, *more, "--model", "/no/such/model"],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 75
        *said, error = done.stderr.splitlines()
        assert f"written by process {holder.pid}" in error
        first, *waits = said
        assert " builds " in first
        assert len(waits) == bool(more)


def test_open_readers_go_on_when_their_generation_is_replaced_and_pruned(build):
    """A real second process opens; two builds that keep one take every file away."""
    from conftest import SIX

    report = build()
    pruned = report.index / "generations" / report.generation
    reader = started(READER, report.index, Path(__file__).parent)
    asked = similar_to_study(opened_index(report.index), "NCT101", 3)
    build(SIX[2:], keep=1, allow_shrink=True, allow_moved=True)
    assert not pruned.exists()
    out, _ = reader.communicate("\n")
    assert reader.returncode == 0
    lines = out.splitlines()
    assert lines[0] == str([each.study.nct_id for each in asked])
    assert "NCT00000102" in lines[1]
    assert lines[2].startswith("['NCT00000104', ")
    assert lines[3] == "['Marrow for aplasia in children']"
    assert lines[4] == "Drops for aplasia 6 ok"


def test_errors_say_with_which_code_a_scheduler_ends():
    codes = {kind: kind.exit_code for kind in (
        SimsearchError, BuildError, ApiError, GuardError, IndexBusyError, NoAnswerError, FetchError,
        ArgumentError, FilterError, NctIdError, UnknownStudyError, RejectedRecordsError,
    )}  # fmt: skip
    assert codes == {
        SimsearchError: 1, BuildError: 1, ApiError: 1, GuardError: 3, RejectedRecordsError: 3,
        ArgumentError: 2, FilterError: 2, NctIdError: 2, UnknownStudyError: 1,
        IndexBusyError: os.EX_TEMPFAIL, NoAnswerError: os.EX_TEMPFAIL, FetchError: os.EX_TEMPFAIL,
    }  # fmt: skip
