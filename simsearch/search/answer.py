"""A question to an index → its answer: the neighbours, why, and what dates them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import msgspec
import numpy as np

from simsearch.index.directory import IndexFacts
from simsearch.index.opened import OpenedIndex
from simsearch.search.competing import competing_filters, rows_competing, with_places
from simsearch.search.diversify import diversified
from simsearch.search.facts_of import with_facts
from simsearch.search.filters import Filters, unknown_counts
from simsearch.search.nearest import learned_percentiles, nearest
from simsearch.search.neighbour import Neighbour
from simsearch.search.question import Query, Question
from simsearch.search.reasons import explain
from simsearch.search.resolve import FindStudy, LoadEncoder, Resolved, resolve
from simsearch.search.second_stage import Ranking, is_served
from simsearch.search.sharing import rows_sharing

if TYPE_CHECKING:  # only where it is installed
    import pandas as pd

CLOSE_PERCENTILE = 99.8
"""Below it a neighbour is not close: one random pair in 500 is as similar.

Of 800 neighbours of 80 studies that were read, .77 of those above are related, .44 of the others.
"""

CLOSE_CHANCE = 0.5
"""The same by the learned ranking, whose similarity is the chance that a reader would call a
neighbour clearly related."""

CLOSE_PERCENTILE_OF_FEW = 99.0
"""The same in an index of fewer than `_FEW_STUDIES`: of one field, where any pair is alike."""

_FEW_STUDIES = 10_000
_FIELD_NAMES = {"near": "place"}  # of filters that are not named as what they ask for


def closeness(index: OpenedIndex, ranking: Ranking = "linear") -> float:
    """Return the percentile from which a neighbour is close in an index."""
    if ranking == "learned":
        return round(float(learned_percentiles(index, np.array([CLOSE_CHANCE]))[0]), 3)
    return _close_of_linear(index.n_studies)


def _close_of_linear(n_studies: int) -> float:
    return CLOSE_PERCENTILE_OF_FEW if n_studies < _FEW_STUDIES else CLOSE_PERCENTILE


NEVER = 100.0
"""A percentile that no neighbour reaches."""


class Answer(Sequence[Neighbour]):
    """The neighbours of a query, nearest first, and the facts of the index that found them.

    A sequence of `Neighbour`s. It does not need the index any more: that may be closed.

    Attributes:
        query: the studies or the text that the question was about.
        neighbours: the neighbours, by rank.
        facts: what dates and identifies the index that answered.
        weights: signal name → weight, as asked.
        filters: what each neighbour is, as asked.
        notes: what a person should know of how the question was understood.
        min_percentile: the least percentile of a neighbour, as asked.
        ranking: what put the neighbours in order, `learned` or `linear`.
        has_subject: False where a text says nothing that the index can know.
    """

    def __init__(
        self,
        query: Query,
        neighbours: Sequence[Neighbour],
        facts: IndexFacts,
        *,
        weights: Mapping[str, float],
        filters: Filters,
        notes: Sequence[str] = (),
        min_percentile: float = 0,
        ranking: Ranking = "linear",
        close_percentile: float | None = None,
        has_subject: bool = True,
    ) -> None:
        self.query = query
        self.neighbours = tuple(neighbours)
        self.facts = facts
        self.weights = dict(weights)
        self.filters = filters
        self.notes = tuple(notes)
        self.min_percentile = min_percentile
        self.ranking = ranking
        self._close_percentile = close_percentile
        self.has_subject = has_subject

    def __len__(self) -> int:
        return len(self.neighbours)

    @overload
    def __getitem__(self, place: int) -> Neighbour: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Neighbour]: ...
    def __getitem__(self, place: int | slice) -> Neighbour | Sequence[Neighbour]:
        return self.neighbours[place]

    @property
    def close_percentile(self) -> float:
        """The percentile from which a neighbour is close; nothing is close to no subject."""
        if not self.has_subject:
            return NEVER
        if self._close_percentile is None:
            return _close_of_linear(self.facts.n_studies)
        return self._close_percentile

    @property
    def n_close(self) -> int:
        """How many of the neighbours are close."""
        return sum(each.percentile >= self.close_percentile for each in self.neighbours)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain values, in the shape that docs/json.md describes."""
        from simsearch.search.shape import answer_shape

        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer_shape(self)))
        return plain

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame, a neighbour a row, with the columns of the CSV (docs/json.md).

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        from simsearch.search.shape import CSV_COLUMNS, flat_rows

        return pd.DataFrame(list(flat_rows(self)), columns=list(CSV_COLUMNS))

    def __repr__(self) -> str:
        from simsearch.search.shape import answer_repr

        return answer_repr(self)

    def _repr_html_(self) -> str:
        from simsearch.search.shape import answer_html

        return answer_html(self)


