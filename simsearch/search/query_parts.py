"""The parts of a query (studies or texts) and their weighted combination."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encode.encoders import PLAIN_MODEL, Encoder, encode_words
from simsearch.encode.fields import FIELDS, has_words, lexical_text, plain_text
from simsearch.encode.minilm import FINGERPRINT, load_query_encoder
from simsearch.errors import EncoderError, NothingToCompareError, RecipeError
from simsearch.index.opened import OpenedIndex
from simsearch.index.profiles import Profile, profile_of
from simsearch.index.terms import TermWeights, combined
from simsearch.search.text_words import Concept, TextWords, concepts_signal, words_of_text
from simsearch.study import Study
from simsearch.vectors import SIGNALS, total, weights_for

# `amg 706` as people type it: records have capitals, which mark it as a code among the terms.
_TYPED_CODE = re.compile(r"\b[a-z]{2,6} \d{2,8}\b", re.IGNORECASE)


class QueryPart(msgspec.Struct, frozen=True):
    """One study or text of a query, as the index compares it.

    `vectors` maps each dense field to (dimension,) float32, unit, or zero where it has none;
    `terms` is the row of its terms; a text has `concepts` in place of it, for the lexical signal
    (see `text_words.py`); `rows` are its own rows in the index, which are never
    neighbours. Neighbours are to be unlike a part that is `away`. A study has a
    `profile`, a text has none.
    """

    vectors: Mapping[str, npt.NDArray[np.float32]]
    terms: TermWeights
    rows: tuple[int, ...] = ()
    away: bool = False
    profile: Profile | None = None
    concepts: tuple[Concept, ...] | None = None

    @property
    def present(self) -> dict[str, bool]:
        """Signal → whether this part can be compared by it."""
        dense = {field: bool(vector.any()) for field, vector in self.vectors.items()}
        return {**dense, "lexical": bool(self.terms) or self.concepts is not None}


class Mix(msgspec.Struct, frozen=True):
    """A weighted sum of query parts: one vector and one row of terms represent them all.

    `concepts` are those of each text, with its share.
    """

    shares: dict[str, float]
    vectors: Mapping[str, npt.NDArray[np.floating]]
    terms: TermWeights
    concepts: tuple[tuple[float, tuple[Concept, ...]], ...] = ()


def mixes(parts: Sequence[QueryPart], weights: Mapping[str, float]) -> tuple[Mix, Mix | None]:
    """Return the mean of the parts to be near to, and of those to keep away from."""
    near = [part for part in parts if not part.away]
    away = [part for part in parts if part.away]
    return _mix(near, weights), _mix(away, weights) if away else None


def _mix(parts: Sequence[QueryPart], weights: Mapping[str, float]) -> Mix:
    """Return the mean of parts, each with its own shares: a signal that it lacks moves."""
    shares = [weights_for(weights, part.present) for part in parts]
    mean = 1 / len(parts)
    return Mix(
        {name: mean * sum(each[name] for each in shares) for name in SIGNALS},
        {
            field: mean
            * total(
                share[field] * part.vectors[field].astype(np.float64)
                for share, part in zip(shares, parts, strict=True)
            )
            for field in FIELDS
        },
        combined(
            [
                (mean * share["lexical"], part.terms)
                for share, part in zip(shares, parts, strict=True)
                if part.concepts is None
            ]
        ),
        tuple(
            (mean * share["lexical"], part.concepts)
            for share, part in zip(shares, parts, strict=True)
            if part.concepts is not None
        ),
    )


def lexical_signal(index: OpenedIndex, mix: Mix) -> npt.NDArray[np.float64]:
    """Return (n_studies,) the lexical signal of every study."""
    found = index.lexical.signal(mix.terms)
    for share, concepts in mix.concepts:
        found = found + share * concepts_signal(index.lexical, concepts)
    return found


def study_part(index: OpenedIndex, row: int, *, away: bool = False) -> QueryPart:
    """Return a study of the index as a part of a query.

    Raises:
        NothingToCompareError: the study is registered without any text.
    """
    vectors = index.vectors(row)
    if not vectors["text"].any():
        study = index.store.studies([row])[0]
        raise NothingToCompareError(
            study.nct_id,
            "it is registered without title, summary or conditions "
            f"(status {study.status or 'unknown'})",
        )
    return QueryPart(vectors, index.lexical.row(row), (row,), away, index.profiles.row(row))


def draft_part(index: OpenedIndex, draft: Study, encoder: Encoder) -> QueryPart:
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
    check_encoder(index, encoder)
    part = _part(index, texts, lexical_text(draft), encoder.encode, rows)
    return msgspec.structs.replace(part, profile=profile_of(draft, index.lexical))


def text_part(index: OpenedIndex, words: TextWords, encoder: Encoder) -> QueryPart:
    """Return a free text as a part of a query: it has no interventions.

    Conditions are compared with the whole text.

    Raises:
        RecipeError: the encoder is not the one that built the index.
    """
    texts = dict.fromkeys(FIELDS, "") | {"text": words.text}
    check_encoder(index, encoder)
    part = _part(index, texts, words.text, partial(encode_words, encoder))
    vectors = {**part.vectors, "conditions": part.vectors["text"]}
    return msgspec.structs.replace(part, vectors=vectors, concepts=words.concepts)


def read_text(index: OpenedIndex, text: str, *, literal: bool = False) -> TextWords:
    """Return the words of a free text, as the index reads them.

    Raises:
        NothingToCompareError: the text holds no word.
    """
    plain = plain_text(text)
    if not has_words([plain]):
        raise NothingToCompareError(
            "the text", "name a condition, a treatment or a study by its NCT ID"
        )

    def written(code: re.Match[str]) -> str:
        joined = code[0].casefold().replace(" ", "")
        is_known = index.lexical.number_of(joined) is not None
        return code[0].upper() if is_known else code[0]

    return words_of_text(index, _TYPED_CODE.sub(written, plain), literal=literal)


def builder_of(index: OpenedIndex) -> Encoder:
    """Return the model that built an index, loaded once.

    Nothing is downloaded: an index may be someone else's, and name any model.

    Raises:
        EncoderError: it is not on this machine, or cannot be loaded.
    """
    recipe = index.generation.manifest.recipe
    return _loaded(recipe.model, recipe.fingerprint)


@lru_cache(maxsize=2)
def _loaded(model: str, fingerprint: str) -> Encoder:
    if fingerprint == FINGERPRINT:  # whatever the index calls it
        return load_query_encoder(PLAIN_MODEL, fingerprint)
    if model != PLAIN_MODEL and not Path(model).is_dir():
        model = _downloaded(model)
    return load_query_encoder(model, fingerprint)


def _downloaded(model: str) -> str:
    """Return the folder of a model that was downloaded before.

    Raises:
        EncoderError: it was not.
    """
    from huggingface_hub import snapshot_download

    for name in (model, f"sentence-transformers/{model}"):
        try:
            return str(snapshot_download(name, local_files_only=True))
        except Exception:  # noqa: BLE001, S112 - not there, or not even a name
            continue
    raise EncoderError(
        model, "the index names it, and it is not on this machine; name a folder that holds it"
    )


def check_encoder(index: OpenedIndex, encoder: Encoder) -> None:
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


def _part(
    index: OpenedIndex,
    texts: Mapping[str, str],
    words: str,
    encode: Callable[[Sequence[str]], npt.NDArray[np.float32]],
    rows: Sequence[int] = (),
) -> QueryPart:
    """Encode the texts that have a word; the others are rows of zeros."""
    said = {field: text for field, text in texts.items() if has_words([text])}
    vectors = dict(zip(said, encode(list(said.values())), strict=True))
    nothing = np.zeros(index.generation.manifest.recipe.dimension, dtype=np.float32)
    return QueryPart(
        {field: vectors.get(field, nothing) for field in texts},
        index.lexical.encode(words),
        tuple(rows),
    )
