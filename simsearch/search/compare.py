"""The designs of a query and of studies like it, side by side, and their benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from simsearch.design.benchmark import Benchmark, benchmark
from simsearch.design.rows import Design, design_of
from simsearch.design.topics import Topics, topics_of
from simsearch.errors import ArgumentError
from simsearch.index.directory import IndexFacts
from simsearch.index.opened import OpenedIndex
from simsearch.search.answer import Answer, ask, closeness, ranking_of
from simsearch.search.facts_of import lacking, with_facts
from simsearch.search.nearest import nearest
from simsearch.search.neighbour import Neighbour
from simsearch.search.question import Query, Question
from simsearch.search.reasons import explain
from simsearch.search.resolve import FindStudy, LoadEncoder, resolve
from simsearch.study import Study

if TYPE_CHECKING:  # only where it is installed
    import pandas as pd


class Compared(msgspec.Struct, frozen=True):
    """A study of a comparison beside the query.

    `rank`, `similarity` and `percentile` are None where there is no query, or nothing to compare
    the study by.
    """

    study: Study
    """With its facts, where the index keeps them."""
    design: Design
    is_close: bool
    """Whether it counts for the benchmark: close to the query, or named by the user."""
    rank: int | None = None
    similarity: float | None = None
    percentile: float | None = None
    relation: str = ""
    """How it is related to the query, in a line."""


class Comparison:
    """The designs of studies side by side: the query studies first, then those like them.

    It does not need the index any more: that may be closed.

    Attributes:
        query: what was asked about; without studies where given studies are compared.
        asked: the designs of the query studies and drafts.
        studies: those beside them, nearest first.
        benchmark: the summary of the close ones, or of those that the user named.
        topics: primary outcomes and criteria grouped by meaning; None where not asked for.
        facts: what dates and identifies the index.
        close_percentile: the percentile from which a neighbour is close.
        lacks: the parts of a study's page that the index does not keep.
        named: whether the studies were named by the user, not found as neighbours.
        notes: what a person should know of how the question was understood.
    """

    def __init__(
        self,
        query: Query,
        asked: Sequence[Design],
        studies: Sequence[Compared],
        facts: IndexFacts,
        *,
        topics: Topics | None,
        close_percentile: float,
        lacks: Sequence[str] = (),
        named: bool = False,
        notes: Sequence[str] = (),
    ) -> None:
        self.query = query
        self.asked = tuple(asked)
        self.studies = tuple(studies)
        self.facts = facts
        self.topics = topics
        self.close_percentile = close_percentile
        self.lacks = tuple(lacks)
        self.named = named
        self.notes = tuple(notes)
        counted = [each.design for each in studies if each.is_close]
        self.benchmark: Benchmark = benchmark(counted, asked, "" if named else "close")

    def __len__(self) -> int:
        return len(self.studies)

    @property
    def designs(self) -> tuple[Design, ...]:
        """The designs of all: the query studies first."""
        return (*self.asked, *(each.design for each in self.studies))

    @property
    def n_far(self) -> int:
        """How many of the studies are not close, and left out of the benchmark."""
        return sum(not each.is_close for each in self.studies)

    @property
    def n_without_facts(self) -> int:
        """How many of the studies have no facts in this index."""
        return sum(not each.has_facts for each in self.designs)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values, in the shape that docs/json.md describes."""
        from simsearch.search.compare_shape import comparison_shape

        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(comparison_shape(self)))
        return plain

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame, a study a row, with the columns of the CSV (docs/json.md).

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        from simsearch.search.compare_shape import COMPARED_COLUMNS, compared_rows

        return pd.DataFrame(list(compared_rows(self)), columns=list(COMPARED_COLUMNS))

    def __repr__(self) -> str:
        from simsearch.search.compare_shape import comparison_repr

        return comparison_repr(self)

    def _repr_html_(self) -> str:
        from simsearch.search.compare_shape import comparison_html

        return comparison_html(self)


