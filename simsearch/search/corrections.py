"""Spelling mistakes in a text that is asked, corrected from the words of the index."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from simsearch.index.opened import OpenedIndex
from simsearch.index.terms import terms_of
from simsearch.search.stop_words import FUNCTION_WORDS

_LEAST_LETTERS = 5  # of a word that is corrected: among shorter ones anything is near
_LETTERS_OF_TWO = 8  # of a word in which two letters may be wrong
_LEAST_STUDIES = 3  # with the word that is meant
_FAR_COMMONER = 100  # times as many studies: a rare spelling is a mistake in a record
_CLEARLY = 3  # times as many studies as with the next word that is as near


class Correction(msgspec.Struct, frozen=True):
    """A word as it was typed, and the word of the index that is meant."""

    typed: str
    read: str


def corrected(index: OpenedIndex, typed: str) -> Correction | None:
    """Return what a mistyped word means; None for one that is known, a code, or meant by nobody.

    The nearest word of the index by letters added, left out, changed or swapped: one, or two in a
    long word, but not the first. Of several as near, one that far more studies have than any other.
    """
    folded = typed.casefold()
    term = next(iter(terms_of(folded)), "")
    if not folded.isalpha() or len(folded) < _LEAST_LETTERS or folded in FUNCTION_WORDS:
        return None
    number = index.lexical.number_of(term)
    known = _known_words(index)
    n_with = known.get(term, 0)
    if number is not None and (not index.lexical.idf_of(number) or n_with > _LEAST_STUDIES):
        return None
    few = 1 if number is not None or len(folded) < _LETTERS_OF_TWO else 2
    best = _nearest(known, {folded, term}, few)
    if best and (number is None or known[best] >= _FAR_COMMONER * max(1, n_with)):
        return Correction(typed, best)
    return None


def _nearest(known: Mapping[str, int], spellings: set[str], most: int) -> str:
    """Return the word that is nearest to a mistyped one; empty if none is, or several are."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    first = next(iter(spellings))[0]
    words = [word for word in known if word[0] == first]
    found: dict[str, int] = {}
    for spelling in sorted(spellings):
        near = process.extract(spelling, words, scorer=OSA.distance, score_cutoff=most, limit=20)
        for word, distance, _ in near:
            found[word] = min(int(distance), found.get(word, most))
    if not found:
        return ""
    least = min(found.values())
    best, *others = sorted(
        (word for word, distance in found.items() if distance == least),
        key=lambda word: (-known[word], word),
    )
    return "" if others and known[best] < _CLEARLY * known[others[0]] else best


def _known_words(index: OpenedIndex) -> dict[str, int]:
    """Return word → how many studies have it, of those that a few do."""

    def found() -> dict[str, int]:
        # What too many studies have to count, such as `disease`, is in no row of them.
        n_with = np.where(index.lexical.idf > 0, index.lexical.n_with(), index.n_studies)
        numbers = np.flatnonzero(n_with >= _LEAST_STUDIES)
        terms = index.lexical.terms[numbers].tolist()
        return {
            term.decode(errors="replace"): n
            for term, n in zip(terms, n_with[numbers].tolist(), strict=True)
            if term.isalpha()
        }

    return index.remember("words and how many studies have them", found)