def ask(
    index: OpenedIndex,
    question: Question,
    *,
    find_study: FindStudy | None = None,
    load_encoder: LoadEncoder | None = None,
) -> Answer:
    """Return the studies most like what a question is about, nearest first.

    None of the studies asked about is among them. A question about studies of the index loads
    no model.

    Args:
        index: where to look.
        question: what is asked.
        find_study: finds a study that the index lacks, by its NCT ID; None refuses it.
        load_encoder: loads the model that built the index; None loads what the index names.

    Raises:
        ArgumentError: a weight is out of its range, or a study is both asked about and unlike.
        FilterError: a filter has a value that no study can have.
        NctIdError, UnknownStudyError: no such ID, or not in this index.
        NothingToCompareError: there is nothing to compare a study, draft or text by.
        EncoderError, RecipeError: the model that built the index cannot be loaded.
        IndexClosedError, IndexCorruptError: the index is closed, or a file of it is damaged.
    """
    found = resolve(index, question, find_study=find_study, load_encoder=load_encoder)
    query, notes, filters = found.query, list(found.notes), found.filters
    if question.competing:
        filters, more = competing_filters(index, query.studies, filters)
        notes += more
    notes += _left_out(index, filters)
    if question.hide_same_sponsor:
        hidden = tuple(dict.fromkeys((*filters.other_sponsor, *query.sponsors)))
        filters = msgspec.structs.replace(filters, other_sponsor=hidden)
        if not query.sponsors:
            notes.append("the query has no sponsor, so none is hidden")
    among = rows_sharing(index, query.studies, filters)
    if question.competing:
        among, more = rows_competing(index, query.studies, among, filters)
        notes += more
    if question.is_varied:
        neighbours = diversified(index, found.parts, question, filters, among)
    else:
        neighbours = nearest(
            index, found.parts, question.k, question.weights, filters, question.ranking, among
        )
    neighbours = [each for each in neighbours if each.percentile >= question.min_percentile]
    notes += _pushed_away(index, found, neighbours, question)
    if question.explain:
        reasons = explain(index, found.parts, query.studies, neighbours, question.weights)
        neighbours = [
            msgspec.structs.replace(each, reason=reason)
            for each, reason in zip(neighbours, reasons, strict=True)
        ]
    if question.competing or filters.near:
        neighbours = with_places(
            index, query.studies, neighbours, filters, competing=question.competing
        )
    if question.facts:
        query, neighbours = _with_facts(index, query, neighbours)
    ranking = ranking_of(index, question, found)
    return Answer(
        query, neighbours, index.facts,
        weights=question.weights, filters=filters, notes=notes,
        min_percentile=question.min_percentile, ranking=ranking,
        close_percentile=closeness(index, ranking), has_subject=found.has_subject,
    )  # fmt: skip


def _with_facts(
    index: OpenedIndex, query: Query, neighbours: Sequence[Neighbour]
) -> tuple[Query, list[Neighbour]]:
    """Return a query and its neighbours with the facts that the index keeps of each study."""
    studies = with_facts(index, [each.study for each in neighbours])
    return (
        msgspec.structs.replace(query, studies=tuple(with_facts(index, query.studies))),
        [
            msgspec.structs.replace(each, study=study)
            for each, study in zip(neighbours, studies, strict=True)
        ],
    )


def ranking_of(index: OpenedIndex, question: Question, found: Resolved) -> Ranking:
    """Return the ranking that answers a question: the learned one only where it can."""
    is_learned = is_served(index, found.parts, question.weights)
    return question.ranking if is_learned else "linear"


def _left_out(index: OpenedIndex, filters: Filters) -> list[str]:
    """Say how many studies the filters leave out because their records do not say."""
    store = index.store
    counts = index.remember(("unknown", filters), lambda: unknown_counts(store, filters))
    if not counts:
        return []
    fields = ", ".join(
        f"{_FIELD_NAMES.get(name, name).replace('_', ' ')} {n:,}" for name, n in counts.items()
    )
    return [f"left out because their records do not say: {fields} of {index.n_studies:,} studies"]


def _pushed_away(
    index: OpenedIndex, found: Resolved, neighbours: Sequence[Neighbour], question: Question
) -> list[str]:
    """Say which studies to keep away from are of the subject that is asked about."""
    if not found.query.unlike or not neighbours:
        return []
    near = [part for part in found.parts if not part.away]
    close = {each.nct_id for each in nearest(index, near, question.k, question.weights)}
    return [
        f"{study.nct_id} is among the {question.k:,} nearest: keeping away from it keeps away from "
        "its subject; to leave out only the study, exclude it"
        for study in found.query.unlike
        if study.nct_id in close
    ]