def compare(
    index: OpenedIndex,
    question: Question,
    *,
    others: Sequence[str] = (),
    alone: bool = False,
    groups: bool = True,
    find_study: FindStudy | None = None,
    load_encoder: LoadEncoder | None = None,
) -> Comparison:
    """Return the designs of what a question is about and of the studies most like it.

    Args:
        index: where to look.
        question: what is asked.
        others: NCT IDs of the studies to compare with, in place of the nearest; the question's
            filters must then be empty.
        alone: compare several query studies with each other, without neighbours, where there is
            nothing else in the question.
        groups: whether to group outcomes and criteria by meaning, which loads the packaged model.
        find_study: finds a study that the index lacks, by its NCT ID; None refuses it.
        load_encoder: loads the model that built the index; None loads what the index names.

    Raises:
        ArgumentError: filters beside `others`, or what `ask` raises it for.
        SimsearchError: what `ask` raises.
    """
    if alone and not others and _names_several(question):
        return compare_given(index, question.studies, groups=groups)
    if others:
        answer = _among(index, question, others, find_study, load_encoder)
    else:
        answer = ask(index, question, find_study=find_study, load_encoder=load_encoder)
    asked = with_facts(index, answer.query.studies)
    studies = with_facts(index, [each.study for each in answer])
    compared = [
        Compared(
            study, design_of(study), bool(others) or each.percentile >= answer.close_percentile,
            each.rank, each.similarity, each.percentile, each.reason.line if each.reason else "",
        )
        for study, each in zip(studies, answer, strict=True)
    ]  # fmt: skip
    return _comparison(
        index, answer.query, asked, compared, answer.close_percentile,
        groups=groups, named=bool(others), notes=answer.notes,
    )  # fmt: skip


def compare_given(index: OpenedIndex, nct_ids: Sequence[str], *, groups: bool = True) -> Comparison:
    """Return the designs of some studies of an index, side by side; none of them is the query.

    Raises:
        NctIdError, UnknownStudyError: no such ID, or not in this index.
    """
    rows = list(dict.fromkeys(index.row_of(each) for each in nct_ids))
    studies = with_facts(index, index.store.studies(rows))
    compared = [Compared(each, design_of(each), is_close=True) for each in studies]
    close = closeness(index)
    return _comparison(index, Query(), (), compared, close, groups=groups, named=True)


def _comparison(
    index: OpenedIndex,
    query: Query,
    asked: Sequence[Study],
    compared: Sequence[Compared],
    close_percentile: float,
    *,
    groups: bool,
    named: bool,
    notes: Sequence[str] = (),
) -> Comparison:
    close = [each.study for each in compared if each.is_close]
    return Comparison(
        query,
        [design_of(each) for each in asked],
        compared,
        index.facts,
        topics=topics_of(close, asked) if groups else None,
        close_percentile=close_percentile,
        lacks=lacking(index),
        named=named,
        notes=notes,
    )


def _names_several(question: Question) -> bool:
    """Report whether a question is about several studies and nothing else."""
    beside = (
        question.texts, question.drafts, question.unlike, question.filters, question.competing
    )  # fmt: skip
    return len(question.studies) > 1 and not any(beside)


def _among(
    index: OpenedIndex,
    question: Question,
    others: Sequence[str],
    find_study: FindStudy | None,
    load_encoder: LoadEncoder | None,
) -> Answer:
    """Return an answer whose neighbours are some given studies, nearest first."""
    if question.filters or question.competing or question.is_varied or question.min_percentile:
        raise ArgumentError("with", others[0], "without filters: they choose among neighbours")
    plain = msgspec.structs.replace(question, literal=True)  # no filters come out of a text
    found = resolve(index, plain, find_study=find_study, load_encoder=load_encoder)
    own = {row for part in found.parts for row in part.rows}
    wanted = sorted({index.row_of(each) for each in others} - own)
    rows = np.array(wanted, dtype=np.int64)
    ranked = nearest(
        index, found.parts, max(len(rows), 1), question.weights,
        ranking=question.ranking, among=rows,
    )  # fmt: skip
    reasons = explain(index, found.parts, found.query.studies, ranked, question.weights)
    neighbours = [
        msgspec.structs.replace(each, reason=reason)
        for each, reason in zip(ranked, reasons, strict=True)
    ]
    shown = {each.nct_id for each in neighbours}
    textless = [each for each in index.store.studies(wanted) if each.nct_id not in shown]
    neighbours += [
        Neighbour(len(neighbours) + place, study, 0.0, {}, 0.0)
        for place, study in enumerate(textless, start=1)
    ]
    ranking = ranking_of(index, question, found)
    return Answer(
        found.query, neighbours, index.facts,
        weights=question.weights, filters=question.filters, notes=found.notes,
        ranking=ranking, close_percentile=closeness(index, ranking),
    )  # fmt: skip
