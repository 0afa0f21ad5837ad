"""The words in common, marked where they stand in the texts of two studies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from simsearch.index.terms import terms_of
from simsearch.study import Study

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_SENTENCE = re.compile(r"(?<=[.;?!:])\s+(?=\S)")
_LONGEST = 700  # characters of an excerpt
_GAP = " … "


class Piece(NamedTuple):
    """A part of a text; `marked` where it is a word in common."""

    text: str
    marked: bool


def marked(text: str, words: Collection[str]) -> list[Piece]:
    """Return a text in pieces, with the words that have a term of `words` marked."""
    return list(_pieces(text, _places(text, _terms_of_all(words))))


def marked_excerpt(study: Study, words: Collection[str]) -> list[Piece]:
    """Return the sentences of a study's title and summary that have one of the words, marked.

    Where no sentence has one, the first of them; at most some 700 characters.
    """
    terms = _terms_of_all(words)
    sentences = [study.title, *_sentences(study.summary)]
    found = [(each, places) for each in sentences if (places := _places(each, terms))]
    pieces: list[Piece] = []
    room = _LONGEST
    for sentence, places in found or [(sentences[0], [])]:
        if pieces:
            pieces.append(Piece(_GAP, marked=False))
        if len(sentence) > room:
            end = max(sentence.rfind(" ", 0, max(room, 1)), 0)
            kept = [each for each in places if each[1] <= end]
            return [*pieces, *_pieces(sentence[:end], kept), Piece(" …", marked=False)]
        pieces += _pieces(sentence, places)
        room -= len(sentence)
    return pieces


@lru_cache(maxsize=512)
def _sentences(text: str) -> list[str]:
    return [each for each in _SENTENCE.split(text) if each]


@lru_cache(maxsize=2**15)
def _terms(word: str) -> frozenset[str]:
    return frozenset(terms_of(word))


def _terms_of_all(words: Collection[str]) -> frozenset[str]:
    return frozenset().union(*map(_terms, words))


def _places(text: str, terms: frozenset[str]) -> list[tuple[int, int]]:
    """Return where the words of a text are that have one of the terms: start and end."""
    return [
        word.span() for word in _WORD.finditer(text) if not terms.isdisjoint(_terms(word.group()))
    ]


def _pieces(text: str, places: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    done = 0
    for start, end in places:
        if start > done:
            yield Piece(text[done:start], marked=False)
        yield Piece(text[start:end], marked=True)
        done = end
    if done < len(text):
        yield Piece(text[done:], marked=False)
