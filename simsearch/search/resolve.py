"""A question → the studies it is about, and the parts that the index is searched with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import msgspec

from simsearch.encode.encoders import Encoder
from simsearch.encode.fields import has_words
from simsearch.errors import ArgumentError, one_line
from simsearch.index.opened import OpenedIndex
from simsearch.search.filters import Filters
from simsearch.search.query_parts import (
    QueryPart,
    builder_of,
    draft_part,
    read_text,
    study_part,
    text_part,
)
from simsearch.search.question import Query, Question
from simsearch.search.text_requests import request_of
from simsearch.search.text_words import TextWords
from simsearch.study import Study, is_nct_id

FindStudy = Callable[[str], Study]
"""Called with an NCT ID that the index lacks; returns the study from elsewhere, or raises."""

NO_SUBJECT = "the text names no subject that this index knows: name a condition or a treatment"

LoadEncoder = Callable[[], Encoder]
"""Called at most once, when something must be encoded."""


class Resolved(msgspec.Struct, frozen=True):
    """What a question is about: as registered, and as what is searched with."""

    query: Query
    parts: list[QueryPart]
    notes: tuple[str, ...]
    """What a person should know of how the question was understood."""
    filters: Filters
    """Those of the question, and those that its texts ask for."""
    has_subject: bool = True
    """False where there are only texts, and none says what studies are to be about."""


def resolve(
    index: OpenedIndex,
    question: Question,
    *,
    find_study: FindStudy | None = None,
    load_encoder: LoadEncoder | None = None,
) -> Resolved:
    """Return the studies and the parts of a question; each study is looked up once.

    Raises:
        NctIdError, UnknownStudyError: no such ID, or not in this index (nor found elsewhere).
        SharedNumberError: a number of another registry is that of several studies.
        NothingToCompareError: a study, the draft or the text holds no word to compare.
        ArgumentError: a study is to be near to and to keep away from.
        EncoderError, RecipeError: the model that built the index cannot be loaded.
    """
    return _Resolver(index, question, find_study, load_encoder).resolved()


class _Resolver:
    def __init__(
        self,
        index: OpenedIndex,
        question: Question,
        find_study: FindStudy | None,
        load_encoder: LoadEncoder | None,
    ) -> None:
        self._index = index
        self._question = question
        self._find_study = find_study
        self._load_encoder = load_encoder or (lambda: builder_of(index))
        self._notes: list[str] = []

    def resolved(self) -> Resolved:
        _ = self._index.store  # a closed index is refused before a model is loaded
        question, drafts = self._question, self._question.drafts
        filters, in_texts, texts = self._requests()
        asked, parts = self._studies((*question.studies, *in_texts), drafts)
        parts += [draft_part(self._index, draft, self._encoder) for draft in drafts]
        asked += drafts
        has_subject = bool(parts)
        read = list(self._words(texts, alone=not parts))
        for words in read:
            has_subject |= words.has_subject
            if words.concepts or not parts:
                parts.append(text_part(self._index, words, self._encoder))
        if not has_subject and not any(words.language for words in read):
            self._notes.append(NO_SUBJECT)
        unlike, away = self._studies(question.unlike, (), away=True)
        self._check_apart(asked, unlike, parts, away)
        query = Query(tuple(asked), question.texts, tuple(unlike), len(drafts))
        return Resolved(query, parts + away, tuple(self._notes), filters, has_subject)

    def _requests(self) -> tuple[Filters, list[str], list[str]]:
        """Take the texts apart: filters, the NCT IDs that the index has, what is left of each."""
        filters, ids, texts = self._question.filters, [], []
        for text in self._question.texts:
            if self._question.literal:
                texts.append(text)
                continue
            request = request_of(self._index, text, filters)
            filters = request.filters
            texts.append(request.text)
            self._notes += request.notes
            here = [each for each in request.studies if self._index.holds(each)]
            ids += here
            lacking = [each for each in request.studies if each not in here]
            if lacking:
                self._notes.append(f"not in this index, and left out: {', '.join(lacking)}")
        return filters, ids, texts

    def _words(self, texts: Sequence[str], *, alone: bool) -> Iterator[TextWords]:
        """Yield the words of the texts, and note how they were read."""
        for text in texts:
            if not alone and not has_words([text]):
                continue  # only studies and filters were in it
            words = read_text(self._index, text, literal=self._question.literal)
            self._notes += words.notes
            yield words

    def _studies(
        self, nct_ids: tuple[str, ...], drafts: tuple[Study, ...], *, away: bool = False
    ) -> tuple[list[Study], list[QueryPart]]:
        """Return studies and their parts of the query, each once, the drafts' own left out."""
        parts: list[QueryPart] = []
        found: dict[str, Study] = {}
        for nct_id in nct_ids:
            canonical, row = self._index.locate(nct_id)
            self._note_if_elsewhere(nct_id, canonical)
            if canonical in found or any(canonical in _numbers(draft) for draft in drafts):
                continue
            if row is not None:
                (study,) = self._index.store.studies([row])
            elif self._find_study:
                study = self._find_study(canonical)
                row = self._index.locate(study.nct_id)[1]  # merged into one that is here
            else:
                raise self._index.lacks(canonical)
            self._note_if_merged(canonical, study)
            if study.nct_id in found or any(_same(draft, study) for draft in drafts):
                continue
            found[study.nct_id] = study
            if row is not None:
                parts.append(study_part(self._index, row, away=away))
            else:
                part = draft_part(self._index, study, self._encoder)
                parts.append(msgspec.structs.replace(part, away=away))
        return list(found.values()), parts

    def _note_if_elsewhere(self, typed: str, canonical: str) -> None:
        """Say which study a number of another registry, or a sponsor's own, has been taken for."""
        if not is_nct_id(typed):
            self._notes.append(f"{one_line(typed).strip()} is a number of {canonical}")

    def _note_if_merged(self, canonical: str, study: Study) -> None:
        if canonical != study.nct_id:
            gone = self._index.store.gone(canonical)
            noticed = f" (noticed on {gone.since})" if gone else ""
            self._notes.append(f"{canonical} is an obsolete number of {study.nct_id}{noticed}")

    def _check_apart(
        self,
        asked: list[Study],
        unlike: list[Study],
        parts: list[QueryPart],
        away: list[QueryPart],
    ) -> None:
        """Refuse a study that is both to be near to and to keep away from."""
        rows, rows_away = ({row for part in some for row in part.rows} for some in (parts, away))
        both = {study.nct_id for study in self._index.store.studies(sorted(rows & rows_away))}
        both |= {each.nct_id for each in unlike if any(_same(one, each) for one in asked)}
        if both:
            raise ArgumentError("unlike", min(both), "another study than those asked about")

    @cached_property
    def _encoder(self) -> Encoder:
        return self._load_encoder()


def _numbers(study: Study) -> set[str]:
    return {study.nct_id, *study.aliases} - {""}


def _same(one: Study, other: Study) -> bool:
    """Report whether one study is the other, by its number or an obsolete one."""
    return one.nct_id in _numbers(other) or other.nct_id in _numbers(one)
