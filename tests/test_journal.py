"""A run that was killed is resumed from its journal, with the same result."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import REPOSITORY
from test_batch_search import many

from simsearch.errors import RelatedFileError
from simsearch.index.opened import opened_index
from simsearch.related.batch_search import BatchSearch
from simsearch.related.run import related

SCRIPT = """
import sys, time
from pathlib import Path
import simsearch.related.batch_search as b
from simsearch.index.opened import opened_index
from simsearch.related.run import related
b.BATCH = 4
index = opened_index(sys.argv[1])
def say(stage, done, total, unit):
    print(done, flush=True)
    time.sleep(0.02)
output = Path(sys.argv[2])
print(related(index, output, 3, threads=1, progress=say).n_resumed)
"""


def lists_of(path: Path) -> dict[str, list[tuple[str, float]]]:
    frame = pd.read_parquet(path)
    return {
        nct_id: list(zip(part.neighbour_id, part.similarity, strict=True))
        for nct_id, part in frame.groupby("nct_id")
    }


def stopped(index, output: Path, after: int) -> None:
    """Interrupt a run when it has written this many lists to its journal."""

    def stop(stage, done, total, unit):
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        related(index, output, 3, threads=1, progress=stop)


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
    monkeypatch.setattr("simsearch.related.batch_search.BATCH", 4)
    index = opened_index(build(many(60)).index)
    output = tmp_path / "x.csv"
    related(index, output, 3)
    whole = output.read_text()

    stopped(index, output, after=20)
    journal = tmp_path / "x.csv.journal"
    journal.write_bytes(journal.read_bytes()[:-10])
    report = related(index, output, 3)
    assert report.n_resumed == 16
    assert output.read_text() == whole


def test_a_journal_of_another_job_is_not_used(build, tmp_path, monkeypatch):
    monkeypatch.setattr("simsearch.related.batch_search.BATCH", 4)
    index = opened_index(build(many(60)).index)
    stopped(index, tmp_path / "x.csv", after=20)
    assert related(index, tmp_path / "x.csv", 2).n_resumed == 0


def test_a_run_that_fails_before_its_first_batch_leaves_nothing(six, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr("simsearch.related.batch_search.BatchSearch.lists", None)
    with pytest.raises(TypeError):
        related(six, folder / "x.csv")
    assert list(folder.iterdir()) == []


def test_a_file_that_is_not_a_journal_is_not_touched(six, tmp_path):
    (tmp_path / "x.csv.journal").write_text("a diary\n")
    with pytest.raises(RelatedFileError, match="is not a journal"):
        related(six, tmp_path / "x.csv")
    assert (tmp_path / "x.csv.journal").read_text() == "a diary\n"


@pytest.mark.parametrize("line", [b"1 {}\n", b"3 {}\n", b"2 {}\n"])
def test_a_journal_of_another_version_or_job_is_discarded(six, tmp_path, line):
    (tmp_path / "x.csv.journal").write_bytes(b"simsearch related journal " + line + b"frames")
    report = related(six, tmp_path / "x.csv")
    assert (report.n_computed, report.n_resumed) == (6, 0)
    assert not (tmp_path / "x.csv.journal").exists()


def test_a_damaged_batch_ends_what_is_resumed(build, tmp_path, monkeypatch):
    monkeypatch.setattr("simsearch.related.batch_search.BATCH", 4)
    index = opened_index(build(many(60)).index)
    related(index, tmp_path / "whole.csv", 3)
    stopped(index, tmp_path / "x.csv", after=20)
    journal = tmp_path / "x.csv.journal"
    body = bytearray(journal.read_bytes())
    frame = (len(body) - body.index(b"\n") - 1) // 5
    body[-2 * frame + 20] ^= 1  # of the last but one
    journal.write_bytes(body)
    assert related(index, tmp_path / "x.csv", 3).n_resumed == 12
    assert (tmp_path / "x.csv").read_text() == (tmp_path / "whole.csv").read_text()


def test_an_interrupt_cancels_the_batches_that_have_not_begun(build, tmp_path, monkeypatch):
    monkeypatch.setattr("simsearch.related.batch_search.BATCH", 4)
    index = opened_index(build(many(200)).index)
    computed = []
    lists = BatchSearch.lists

    def counted(search, rows):
        time.sleep(0.01)
        computed.append(rows)
        return lists(search, rows)

    monkeypatch.setattr(BatchSearch, "lists", counted)
    stopped(index, tmp_path / "x.csv", after=20)
    assert len(computed) < 200 // 4
