"""The list of every study: `related`, scikit-learn, FAISS alone, and each study by itself.

    python tests/benchmarks/related.py INDEX [--queries N] [--singles 200] [--only NAME ...]

All take the same vectors and k, one after another, each in a process of its own, and report the
time per study, the time for all studies, and peak memory. scikit-learn and FAISS find the nearest
by text alone: without terms, without other fields, and without which neighbours are mutual. With
--queries, only so many studies (whole batches of them, chosen at random) are queried, and the time
for all is extrapolated.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from simsearch.index.opened import opened_index
from simsearch.related.batch_search import BatchSearch, batch_size
from simsearch.related.run import computed
from simsearch.search.nearest import nearest, ranked
from simsearch.search.query_parts import study_part

K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("index")
    parser.add_argument("--queries", type=int, default=0)
    parser.add_argument("--singles", type=int, default=200)
    parser.add_argument("--only", nargs="*", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--run", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(CONTENDERS[options.run](options)))
        return
    from spine import machine  # not in the processes that are measured

    print(f"{machine()}, seeds 0 and 1, load {os.getloadavg()[0]:.1f}")
    found = {}
    for name in options.only:
        words = [sys.executable, __file__, *sys.argv[1:], "--run", name]
        found[name] = json.loads(
            subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1]
        )
        print(line(name, found[name], found.get("related")), flush=True)


def line(name: str, one: dict, ours: dict | None) -> str:
    each = one["seconds"] / one["queries"]
    cpu = one["cpu"] / one["queries"]
    total = one["setup"] + each * one["studies"]
    ratio = f", {each / (ours['seconds'] / ours['queries']):.1f} times related" if ours else ""
    how = "measured" if one["queries"] == one["studies"] else f"from {one['queries']:,} studies"
    return (
        f"{name}: {each * 1000:.3f} ms a study ({cpu * 1000:.3f} of processor time){ratio}; "
        f"all {one['studies']:,} in {total:.0f} s ({how}); "
        f"setup {one['setup']:.1f} s; peak memory {one['peak']:.2f} GB"
    )


def measured(n_studies: int, setup: float, queries: int, run: Callable[[], object]) -> dict:
    began, began_cpu = time.perf_counter(), time.process_time()
    run()
    return {
        "studies": n_studies,
        "setup": setup,
        "queries": queries,
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - began_cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def batches(rows: np.ndarray, wanted: int) -> list[np.ndarray]:
    """The rows in batches: all, or some of them at random."""
    size = batch_size(K)
    found = [rows[at : at + size] for at in range(0, len(rows), size)]
    if not wanted or wanted >= len(rows):
        return found
    chosen = np.random.default_rng(0).permutation(len(found) - 1)[: max(1, wanted // size)]
    return [found[at] for at in sorted(chosen)]


def by_related(options: argparse.Namespace) -> dict:
    began = time.perf_counter()
    search = BatchSearch(opened_index(options.index), K)
    parts = batches(search.listed, options.queries)
    setup = time.perf_counter() - began

    def run() -> None:
        for _ in computed(search.lists, parts, os.cpu_count() or 1):
            pass

    return measured(len(search.listed), setup, sum(map(len, parts)), run)


def by_singles(options: argparse.Namespace) -> dict:
    began = time.perf_counter()
    index = opened_index(options.index)
    rows = np.random.default_rng(1).choice(BatchSearch(index, K).listed, options.singles, False)
    for row in rows[:5].tolist():
        ranked(index, [study_part(index, row)], K)
    setup = time.perf_counter() - began

    def run() -> None:
        for row in rows.tolist():
            nearest(index, [study_part(index, row)], K)

    return measured(index.n_studies, setup, len(rows), run)


def texts(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, int]:
    """Vectors of all studies, vectors of the queries, number of studies."""
    stored = opened_index(options.index)
    rows = stored.stored("text")
    found = np.array(rows, dtype=np.float32)
    queries = np.concatenate(batches(np.flatnonzero(found.any(axis=1)), options.queries))
    return found, found[queries], len(found)


def by_sklearn(options: argparse.Namespace) -> dict:
    from sklearn.neighbors import NearestNeighbors

    began = time.perf_counter()
    found, queries, n = texts(options)
    nearest = NearestNeighbors(n_neighbors=K + 1, algorithm="brute", metric="cosine").fit(found)
    setup = time.perf_counter() - began
    return measured(n, setup, len(queries), lambda: nearest.kneighbors(queries))


def by_faiss(make: Callable[[int], object]) -> Callable[[argparse.Namespace], dict]:
    def run(options: argparse.Namespace) -> dict:
        began = time.perf_counter()
        found, queries, n = texts(options)
        index = make(found.shape[1])
        index.add(found)
        del found
        setup = time.perf_counter() - began
        return measured(n, setup, len(queries), lambda: index.search(queries, K + 1))

    return run


def flat(dimension: int) -> object:
    import faiss

    return faiss.IndexFlatIP(dimension)


def half(dimension: int) -> object:
    import faiss

    return faiss.IndexScalarQuantizer(
        dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )


CONTENDERS = {
    "related": by_related,
    "singles": by_singles,
    "scikit-learn": by_sklearn,
    "faiss-flat": by_faiss(flat),
    "faiss-fp16": by_faiss(half),
}

if __name__ == "__main__":
    main()
