"""Judged sets → how well rankers do, with intervals.

Groups rank the whole index for each member; qrels rank their judged candidates alone.
The two never stand in one table. The query study is never ranked, nor is a study that
is registered without text; ties go by NCT ID.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.evaluation.judged import Groups, Qrels
from simsearch.evaluation.measures import (
    GROUP_MEASURES,
    QREL_MEASURES,
    Estimate,
    Measure,
    estimate,
    ratio_interval,
)
from simsearch.evaluation.rankers import Corpus, Ranker, Rows, Values

NOT_INDEXED = "not in the index"
NOT_HERE = "neither in the index nor in the records"
NO_TEXT = "registered without text"
FEW_MEMBERS = "fewer than two members of the group here"
NOTHING_RELEVANT = "no relevant candidate"
NOTHING_RELEVANT_HERE = "no relevant candidate here"
CANDIDATES_MISSING = "candidates missing"
FEW_CANDIDATES = "fewer than two candidates here"

RUN_DEPTH = 1000
"""How many studies of a whole ranking a saved run holds, as is usual at TREC."""


class Case(msgspec.Struct, frozen=True):
    """A query study, what is ranked for it, and what is known of that."""

    unit: str
    """What the case is averaged in first: its group, or the query itself."""
    query: str
    """NCT ID of the query study."""
    row: int
    grades: dict[int, int]
    """Row → grade of the judged studies, without the query study."""
    candidates: tuple[int, ...] | None = None
    """The rows that are ranked, in the order of NCT IDs; None is the whole index."""

    def ranked(self, corpus: Corpus) -> Rows:
        """Return the rows that are ranked, in the order of NCT IDs."""
        if self.candidates is not None:
            return np.array(self.candidates, dtype=np.int64)
        others: Rows = corpus.searchable[corpus.searchable != self.row]
        return others


class Selection(msgspec.Struct, frozen=True):
    """The cases of a judged set that an index allows, and how many queries it does not."""

    name: str
    protocol: str
    """What was ranked, for which queries, in words."""
    unit: str
    """What weighs the same in an average: `groups` or `queries`."""
    measures: tuple[Measure, ...]
    cases: tuple[Case, ...]
    left_out: dict[str, int]
    """Reason → number of queries."""


class Evaluation(msgspec.Struct, frozen=True):
    """The values of every ranker for every case, from which all tables are made."""

    selection: Selection
    values: dict[str, Values]
    """Ranker → (n_cases, n_measures)."""
    baselines: tuple[str, ...]
    """Which of the rankers are none of ours."""
    ceiling: Values
    """(n_cases, n_measures) the highest values of any order."""
    chance: Values
    """(n_cases, n_measures) the means over all orders."""

    @property
    def systems(self) -> list[str]:
        """The rankers' names; the first is what others are compared with."""
        return list(self.values)

    def estimates(
        self, values: Values, chosen: npt.NDArray[np.bool_] | None = None
    ) -> list[Estimate]:
        """Return the mean of each measure over units, with intervals.

        Args:
            values: (n_cases, n_measures), such as those of a system, or a difference.
            chosen: (n_cases,) the cases of a slice; None is all of them.
        """
        means = self.unit_means(values, chosen)
        return [estimate(column) for column in means.T]

    def difference(self, system: str, other: str) -> list[Estimate]:
        """Return how much higher a system is than another on the same cases, a measure each."""
        return self.estimates(self.values[system] - self.values[other])

    def ratio(self, system: str, other: str) -> Estimate:
        """Return how many times the main measure of another a system reaches."""
        above, below = (self.unit_means(self.values[name])[:, 0] for name in (system, other))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = above.mean() / below.mean() if len(above) else np.nan
        return Estimate(float(ratio), *ratio_interval(above, below))

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
        """Return (n_units, n_measures): the mean over the chosen cases of each unit."""
        rows_of: dict[str, list[int]] = {}
        for place, case in enumerate(self.selection.cases):
            if chosen is None or chosen[place]:
                rows_of.setdefault(case.unit, []).append(place)
        means = [values[places].mean(axis=0) for places in rows_of.values()]
        return np.array(means).reshape(len(means), len(self.selection.measures))


def select_groups(groups: Groups, corpus: Corpus) -> Selection:
    """Return a case for each member of a group with two or more usable members.

    A study that is a member of two groups is a case of each.
    """
    cases, left_out = [], Counter[str]()
    for group, members in groups.members.items():
        rows = []
        for nct_id in members:
            row, reason = _usable(corpus, nct_id)
            if row is None:
                left_out[reason] += 1
            elif row not in rows:  # not named twice, by an obsolete number
                rows.append(row)
        if len(rows) < 2:  # noqa: PLR2004 - a pair
            left_out[FEW_MEMBERS] += len(rows)
            continue
        cases += [
            Case(group, corpus.ids[row], row, {each: 1 for each in rows if each != row})
            for row in rows
        ]
    return Selection(
        groups.name, "the whole index ranked for each member of a group", "groups",
        GROUP_MEASURES, tuple(cases), _counts(left_out),
    )  # fmt: skip


