"""Simulated screening: decisions come from labels, ten at a time, and the ranking learns.

Of each group the earlier half (by NCT ID, which is by registration) is known at first, as in the
update of a review, and the later half is to be found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.intervals import Estimate, estimate
from simsearch.review.ranking import pull, push, similarities
from simsearch.review.stopping import rules
from simsearch.search.nearest import SIMILARITY_DECIMALS
from simsearch.vectors import by_similarity

BATCH = 10
DEPTHS = (50, 100, 200)
LIMIT = 300
"""So many studies are screened at most; a study that has not come then counts at its place in the
list that would come next."""

_POOL = 5_000  # the best so many by the known studies are ordered anew; the others stay below
_RECALL = 0.95


class Screening(msgspec.Struct, frozen=True):
    """How simulated screening went, in the mean over groups, with intervals over groups.

    `learning` asks anew after every ten; `fixed` takes the list of the known studies as it is.
    """

    n_groups: int
    recall: dict[str, dict[int, Estimate]]
    """`learning` or `fixed` → number screened → recall of the studies to be found."""
    wss: dict[str, Estimate]
    """The same → work saved over sampling at 95 % recall."""
    gain: Estimate
    """WSS@95 of `learning` minus that of `fixed`, paired by group."""
    stops: dict[str, Stop]


class Stop(msgspec.Struct, frozen=True):
    """How a stopping rule did, over the groups in which it was met before the limit.

    `screened` are quartiles of how many studies had been screened then; `recall` is the mean.
    """

    n_met: int
    screened: tuple[float, float, float]
    recall: Estimate
    n_all_found: int
    """In how many of them nothing was missed."""


class Run(msgspec.Struct, frozen=True):
    """One simulated screening: places of the studies to be found, and where each rule was met."""

    places: tuple[int, ...]
    stops: dict[str, tuple[int, float]]
    """Rule → number screened, and recall then."""


def screen(
    corpus: Corpus, groups: Mapping[str, Sequence[int]], progress: Progress = no_progress
) -> Screening:
    """Simulate the screening of each group.

    Args:
        corpus: the studies of an index.
        groups: group → ascending rows of its studies, two or more.
        progress: called after each group.
    """
    runs: dict[str, list[Run]] = {"learning": [], "fixed": []}
    for n, rows in enumerate(groups.values()):
        progress("screening", n, len(groups), "groups")
        for name, done in runs.items():
            done.append(simulated(corpus, rows, learning=name == "learning"))
    progress("screening", len(groups), len(groups), "groups")
    n_studies = len(corpus.searchable)
    saved = {name: np.array([_wss(run, n_studies) for run in done]) for name, done in runs.items()}
    return Screening(
        len(groups),
        {
            name: {depth: estimate(_recalls(done, depth)) for depth in DEPTHS}
            for name, done in runs.items()
        },
        {name: estimate(values) for name, values in saved.items()},
        estimate(saved["learning"] - saved["fixed"]),
        _stops(runs["learning"]),
    )


def simulated(corpus: Corpus, rows: Sequence[int], *, learning: bool) -> Run:
    """Screen one group.

    Args:
        corpus: the studies of an index.
        rows: ascending rows of the group.
        learning: whether decisions change the list.
    """
    n_known = (len(rows) + 1) // 2
    wanted = set(rows[n_known:])
    state = _State(corpus, rows[:n_known])
    labels: list[bool] = []
    found: dict[int, int] = {}
    stops: dict[str, tuple[int, float]] = {}
    while len(labels) < LIMIT:
        batch = state.next(BATCH)
        for row in batch:
            labels.append(row in wanted)
            if row in wanted:
                found[row] = len(labels)
        state.decide(batch, wanted, learning=learning)
        for rule in rules(labels):
            if rule.met:
                stops.setdefault(rule.name, (len(labels), len(found) / len(wanted)))
        if len(batch) < BATCH:
            break
    rest = state.rest() if wanted - found.keys() else np.zeros(0, dtype=np.int64)
    for row in wanted - found.keys():
        found[row] = len(labels) + int(np.flatnonzero(rest == row)[0]) + 1
    return Run(tuple(sorted(found.values())), stops)


class _State:
    """Similarities to what has been decided so far, and the order that they give."""

    def __init__(self, corpus: Corpus, known: Sequence[int]) -> None:
        self._index = corpus.index
        rows = corpus.searchable[~np.isin(corpus.searchable, known)]
        score = pull(similarities(self._index, known, rows)).round(SIMILARITY_DECIMALS)
        ordered = rows[by_similarity(rows, score)]
        self._pool, self._below = np.sort(ordered[:_POOL]), ordered[_POOL:]
        self._kept = similarities(self._index, known, self._pool)
        self._dropped = np.zeros((0, len(self._pool)), dtype=np.float32)
        self._undecided = np.ones(len(self._pool), dtype=np.bool_)

    def next(self, n: int) -> list[int]:
        """Return the next n rows of the pool, best first."""
        found: list[int] = self._order()[:n].tolist()
        return found

    def decide(self, rows: Sequence[int], wanted: set[int], *, learning: bool) -> None:
        """Take rows off the list; if it is `learning`, they pull or push."""
        self._undecided &= ~np.isin(self._pool, rows)
        kept = [row for row in rows if row in wanted]
        dropped = [row for row in rows if row not in wanted]
        if learning and kept:
            new = similarities(self._index, kept, self._pool)
            self._kept = np.vstack([self._kept, new])
        if learning and dropped:
            new = similarities(self._index, dropped, self._pool)
            self._dropped = np.vstack([self._dropped, new])

    def rest(self) -> npt.NDArray[np.int64]:
        """Return all undecided rows, best first."""
        return np.concatenate([self._order(), self._below])

    def _order(self) -> npt.NDArray[np.int64]:
        places = np.flatnonzero(self._undecided)
        score = pull(self._kept[:, places])
        if len(self._dropped):
            score = score - push(self._dropped[:, places])
        rows = self._pool[places]
        return rows[by_similarity(rows, score.round(SIMILARITY_DECIMALS))]


def _recalls(runs: Sequence[Run], depth: int) -> npt.NDArray[np.float64]:
    return np.array([np.mean([place <= depth for place in run.places]) for run in runs])


def _wss(run: Run, n_studies: int) -> float:
    """Return the share of studies that need not be screened for 95 % recall, minus 5 %."""
    needed = run.places[int(np.ceil(_RECALL * len(run.places))) - 1]
    return 1 - needed / n_studies - (1 - _RECALL)


def _stops(runs: Sequence[Run]) -> dict[str, Stop]:
    found = {}
    for rule in rules([]):
        met = [run.stops[rule.name] for run in runs if rule.name in run.stops]
        screened = np.array([n for n, _ in met], dtype=float)
        recall = np.array([each for _, each in met], dtype=float)
        low, middle, high = np.percentile(screened, [25, 50, 75]).tolist() if met else [np.nan] * 3
        found[rule.name] = Stop(
            len(met), (low, middle, high), estimate(recall), int((recall == 1).sum())
        )
    return found
