"""Ask an index: for one study, for several, for a draft, for a text, or for a mix of them.

Each thing asked with is a `QueryPart`; neighbours are near to the mean of the parts, and
unlike those that are to be kept away from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from simsearch.encoders import Encoder
from simsearch.errors import NothingToCompareError, RecipeError
from simsearch.fields import FIELDS, has_words, lexical_text, plain_text
from simsearch.filters import NO_FILTERS, Filters
from simsearch.light_encoder import load_query_encoder
from simsearch.parts import QueryPart
from simsearch.search import Index, Neighbour
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS

# `amg 706` as people type it: records have capitals, by which the terms know it for a code.
_TYPED_CODE = re.compile(r"\b[a-z]{2,6} \d{2,8}\b", re.IGNORECASE)


def similar_to_study(
    index: Index,
    nct_id: str,
    k: int = 10,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    filters: Filters = NO_FILTERS,
) -> list[Neighbour]:
    """Return the k studies most like one that the index holds, nearest first.

    The study itself, under whichever of its IDs, is not among them. No model is loaded.

    Args:
        index: where to look.
        nct_id: the study, by any spelling of its NCT ID or of an obsolete one.
        k: how many, 1 to `MAX_K` (10,000).
        weights: signal name → weight.
        filters: what a neighbour must be.

    Raises:
        ArgumentError: k or a weight is out of its range.
        FilterError: a filter has a value that no study can have.
        NctIdError, UnknownStudyError: no such ID, or not in this index.
        NothingToCompareError: the study is registered without any text.
        IndexCorruptError: a file of the index is damaged.
    """
    return index.nearest([index.part(index.row_of(nct_id))], k, weights, filters)


def similar_to_studies(
    index: Index,
    nct_ids: Sequence[str],
    k: int = 10,
    *,
    unlike: Sequence[str] = (),
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    filters: Filters = NO_FILTERS,
) -> list[Neighbour]:
    """Return the k studies most like several on average, and unlike others.

    Half of the mean similarity to the `unlike` is taken off. None of the studies asked
    with is among the neighbours.

    Args:
        index: where to look.
        nct_ids: the studies to be near to, at least one, as `similar_to_study` takes them.
        k: how many, 1 to `MAX_K` (10,000).
        unlike: the studies to keep away from.
        weights: signal name → weight.
        filters: what a neighbour must be.

    Raises:
        ArgumentError, FilterError, NctIdError, UnknownStudyError, IndexCorruptError: as
            `similar_to_study`.
        NothingToCompareError: a study is registered without any text, or none is named.
    """
    parts = study_parts(index, nct_ids) + study_parts(index, unlike, away=True)
    if not nct_ids:
        raise NothingToCompareError("the query", "it names no study to be near to")
    return index.nearest(parts, k, weights, filters)


def similar_to_draft(
    index: Index,
    draft: Study,
    encoder: Encoder | None = None,
    k: int = 10,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    filters: Filters = NO_FILTERS,
) -> list[Neighbour]:
    """Return the k studies most like a study that need not be in the index.

    A study of the index with the draft's own NCT ID or alias is not among them.

    Args:
        index: where to look.
        draft: what they shall be like.
        encoder: the model that built the index; None loads it once and keeps it.
        k: how many, 1 to `MAX_K` (10,000).
        weights: signal name → weight.
        filters: what a neighbour must be.

    Raises:
        EncoderError: the model that built the index cannot be loaded.
        ArgumentError: k or a weight is out of its range.
        FilterError: a filter has a value that no study can have.
        NothingToCompareError: the draft has no text.
        RecipeError: the encoder is not the one that built the index.
        IndexCorruptError: a file of the index is damaged.
    """
    return index.nearest(
        [draft_part(index, draft, encoder or builder_of(index))], k, weights, filters
    )


def similar_to_text(
    index: Index,
    text: str,
    encoder: Encoder | None = None,
    k: int = 10,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    filters: Filters = NO_FILTERS,
) -> list[Neighbour]:
    """Return the k studies nearest to a free text, by their whole texts and their terms.

    Args:
        index: where to look.
        text: what to look for, in English.
        encoder: the model that built the index; None loads it once and keeps it.
        k: how many, 1 to `MAX_K` (10,000).
        weights: signal name → weight.
        filters: what a neighbour must be.

    Raises:
        EncoderError: the model that built the index cannot be loaded.
        ArgumentError: k or a weight is out of its range.
        FilterError: a filter has a value that no study can have.
        NothingToCompareError: the text holds no word.
        RecipeError: the encoder is not the one that built the index.
        IndexCorruptError: a file of the index is damaged.
    """
    return index.nearest(
        [text_part(index, text, encoder or builder_of(index))], k, weights, filters
    )


def study_parts(index: Index, nct_ids: Sequence[str], *, away: bool = False) -> list[QueryPart]:
    """Return studies of the index as parts of a query, each once.

    Raises:
        NctIdError, UnknownStudyError: no such ID, or not in this index.
        NothingToCompareError: a study is registered without any text.
    """
    rows = dict.fromkeys(index.row_of(nct_id) for nct_id in nct_ids)
    return [index.part(row, away=away) for row in rows]


def draft_part(index: Index, draft: Study, encoder: Encoder) -> QueryPart:
    """Return a study that need not be in the index as a part of a query.

    Raises:
        NothingToCompareError: the draft has no text.
        RecipeError: the encoder is not the one that built the index.
    """
    texts = {field: text_of(draft) for field, text_of in FIELDS.items()}
    if not has_words(texts.values()):
        raise NothingToCompareError(
            "the draft", "it has no title, summary, conditions or interventions"
        )
    own = filter(None, (draft.nct_id, *draft.aliases))
    rows = [row for row in map(index.store.row_of, own) if row is not None]
    return _encoded(index, encoder, texts, lexical_text(draft), rows)


def text_part(index: Index, text: str, encoder: Encoder) -> QueryPart:
    """Return a free text as a part of a query: it has no conditions and interventions.

    Raises:
        NothingToCompareError: the text holds no word.
        RecipeError: the encoder is not the one that built the index.
    """
    plain = plain_text(text)
    if not has_words([plain]):
        raise NothingToCompareError(
            "the text", "it holds no word (a study is asked for by its ID, without --text)"
        )
    words = _TYPED_CODE.sub(lambda code: code[0].upper(), plain)
    return _encoded(index, encoder, dict.fromkeys(FIELDS, "") | {"text": plain}, words)


def builder_of(index: Index) -> Encoder:
    """Return the model that built an index, loaded once.

    Raises:
        EncoderError: it cannot be found or loaded.
    """
    recipe = index.generation.manifest.recipe
    return _loaded(recipe.model, recipe.fingerprint)


@lru_cache(maxsize=2)
def _loaded(model: str, fingerprint: str) -> Encoder:
    return load_query_encoder(model, fingerprint)


def check_encoder(index: Index, encoder: Encoder) -> None:
    """Refuse an encoder that is not the one that built the index.

    Raises:
        RecipeError: it is another.
    """
    recipe = index.generation.manifest.recipe
    if encoder.fingerprint != recipe.fingerprint:
        raise RecipeError(
            index.path, "model", recipe.model, encoder.name,
            "a text must be encoded by the model that built the index (--model)",
        )  # fmt: skip


def _encoded(
    index: Index, encoder: Encoder, texts: Mapping[str, str], words: str, rows: Sequence[int] = ()
) -> QueryPart:
    """Encode the texts that say something; the others are rows of zeros."""
    check_encoder(index, encoder)
    said = {field: text for field, text in texts.items() if has_words([text])}
    vectors = dict(zip(said, encoder.encode(list(said.values())), strict=True))
    nothing = np.zeros(encoder.dimension, dtype=np.float32)
    return QueryPart(
        {field: vectors.get(field, nothing) for field in texts},
        index.lexical.encode(words),
        tuple(rows),
    )
