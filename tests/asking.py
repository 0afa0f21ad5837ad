"""What tests ask an opened index, in a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simsearch.encode.encoders import Encoder
from simsearch.index.opened import OpenedIndex
from simsearch.output.formats import View, write
from simsearch.search.answer import Answer, ask
from simsearch.search.filters import NO_FILTERS, Filters
from simsearch.search.nearest import nearest
from simsearch.search.neighbour import Neighbour
from simsearch.search.query_parts import (
    QueryPart,
    builder_of,
    draft_part,
    read_text,
    study_part,
    text_part,
)
from simsearch.search.question import Question
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS


def similar_to_study(
    index: OpenedIndex,
    nct_id: str,
    k: int = 10,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    filters: Filters = NO_FILTERS,
) -> list[Neighbour]:
    """Return the neighbours of a study, without reasons."""
    return nearest(index, [study_part(index, index.row_of(nct_id))], k, weights, filters)


def similar_to_text(
    index: OpenedIndex, text: str, encoder: Encoder | None = None, k: int = 10
) -> list[Neighbour]:
    """Return the neighbours of words, without reasons."""
    return nearest(
        index, [text_part(index, read_text(index, text), encoder or builder_of(index))], k
    )


def similar_to_draft(
    index: OpenedIndex, draft: Study, encoder: Encoder | None = None, k: int = 10
) -> list[Neighbour]:
    """Return the neighbours of a draft, without reasons."""
    return nearest(index, [draft_part(index, draft, encoder or builder_of(index))], k)


def study_parts(
    index: OpenedIndex, nct_ids: Sequence[str], *, away: bool = False
) -> list[QueryPart]:
    """Return studies as parts of a query."""
    return [study_part(index, index.row_of(nct_id), away=away) for nct_id in nct_ids]


def asked(index: OpenedIndex, *studies: str, **question: object) -> Answer:
    """Return the answer to a question about studies."""
    return ask(index, Question(studies=studies, **question))


def written(answer: Answer, name: str, **view: object) -> str:
    """Return an answer in a format."""
    return "".join(write("answer", answer, name, View(**view)))


def similar_to_studies(
    index: OpenedIndex, nct_ids: Sequence[str], k: int = 10, *, unlike: Sequence[str] = ()
) -> list[Neighbour]:
    """Return the neighbours of several studies, without reasons."""
    return list(asked(index, *nct_ids, k=k, unlike=unlike, explain=False))


def asked_text(index: OpenedIndex, text: str, encoder: Encoder, **question: object) -> Answer:
    """Return the answer to words."""
    return ask(index, Question(texts=(text,), **question), load_encoder=lambda: encoder)
