"""Cases and rankers → the values of all measures, with intervals.

Equal scores are ranked by NCT ID. Groups and qrels are scored in different measures and never
share a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.evaluation.corpus import Corpus, Rows
from simsearch.evaluation.intervals import Estimate, Values, estimate, ratio_estimate
from simsearch.evaluation.measures import Grades
from simsearch.evaluation.rankers import Ranker, Scores
from simsearch.evaluation.selection import Case, Selection
from simsearch.vectors import by_similarity


class Evaluation(msgspec.Struct, frozen=True):
    """The values of every ranker for every case, from which all tables are computed."""

    selection: Selection
    values: dict[str, Values]
    """Ranker → (n_cases, n_measures)."""
    baselines: tuple[str, ...]
    """The names of the rankers that are baselines."""
    ceiling: Values
    """(n_cases, n_measures) the highest values of any order."""
    chance: Values
    """(n_cases, n_measures) the mean values over all orders."""
    unjudged: dict[str, Values] = {}
    """Ranker → (n_cases,) the share of its first ten of the whole index that nobody judged; of
    graded pools, and of rankers that need not encode the index for it."""

    @property
    def systems(self) -> list[str]:
        """The names of the rankers; the others are compared with the first."""
        return list(self.values)

    def estimates(
        self, values: Values, chosen: npt.NDArray[np.bool_] | None = None
    ) -> list[Estimate]:
        """Return the mean of each measure over units, with intervals.

        Args:
            values: (n_cases, n_measures), those of a system or the differences of two.
            chosen: (n_cases,) which cases belong to a slice; None for all.
        """
        means = self.unit_means(values, chosen)
        return [estimate(column) for column in means.T]

    def difference(self, system: str, other: str) -> list[Estimate]:
        """Return by how much a system exceeds another on the same cases, for each measure."""
        return self.estimates(self.values[system] - self.values[other])

    def ratio(self, system: str, other: str) -> Estimate:
        """Return the main measure of a system, divided by that of another."""
        above, below = (self.unit_means(self.values[name])[:, 0] for name in (system, other))
        return ratio_estimate(above, below)

    def best_baseline(self) -> str:
        """Return the baseline with the highest main measure, or `""` where none ran."""
        if not self.selection.cases:
            return ""
        return max(
            self.baselines,
            key=lambda name: float(self.unit_means(self.values[name])[:, 0].mean()),
            default="",
        )

    def unit_means(self, values: Values, chosen: npt.NDArray[np.bool_] | None = None) -> Values:
        """Return (n_units, n_measures) the means over the chosen cases of each unit."""
        rows_of: dict[str, list[int]] = {}
        for place, case in enumerate(self.selection.cases):
            if chosen is None or chosen[place]:
                rows_of.setdefault(case.unit, []).append(place)
        means = [values[places].mean(axis=0) for places in rows_of.values()]
        return np.array(means).reshape(len(means), len(self.selection.measures))


def evaluate(
    selection: Selection,
    corpus: Corpus,
    rankers: Sequence[Ranker],
    progress: Progress = no_progress,
) -> Evaluation:
    """Rank every case of a selection with every ranker.

    Args:
        selection: the cases.
        corpus: the studies that the selection was made on.
        rankers: the systems, the first of which the others are compared with.
        progress: called before each case.
    """
    cases, measures = selection.cases, selection.measures
    for ranker in rankers if cases else ():
        ranker.prepare(_needed(cases, corpus))
    shape = (len(cases), len(measures))
    values = {ranker.name: np.zeros(shape) for ranker in rankers}
    ceiling, chance = np.zeros(shape), np.zeros(shape)
    scored_row, ranked = -1, np.zeros(0, dtype=np.int64)
    scores: dict[str, Scores] = {}
    order = sorted(range(len(cases)), key=lambda place: cases[place].row)
    for done, place in enumerate(order):
        progress("ranking", done, len(cases), "queries")
        case = cases[place]
        if case.row != scored_row or case.candidates is not None:
            scored_row, ranked = case.row, case.ranked(corpus)
            scores = {ranker.name: ranker.scores(case.row, ranked) for ranker in rankers}
        judged = np.array(list(case.grades.values()), dtype=np.float64)
        ceiling[place] = [measure.ceiling(judged) for measure in measures]
        chance[place] = [measure.chance(judged, len(ranked)) for measure in measures]
        for name, found in scores.items():
            ranking = graded_ranking(found, ranked, case.grades)
            values[name][place] = [measure.value(ranking, judged) for measure in measures]
    progress("ranking", len(cases), len(cases), "queries")
    baselines = tuple(ranker.name for ranker in rankers if ranker.is_baseline)
    return Evaluation(selection, values, baselines, ceiling, chance)


def graded_ranking(scores: Scores, rows: Rows, grades: Mapping[int, int]) -> Grades:
    """Return (n,) the grade at each rank, best first, 0 where nothing is known.

    Only the places of the few judged studies are counted out; nothing is sorted.

    Args:
        scores: (n,) higher is better; equal scores are ranked by position.
        rows: (n,) what was scored, in the order of NCT IDs.
        grades: row → grade.
    """
    ranking = np.zeros(len(rows))
    for place in np.flatnonzero(np.isin(rows, list(grades))).tolist():
        better = np.count_nonzero(scores > scores[place])
        tied_before = np.count_nonzero(scores[:place] == scores[place])
        ranking[better + tied_before] = grades[int(rows[place])]
    return ranking


def top_places(scores: Scores, k: int) -> Rows:
    """Return the positions of the k highest scores, best first, equal ones by position."""
    k = min(k, len(scores))
    if not k:
        return np.zeros(0, dtype=np.int64)
    least = np.partition(scores, -k)[-k]
    places = np.flatnonzero(scores >= least)
    return places[by_similarity(places, scores[places])][:k]


def _needed(cases: Sequence[Case], corpus: Corpus) -> Rows:
    """Return the rows that the cases compare, in order."""
    needed = {case.row for case in cases}
    for case in cases:
        if case.candidates is None:
            return corpus.searchable
        needed.update(case.candidates)
    return np.array(sorted(needed), dtype=np.int64)
