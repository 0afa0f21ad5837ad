"""The words in common, marked where they stand in the texts of two studies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
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
    terms = {term for word in words for term in terms_of(word)}
    return list(_pieces(text, terms))


def marked_excerpt(study: Study, words: Collection[str]) -> list[Piece]:
    """Return the sentences of a study's title and summary that have one of the words, marked.

    Where no sentence has one, the first of them; at most some 700 characters.
    """
    terms = {term for word in words for term in terms_of(word)}
    sentences = [study.title, *_SENTENCE.split(study.summary)]
    shown = [each for each in sentences if _has(each, terms)] or sentences[:1]
    text, room = "", _LONGEST
    for each in filter(None, shown):
        if len(each) > room:
            text += (_GAP if text else "") + each[: each.rfind(" ", 0, max(room, 1))] + " …"
            break
        text += (_GAP if text else "") + each
        room -= len(each)
    return list(_pieces(text, terms))


def _has(text: str, terms: Collection[str]) -> bool:
    return not set(terms).isdisjoint(terms_of(text))


def _pieces(text: str, terms: Collection[str]) -> Iterator[Piece]:
    """Yield the text in pieces; words that follow each other are one."""
    done = 0
    for word in _WORD.finditer(text):
        if _has(word[0], terms):
            if word.start() > done:
                yield Piece(text[done : word.start()], marked=False)
            yield Piece(word[0], marked=True)
            done = word.end()
    if done < len(text):
        yield Piece(text[done:], marked=False)
