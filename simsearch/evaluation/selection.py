"""Judged sets → the cases that an index allows: which query studies are ranked, against what.

Groups rank the whole index for each member; qrels rank only their judged candidates. The query
study is never ranked, and neither is a study that is registered without text.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np

from simsearch.evaluation.corpus import Corpus, Rows
from simsearch.evaluation.judged import Groups, Qrels
from simsearch.evaluation.measures import GRADED_MEASURES, GROUP_MEASURES, QREL_MEASURES, Measure

NOT_INDEXED = "not in the index"
NOT_HERE = "neither in the index nor in the records"
NO_TEXT = "registered without text"
FEW_MEMBERS = "fewer than two members of the group here"
NOTHING_RELEVANT = "no relevant candidate"
NOTHING_RELEVANT_HERE = "no relevant candidate here"
CANDIDATES_MISSING = "candidates missing"
FEW_CANDIDATES = "fewer than two candidates here"

_HIGHEST_OF_POOLS = 3  # a set with this grade, and none above, is of graded pools


class Case(msgspec.Struct, frozen=True):
    """A query study, what is ranked for it, and the judgements."""

    unit: str
    """The unit over whose cases values are averaged first: its group, or the query itself."""
    query: str
    """NCT ID of the query study."""
    row: int
    grades: dict[int, int]
    """Row → grade of the judged studies, excluding the query study."""
    candidates: tuple[int, ...] | None = None
    """The rows that are ranked, in the order of NCT IDs; None for the whole index."""

    def ranked(self, corpus: Corpus) -> Rows:
        """Return the rows that are ranked, in the order of NCT IDs."""
        if self.candidates is not None:
            return np.array(self.candidates, dtype=np.int64)
        others: Rows = corpus.searchable[corpus.searchable != self.row]
        return others


class Selection(msgspec.Struct, frozen=True):
    """The cases of a judged set that an index allows, and how many queries are left out."""

    name: str
    protocol: str
    """What is ranked for which queries, in words."""
    unit: str
    """What has the same weight in an average: `groups` or `queries`."""
    measures: tuple[Measure, ...]
    cases: tuple[Case, ...]
    left_out: dict[str, int]
    """Reason → number of queries."""


def select_groups(groups: Groups, corpus: Corpus) -> Selection:
    """Return a case for each member of a group with two or more usable members.

    A study that is a member of two groups is a case in each.

    Args:
        groups: the judgements.
        corpus: the studies at hand.
    """
    cases, left_out = [], Counter[str]()
    for group, members in groups.members.items():
        rows = []
        for nct_id in members:
            row, reason = _usable(corpus, nct_id)
            if row is None:
                left_out[reason] += 1
            elif row not in rows:  # else named twice, once by an obsolete number
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
        complete: use only queries whose candidates are all at hand; otherwise two candidates
            are enough if one of them is relevant.
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
    grades_used = {grade for judged in qrels.grades.values() for grade in judged.values()}
    measures = GRADED_MEASURES if max(grades_used) == _HIGHEST_OF_POOLS else QREL_MEASURES
    which = "all candidates" if complete else "some candidates"
    return Selection(
        qrels.name, f"the judged candidates ranked; queries with {which} present", "queries",
        measures, tuple(cases), _counts(left_out),
    )  # fmt: skip


def _usable(corpus: Corpus, nct_id: str) -> tuple[int | None, str]:
    """Return the row of a study that can be ranked, or None and why it cannot."""
    row = corpus.row_of(nct_id)
    if row is None:
        return None, NOT_HERE if corpus.extra else NOT_INDEXED
    return (row, "") if corpus.has_text[row] else (None, NO_TEXT)


def _counts(left_out: Counter[str]) -> dict[str, int]:
    """Return reason → number of queries, the most frequent first."""
    return {reason: n for reason, n in left_out.most_common() if n}
