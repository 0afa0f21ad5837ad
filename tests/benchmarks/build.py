"""Time and memory of a first build, of one over the same records, and of one with changes.

    python tests/benchmarks/build.py RECORDS --into FOLDER [--changed 100]

Each is a process of its own, the model's loading included, as a nightly job runs it. Ratios are
of one run, to the first build. With --into a folder that holds a cache already, the first
build is not measured.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer


def main(
    records: Annotated[Path, typer.Argument(help="Registry records, JSON Lines in gzip.")],
    into: Annotated[Path, typer.Option(help="An empty folder for index and cache.")],
    changed: Annotated[int, typer.Option(help="How many records to change.")] = 100,
) -> None:
    """Print the figures."""
    into.mkdir(parents=True, exist_ok=True)
    altered = into / "changed.jsonl.gz"
    write_changed(records, altered, changed)
    first = built("first", records, into)
    for name, source, *options in (
        ("same records again", records),
        (f"{changed} changed", altered, "--keep-fit"),
    ):
        again = built(name, source, into, *options)
        print(f"  {again / first:.1%} of the first", flush=True)


def built(name: str, records: Path, into: Path, *options: str) -> float:
    """Build in a process of its own; print and return its seconds."""
    words = [sys.executable, "-m", "simsearch", "rebuild", str(records), "--json-summary"]
    began = time.perf_counter()
    done = subprocess.run(
        [*words, "--index", str(into / "index"), "--cache", str(into / "cache.sqlite"), *options],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    report = json.loads(done.stdout)["build"]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    encoded = report["n_distinct"] - report["n_cached"]
    stages = ", ".join(f"{stage} {taken:.1f} s" for stage, taken in report["seconds"].items())
    print(
        f"{name}: {seconds:.1f} s ({stages}); {report['n_studies']:,} studies, "
        f"{encoded:,} texts encoded, {encoded / report['seconds']['encoding']:.1f} a second; "
        f"peak memory of the builds so far {peak:.2f} GB",
        flush=True,
    )
    return seconds


def write_changed(records: Path, altered: Path, n: int) -> None:
    """Write the records again, with a word more in the summaries of n of them."""
    with gzip.open(records, "rt", encoding="utf-8") as lines, gzip.open(altered, "wt") as out:
        every = max(1, sum(1 for _ in lines) // n)
        lines.seek(0)
        for number, line in enumerate(lines):
            record = json.loads(line)
            if number % every == 0 and number // every < n:
                description = record["protocolSection"].setdefault("descriptionModule", {})
                description["briefSummary"] = f"{description.get('briefSummary', '')} Amended."
            out.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    typer.run(main)