def select_qrels(qrels: Qrels, corpus: Corpus, *, complete: bool) -> Selection:
    """Return a case for each query with a relevant candidate.

    Args:
        qrels: the judgements.
        corpus: the studies at hand.
        complete: take only queries whose candidates are all at hand; else two will do,
            a relevant one among them.
    """
    cases, left_out = [], Counter[str]()
    for query, judged in qrels.grades.items():
        row, reason = _usable(corpus, query)
        grades: dict[int, int] = {}
        n_missing = 0
        for nct_id, grade in judged.items():
            candidate, _ = _usable(corpus, nct_id)
            n_missing += candidate is None
            if candidate is not None and candidate != row:
                grades[candidate] = max(grade, grades.get(candidate, grade))
        if max(judged.values()) <= 0:
            reason = NOTHING_RELEVANT
        elif row is not None and complete and n_missing:
            reason = CANDIDATES_MISSING
        elif row is not None and max(grades.values(), default=0) <= 0:
            reason = NOTHING_RELEVANT_HERE
        elif row is not None and len(grades) < 2:  # noqa: PLR2004 - nothing to put in order
            reason = FEW_CANDIDATES
        if reason or row is None:
            left_out[reason] += 1
            continue
        in_order = tuple(sorted(grades, key=corpus.ids.__getitem__))
        cases.append(Case(query, corpus.ids[row], row, grades, in_order))
    which = "all candidates" if complete else "some candidates"
    return Selection(
        qrels.name, f"the judged candidates ranked; queries with {which} present", "queries",
        QREL_MEASURES, tuple(cases), _counts(left_out),
    )  # fmt: skip


def evaluate(
    selection: Selection,
    corpus: Corpus,
    rankers: Sequence[Ranker],
    progress: Progress = no_progress,
) -> Evaluation:
    """Rank every case of a selection with every ranker.

    Returns:
        The values of all measures for each case and ranker, which tables are made of.
    """
    cases, measures = selection.cases, selection.measures
    for ranker in rankers if cases else ():
        ranker.prepare(_needed(cases, corpus))
    shape = (len(cases), len(measures))
    values = {ranker.name: np.zeros(shape) for ranker in rankers}
    ceiling, chance = np.zeros(shape), np.zeros(shape)
    scored_row, ranked = -1, np.zeros(0, dtype=np.int64)
    scores: dict[str, Values] = {}
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


def graded_ranking(scores: Values, rows: Rows, grades: Mapping[int, int]) -> Values:
    """Return (n,) the grade at each rank, best first, 0 where nothing is known.

    Args:
        scores: (n,) higher is better; ties go by position.
        rows: (n,) what was scored, in the order of NCT IDs.
        grades: row → grade.
    """
    ranking = np.zeros(len(rows))
    for place in np.flatnonzero(np.isin(rows, list(grades))).tolist():
        better = np.count_nonzero(scores > scores[place])
        tied_before = np.count_nonzero(scores[:place] == scores[place])
        ranking[better + tied_before] = grades[int(rows[place])]
    return ranking


def top_places(scores: Values, k: int) -> npt.NDArray[np.int64]:
    """Return the positions of the k highest scores, best first, ties by position."""
    k = min(k, len(scores))
    if not k:
        return np.zeros(0, dtype=np.int64)
    least = np.partition(scores, -k)[-k]
    places = np.flatnonzero(scores >= least)
    return places[np.argsort(-scores[places], kind="stable")][:k]


def trec_run(
    selection: Selection, corpus: Corpus, ranker: Ranker, progress: Progress = no_progress
) -> Iterator[str]:
    """Yield the lines of a ranker's run as TREC writes them, `RUN_DEPTH` studies a query.

    trec_eval takes no notice of the rank and breaks ties its own way, in 32-bit floats:
    scores are lowered by the least step where that is needed to keep our order.
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


def _usable(corpus: Corpus, nct_id: str) -> tuple[int | None, str]:
    """Return the row of a study that can be ranked, or None and the reason why not."""
    row = corpus.row_of(nct_id)
    if row is None:
        return None, NOT_HERE if corpus.extra else NOT_INDEXED
    return (row, "") if corpus.has_text[row] else (None, NO_TEXT)


def _needed(cases: Sequence[Case], corpus: Corpus) -> Rows:
    """Return all rows that the cases compare."""
    needed = {case.row for case in cases}
    for case in cases:
        if case.candidates is None:
            return corpus.searchable
        needed.update(case.candidates)
    return np.array(sorted(needed), dtype=np.int64)


def _counts(left_out: Counter[str]) -> dict[str, int]:
    return {reason: n for reason, n in left_out.most_common() if n}
