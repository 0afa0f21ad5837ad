"""Measure the speed, memory and exactness that the documentation reports.

    python tests/benchmarks/spine.py RECORDS [--index DIR] [--seed 0]

RECORDS are registry records (several thousand studies at least). With --index, an index already
built of them is queried; otherwise one is built of a sample. Ratios are of one run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import json
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import simsearch
from simsearch import Index, Study, build_index, load_encoder, open_index, read_studies
from simsearch.encode.fields import whole_text
from simsearch.index.opened import opened_index

RATE_TEXTS = 768
BUILD_STUDIES = 1500
QUERIES = 1000
ROUNDS = 7


class TimedEncoder:
    """An encoder that measures how long it encodes."""

    def __init__(self, encoder) -> None:
        self._encoder = encoder
        self.seconds = 0.0

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        began = time.perf_counter()
        rows = self._encoder.encode(texts)
        self.seconds += time.perf_counter() - began
        return rows


class Listed:
    """A reader of records that gives studies in memory."""

    bytes_read = bytes_total = 0
    source_files = ()

    def __init__(self, studies: Sequence[Study]) -> None:
        self._studies = studies

    def check(self):
        """Nothing can be wrong with them."""

    def __iter__(self):
        return iter(self._studies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records")
    parser.add_argument("--index", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip-encoding", action="store_true")
    options = parser.parse_args()
    if options.skip_encoding and not options.index:
        parser.error("--skip-encoding needs --index")
    print(f"{machine()}, seed {options.seed}")
    rng = random.Random(options.seed)
    if options.records.endswith(".jsonl.gz"):
        reading(options.records)
    if not options.skip_encoding:
        studies = [each for each in read_studies(options.records) if isinstance(each, Study)]
        precisions(rng.sample(studies, min(RATE_TEXTS, len(studies))))
        folder = Path(tempfile.mkdtemp(), "index")
        whole_build(rng.sample(studies, min(BUILD_STUDIES, len(studies))), folder)
        del studies
    index = options.index or folder
    cold(index)
    warm(index, rng)
    exact(index, rng)


def reading(path: str) -> None:
    """Compare reading records with json.loads alone on the same lines, in turns."""

    def plain() -> None:
        with gzip.open(path, "rb") as lines:
            for line in lines:
                json.loads(line)

    def ours() -> None:
        for _ in read_studies(path):
            pass

    times = [(timed(plain), timed(ours)) for _ in range(ROUNDS)]
    alone, whole = np.median(times, axis=0)
    print(f"reading {path}: {whole:.2f} s; json.loads on its lines {alone:.2f} s: ratio "
          f"{whole / alone:.2f}")  # fmt: skip


def precisions(studies: Sequence[Study]) -> None:
    """Compare the rates of the two precisions, taken in turns, and their vectors."""
    texts = sorted((whole_text(study) for study in studies), key=len)
    encoders = {name: load_encoder(precision=name) for name in ("float32", "bfloat16")}
    seconds: dict[str, list[float]] = {name: [] for name in encoders}
    for encoder in encoders.values():
        encoder.encode(texts[:64])  # warm up
    for _ in range(3):
        for name, encoder in encoders.items():
            seconds[name].append(timed(lambda encoder=encoder: encoder.encode(texts)))
    full, half = (encoder.encode(texts) for encoder in encoders.values())
    rate = {name: len(texts) / float(np.median(values)) for name, values in seconds.items()}
    print(f"encoding, {len(texts)} whole texts: float32 {rate['float32']:.0f} a second, "
          f"bfloat16 {rate['bfloat16']:.0f}: ratio {rate['bfloat16'] / rate['float32']:.2f}; "
          f"least cosine {(full * half).sum(axis=1).min():.5f}")  # fmt: skip
    overlap = np.mean([len(ten(full, n) & ten(half, n)) / 10 for n in range(len(texts))])
    print(f"ten nearest of each in both precisions: {overlap:.1%} the same")


def ten(rows: np.ndarray, n: int) -> set[int]:
    """Return the ten rows nearest to row n, excluding itself."""
    values = rows @ rows[n]
    values[n] = -9
    return set(np.argsort(-values, kind="stable")[:10].tolist())


def whole_build(studies: Sequence[Study], folder: Path) -> None:
    """Compare the time of a whole build with the time in the encoder."""
    encoder = TimedEncoder(load_encoder())
    seconds = timed(lambda: build_index(Listed(studies), folder, encoder))
    print(f"build of {len(studies):,} studies: {seconds:.1f} s, {encoder.seconds:.1f} s of them in "
          f"the encoder: ratio {seconds / encoder.seconds:.3f}; peak memory "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")  # fmt: skip


def cold(index: Path) -> None:
    """Compare a query as a new process with importing the libraries alone, in turns."""
    bare = [sys.executable, "-c", "import faiss, typer, rich"]
    with opened_index(index) as opened:
        nct_id = opened.store.nct_ids()[0]
    query = [sys.executable, "-m", "simsearch", "query", nct_id, "--index", str(index)]
    times = {"bare": [], "query": []}
    for _ in range(ROUNDS):
        for name, command in (("bare", bare), ("query", query)):
            run = lambda command=command: subprocess.run(command, check=True, capture_output=True)  # noqa: E731
            times[name].append(timed(run))
    bare_seconds, query_seconds = (float(np.median(values)) for values in times.values())
    print(f"query as a new process: {query_seconds:.2f} s; import faiss, typer, rich "
          f"{bare_seconds:.2f} s: ratio {query_seconds / bare_seconds:.2f}")  # fmt: skip


def warm(folder: Path, rng: random.Random) -> None:
    """Measure queries in one process, without the reasons of the neighbours."""
    with opened_index(folder) as opened:
        ids = opened.store.nct_ids()
    queries = rng.choices(ids, k=QUERIES)
    with open_index(folder) as index:
        ask(index, ids[0])
        seconds = [timed(lambda nct_id=nct_id: ask(index, nct_id)) for nct_id in queries]
        median, high = np.percentile(seconds, [50, 99]) * 1000
        print(f"{QUERIES:,} random queries of {len(index):,} studies, warm: median {median:.1f} "
              f"ms, 99th percentile {high:.1f} ms")  # fmt: skip


def ask(index: Index, nct_id: str) -> None:
    index.related(nct_id, explain=False)


def exact(folder: Path, rng: random.Random) -> None:
    """Compare FAISS with brute force in numpy."""
    index = opened_index(folder)
    n = index.n_studies
    rows = np.asarray(index.rows("text", np.arange(n)), dtype=np.float32)
    sample = rng.sample(range(n), min(QUERIES, n))
    same = 0
    furthest = 0.0
    for start in range(0, len(sample), 50):
        part = sample[start : start + 50]
        cosines = rows[part] @ rows.T
        for at, row in enumerate(part):
            numbers, values = index.text.nearest(index.vectors(row)["text"], 10)
            brute = cosines[at]
            furthest = max(furthest, float(np.abs(values - np.sort(brute)[::-1][:10]).max()))
            same += set(numbers) == set(np.argsort(-brute, kind="stable")[:10])
    print(f"FAISS against numpy, {len(sample):,} random studies: the same ten for {same:,}, values "
          f"within {furthest:.1e}")  # fmt: skip


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def machine() -> str:
    """Return the date, the processor and the versions of what is measured."""
    versions = f"Python {platform.python_version()}, simsearch {simsearch.__version__}"
    return f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {processor()}, {versions}"


def processor() -> str:
    names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]  # fmt: skip
    return f"{len(names)} cores of {names[0]}"


if __name__ == "__main__":
    main()
