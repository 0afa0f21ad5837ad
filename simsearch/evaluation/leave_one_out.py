"""How well several known studies find the further ones of their group.

Each study of a group is left out in turn, and the others ask the whole index: its place is how
many studies must be screened to come to it. That is how D. Surian and colleagues compared
rankings for review updates (PMID 34922458).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.evaluation.baselines import Bm25Ranker, TfidfRanker
from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.intervals import Estimate, estimate
from simsearch.evaluation.judged import Groups
from simsearch.evaluation.rankers import OurRanker, Ranker, Similarities
from simsearch.evaluation.screening import Screening, screen
from simsearch.index.directory import IndexFacts
from simsearch.review.ranking import pull
from simsearch.vectors import DEFAULT_WEIGHTS, by_similarity

Matrix = npt.NDArray[np.float64]
"""(n_queries, n_studies) scores of every study by each of several query studies."""

REVIEW, MEAN = "review", "mean"
"""The ranking of `simsearch review`, and the mean of the same similarities."""

_VECTORS = "mean-of-vectors"
_MATRICES = MappingProxyType(
    {
        REVIEW: "simsearch", MEAN: "simsearch", _VECTORS: _VECTORS,
        TfidfRanker.name: TfidfRanker.name, Bm25Ranker.name: Bm25Ranker.name,
    }
)  # fmt: skip
SYSTEMS = tuple(_MATRICES)
"""The systems compared, the first with each of the others."""


class Places(msgspec.Struct, frozen=True):
    """The places at which left-out studies come, by one system.

    `median` and `quartiles` are over all studies; `log_mean` is the geometric mean of the places
    of a group, in the mean over groups, with its interval over groups; `to_find_all` the median
    over groups of the place of a group's last study.
    """

    system: str
    n_studies: int
    quartiles: tuple[float, float, float]
    log_mean: Estimate
    against: Estimate | None
    """The first system's logarithm of the geometric mean minus this one's, paired by group; below
    0 the first one is better. None for the first itself."""
    to_find_all: tuple[float, float, float]
    """Quartiles over groups."""
    by_group: dict[str, tuple[int, ...]]


class LeftOut(msgspec.Struct, frozen=True):
    """The result for one judged set."""

    name: str
    n_groups: int
    systems: tuple[Places, ...]
    screening: Screening


class LeftOutReport(msgspec.Struct, frozen=True):
    """The result of `leave_one_out`, for each judged set; it does not need the index any more."""

    facts: IndexFacts
    sets: tuple[LeftOut, ...]


def leave_one_out(
    corpus: Corpus, sets: Sequence[Groups], progress: Progress = no_progress
) -> LeftOutReport:
    """Leave out each study of each group in turn, and simulate the screening of each group.

    Args:
        corpus: the studies of an index.
        sets: judged groups; those with fewer than two studies of the index are left out.
        progress: called after each group.
    """
    rankers = _rankers(corpus, progress)
    return LeftOutReport(
        corpus.index.facts, tuple(_of_set(corpus, each, rankers, progress) for each in sets)
    )


def _of_set(
    corpus: Corpus, judged: Groups, rankers: dict[str, Ranker], progress: Progress
) -> LeftOut:
    groups = usable(corpus, judged)
    found: dict[str, dict[str, tuple[int, ...]]] = {system: {} for system in SYSTEMS}
    for n, (name, rows) in enumerate(groups.items()):
        progress(f"leaving out, {judged.name}", n, len(groups), "groups")
        matrices = {
            each: np.stack([ranker.scores(row, corpus.searchable) for row in rows])
            for each, ranker in rankers.items()
        }
        for system, matrix in _MATRICES.items():
            combine = pull_of if system == REVIEW else _mean
            found[system][name] = places(matrices[matrix], rows, corpus.searchable, combine)
    progress(f"leaving out, {judged.name}", len(groups), len(groups), "groups")
    return LeftOut(
        judged.name,
        len(groups),
        tuple(_summary(system, found) for system in SYSTEMS),
        screen(corpus, groups, progress),
    )


def usable(corpus: Corpus, judged: Groups) -> dict[str, list[int]]:
    """Return group → rows of its studies with a text, for groups with two or more of them."""
    found = {}
    for name, members in judged.members.items():
        rows = {corpus.index.store.row_of(nct_id) for nct_id in members} - {None}
        with_text = sorted(row for row in rows if row is not None and corpus.has_text[row])
        if len(with_text) > 1:
            found[name] = with_text
    return found


def places(
    matrix: Matrix,
    rows: Sequence[int],
    searchable: npt.NDArray[np.int64],
    combine: Callable[[Matrix], npt.NDArray[np.float64]],
) -> tuple[int, ...]:
    """Return the place of each study of a group, from 1, when the others ask for it.

    Args:
        matrix: (n, n_searchable) the scores of all searchable studies by each study of the group.
        rows: (n,) rows of the group.
        searchable: (n_searchable,) rows that are ranked; the others of the group are not.
        combine: scores by several studies → one for each study.
    """
    found = []
    columns = np.searchsorted(searchable, rows)
    for n, column in enumerate(columns.tolist()):
        others = [each for each in range(len(rows)) if each != n]
        scores = combine(matrix[others])
        ranked = np.delete(np.arange(len(searchable)), columns[others])
        order = ranked[by_similarity(ranked, scores[ranked])]
        found.append(int(np.flatnonzero(order == column)[0]) + 1)
    return tuple(found)


def pull_of(matrix: Matrix) -> npt.NDArray[np.float64]:
    """Return the pull of `simsearch review`, by similarities."""
    return pull(matrix.astype(np.float32))


def _mean(matrix: Matrix) -> npt.NDArray[np.float64]:
    mean: npt.NDArray[np.float64] = matrix.mean(axis=0)
    return mean


def _rankers(corpus: Corpus, progress: Progress) -> dict[str, Ranker]:
    ours = Similarities(corpus)
    return {
        "simsearch": OurRanker("simsearch", ours, DEFAULT_WEIGHTS),
        _VECTORS: OurRanker(_VECTORS, ours, {"text": 1.0}),
        TfidfRanker.name: TfidfRanker(corpus, progress),
        Bm25Ranker.name: Bm25Ranker(corpus, progress),
    }


def _summary(system: str, found: dict[str, dict[str, tuple[int, ...]]]) -> Places:
    by_group = found[system]
    everything = np.array([place for each in by_group.values() for place in each], dtype=float)
    logs = _log_means(by_group)
    difference = _log_means(found[SYSTEMS[0]]) - logs
    return Places(
        system,
        len(everything),
        quartiles(everything),
        estimate(logs),
        None if system == SYSTEMS[0] else estimate(difference),
        quartiles(np.array([max(each) for each in by_group.values()], dtype=float)),
        by_group,
    )


def _log_means(by_group: dict[str, tuple[int, ...]]) -> npt.NDArray[np.float64]:
    """Return (n_groups,) the mean logarithm of a group's places."""
    return np.array([float(np.log(each).mean()) for each in by_group.values()])


def quartiles(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile; not a number where there are none."""
    if not len(values):
        return (np.nan, np.nan, np.nan)
    low, middle, high = np.percentile(values, [25, 50, 75]).tolist()
    return (low, middle, high)
