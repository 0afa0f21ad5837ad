"""Rankings as TREC runs: the format that trec_eval and ir_measures read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from simsearch.callbacks import Progress, no_progress
from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.rankers import Ranker
from simsearch.evaluation.scoring import top_places
from simsearch.evaluation.selection import Selection

RUN_DEPTH = 1000
"""The most studies of a ranking in a run, as is usual at TREC."""

_LONGEST_LINE = 1000


def trec_run(
    selection: Selection, corpus: Corpus, ranker: Ranker, progress: Progress = no_progress
) -> Iterator[str]:
    """Yield the lines of a ranker's run, at most `RUN_DEPTH` for each query study.

    trec_eval ignores the ranks and breaks ties in its own way, in 32-bit floats. Where it would
    change our order, scores are lowered by the smallest step.

    Args:
        selection: the cases.
        corpus: the studies that the selection was made on.
        ranker: what ranks.
        progress: called before each query study.
    """
    distinct = {case.row: case for case in selection.cases}
    for done, case in enumerate(distinct.values()):
        progress("saving", done, len(distinct), "queries")
        ranked = case.ranked(corpus)
        scores = ranker.scores(case.row, ranked)
        before = np.float32(np.inf)
        for rank, place in enumerate(top_places(scores, RUN_DEPTH), start=1):
            score = min(np.float32(scores[place]), np.nextafter(before, np.float32(-np.inf)))
            before = score
            study = corpus.ids[ranked[place]]
            yield f"{case.query} Q0 {study} {rank} {score:.9g} {ranker.name}\n"
    progress("saving", len(distinct), len(distinct), "queries")


def is_trec_run(path: Path) -> bool:
    """Return whether the first line of a file has the six columns of a TREC run."""
    try:
        with path.open(encoding="utf-8") as file:
            _, _, _, rank, similarity, _ = file.readline(_LONGEST_LINE).split()
        return int(rank) >= 0 and math.isfinite(float(similarity))
    except (OSError, ValueError):
        return False
