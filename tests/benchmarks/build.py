"""Measure a first build, one of the same records, and one of records with some changes.

    python tests/benchmarks/build.py RECORDS --into FOLDER [--changed 100]

Each build is a process of its own, including the loading of the model, like a nightly job. Ratios
are to the first build of the same run. FOLDER must be empty: if it has a cache already, the first
build encodes nothing.
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
from spine import machine


def main(
    records: Annotated[Path, typer.Argument(help="Registry records, JSON Lines in gzip.")],
    into: Annotated[Path, typer.Option(help="An empty folder for index and cache.")],
    changed: Annotated[int, typer.Option(help="How many records to change.")] = 100,
) -> None:
    """Print time, memory and ratios of three builds."""
    print(machine())
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
    """Build in a process of its own; print its figures and return its seconds."""
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
    """Write a copy of the records in which the summaries of n have one more word."""
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
