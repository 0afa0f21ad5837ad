"""A build killed at any moment leaves the current index, and the next build succeeds."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from asking import similar_to_study
from conftest import WordEncoder, record

from simsearch import build_index, read_studies
from simsearch.index.directory import verify_checksums
from simsearch.index.opened import opened_index
from simsearch.index.verify import verify_index

KILLS = 10
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from conftest import WordEncoder
from simsearch import build_index, read_studies
reader = read_studies(sys.argv[2])
print("ready", flush=True)
build_index(reader, sys.argv[3], WordEncoder(), allow_moved=True)
"""


def start(records: Path, index: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(records), str(index)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_killed_at_random_moments(tmp_path, write):
    words = ["anemia", "iron", "marrow", "pills", "adults"]
    rng = random.Random(5)
    old = [record(f"NCT{n:08}", " ".join(rng.choices(words, k=9))) for n in range(1, 1500)]
    new = [record(f"NCT{n:08}", " ".join(rng.choices(words, k=9))) for n in range(1, 3000)]
    index = tmp_path / "index"
    build_index(read_studies(write(old)), index, WordEncoder())
    records = write(new, "new.jsonl")
    whole = start(records, tmp_path / "undisturbed")
    began = time.monotonic()
    assert whole.wait() == 0
    seconds = time.monotonic() - began

    killed = 0
    for kill in range(KILLS):
        process = start(records, index)
        # Spread over the whole run: the last kills occur during publishing.
        time.sleep(seconds * (kill + rng.random()) / KILLS)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert process.stdout is not None
        process.stdout.close()
        opened = opened_index(index)
        verify_checksums(opened.generation)
        assert len(similar_to_study(opened, "NCT00000007")) == 10
    assert killed >= KILLS // 2  # the other runs had just ended
    assert whole.stdout is not None
    whole.stdout.close()

    report = build_index(read_studies(records), index, WordEncoder(), allow_moved=True)
    verify_index(opened_index(index))
    generations = {path.name for path in (index / "generations").iterdir()}
    assert len(generations) == 2  # the new one and the one before, without leftovers
    assert report.generation in generations
    same = tmp_path / "undisturbed"
    for nct_id in ("NCT00000007", "NCT00002500"):
        assert similar_to_study(opened_index(index), nct_id) == similar_to_study(
            opened_index(same), nct_id
        )
