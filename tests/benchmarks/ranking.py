"""Time of a query, and agreement of its two stages with exhaustive scoring.

    python tests/benchmarks/ranking.py --index DIR
    python tests/benchmarks/ranking.py --index DIR --copies 13 --into FOLDER

With --copies, also the time on an index many times as large. It repeats the studies of the first
one under new NCT IDs, with the words of their summaries shuffled and noise in their vectors.
Ratios compare with FAISS searching only the whole texts, in the same run.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import typer
from spine import machine

from simsearch import Index, Study, build_index, open_index
from simsearch.encode.fields import FIELDS
from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.search.nearest import exhaustive
from simsearch.search.query_parts import study_part
from simsearch.vectors import by_similarity, unit_rows

FILTERS = {"status": ("recruiting", "completed"), "phase": ("2", "3")}
SEED = 0
NOISE = 0.02  # standard deviation in each dimension of a unit row


def main(
    index: Annotated[Path, typer.Option(help="An index of real studies.")],
    copies: Annotated[int, typer.Option(help="How many times to repeat it.")] = 0,
    into: Annotated[Path | None, typer.Option(help="Folder for the larger index.")] = None,
    queries: Annotated[int, typer.Option(help="Random query studies.")] = 1000,
) -> None:
    """Print the figures."""
    print(f"{machine()}, seed {SEED}")
    measure(index, queries, agreement=True)
    if copies and into:
        with opened_index(index) as opened:
            started = time.perf_counter()
            report = build_index(Repeated(opened, copies), into, Noisy(opened))
            print(f"built {report.n_studies:,} in {time.perf_counter() - started:.0f} s")
    if into:
        measure(into, min(queries, 200), agreement=False)


def measure(folder: Path, n_queries: int, *, agreement: bool) -> None:
    """Print the times of random queries on an index, and whether its two stages agree."""
    with open_index(folder) as index, opened_index(folder) as opened:
        rows = np.random.default_rng(SEED).choice(len(index), n_queries, replace=False)
        ids = [study.nct_id for study in opened.store.studies(rows.tolist()) if study.title]
        print_times(index, opened, ids)
        if agreement:
            overlaps = [_overlap(index, opened, nct_id) for nct_id in ids]
            print(f"  queries find {statistics.mean(overlaps):.4f} of the exhaustive ten best")


def print_times(index: Index, opened: OpenedIndex, ids: Sequence[str]) -> None:
    """Print the median time of each way to query for these studies, taken in turns."""
    named: dict[str, Callable[[str], object]] = {
        "FAISS alone, 10 nearest": lambda nct_id: _faiss(opened, nct_id, 10),
        "FAISS alone, 200 nearest": lambda nct_id: _faiss(opened, nct_id, 200),
        "query": lambda nct_id: index.related(nct_id, explain=False),
        "query, filtered and explained": lambda nct_id: index.related(nct_id, **FILTERS),
    }
    times: dict[str, list[float]] = {name: [] for name in named}
    for nct_id in ids:
        for name, ask in named.items():
            started = time.perf_counter()
            ask(nct_id)
            times[name].append(time.perf_counter() - started)
    base = statistics.median(times["FAISS alone, 10 nearest"])
    print(f"{len(index):,} studies, {len(ids):,} queries")
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"  {name:32} median {1e3 * median:6.2f} ms, {median / base:.2f} times FAISS alone")


class Repeated:
    """A reader of records that gives every study of an index several times over."""

    bytes_read = bytes_total = 0
    source_files = ()

    def __init__(self, index: OpenedIndex, copies: int) -> None:
        self._index = index
        self._copies = copies
        self.bytes_total = index.n_studies * copies

    def check(self) -> None:
        """Nothing can be wrong with an index that is open."""

    def __iter__(self) -> Iterator[Study]:
        generator = random.Random(SEED)
        n = self._index.n_studies
        for copy in range(self._copies):
            for start in range(0, n, 1000):
                rows = range(start, min(start + 1000, n))
                for row, study in zip(rows, self._index.store.studies(rows), strict=True):
                    words = study.summary.split()
                    generator.shuffle(words)
                    self.bytes_read += 1
                    yield msgspec.structs.replace(
                        study,
                        nct_id=f"NCT{10_000_000 + copy * n + row:08}",
                        aliases=(),
                        title=f"{study.title} r{row}c{copy}",
                        summary=" ".join(words),
                    )


class Noisy:
    """An encoder that gives a repeated study the vectors of its original, with noise."""

    precision = "float32"

    def __init__(self, index: OpenedIndex) -> None:
        recipe = index.generation.manifest.recipe
        self.name, self.fingerprint = "noisy", f"noisy {recipe.fingerprint}"
        self.dimension, self.max_tokens = recipe.dimension, recipe.max_tokens
        self._index = index
        self._random = np.random.default_rng(SEED)
        self._short: dict[str, int] = {}
        for start in range(0, index.n_studies, 1000):
            rows = range(start, min(start + 1000, index.n_studies))
            for row, study in zip(rows, index.store.studies(rows), strict=True):
                for field in ("conditions", "interventions"):
                    self._short.setdefault(f"{field} {FIELDS[field](study)}", row)

    def count_tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Return an estimate."""
        return np.array([len(text) // 5 for text in texts], dtype=np.int64)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the rows of the originals, with noise for whole texts."""
        return unit_rows([self._row(text) for text in texts])

    def _row(self, text: str) -> np.ndarray:
        for field in ("conditions", "interventions"):
            if (row := self._short.get(f"{field} {text}")) is not None:
                return self._index.rows(field, np.array([row]))[0].astype(np.float32)
        marks = [word for word in text.split() if word.startswith("r") and "c" in word]
        mark = next(word for word in marks if word.strip(".?!:;r").replace("c", "").isdigit())
        row = int(mark[1:].split("c")[0])
        vector = self._index.rows("text", np.array([row]))[0]
        return vector + self._random.normal(0, NOISE, len(vector)).astype(np.float32)


def _faiss(index: OpenedIndex, nct_id: str, k: int) -> None:
    index.text.nearest(index.vectors(index.row_of(nct_id))["text"], k)


def _overlap(index: Index, opened: OpenedIndex, nct_id: str) -> float:
    """Return the share of the ten best by exhaustive scoring that a query finds."""
    row = opened.row_of(nct_id)
    similarity = exhaustive(opened, [study_part(opened, row)])
    similarity[row] = -np.inf
    best = by_similarity(np.arange(len(index)), similarity)[:10]
    ids = {study.nct_id for study in opened.store.studies(best.tolist())}
    found = {neighbour.nct_id for neighbour in index.related(nct_id, explain=False)}
    return len(ids & found) / len(ids)


if __name__ == "__main__":
    typer.run(main)
