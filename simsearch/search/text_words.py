"""The words of a text that is asked, as an index knows them.

A text is made of *concepts*: a word or a name, with the other names that the records use for the
same. A study that has any name of a concept has the concept; the lexical signal of a text is the
share of its concepts that a study has, each by the square root of its rarity, so that several
words together outweigh a rare one (docs/experiments.md). Words that the index does not know count
as lacking.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.index.opened import OpenedIndex
from simsearch.index.synonyms import LONGEST_NAME, Synonym, name_key
from simsearch.index.terms import LexicalIndex, terms_of
from simsearch.search.corrections import Correction, corrected
from simsearch.search.stop_words import CONTROLS, DESIGN_WORDS, FUNCTION_WORDS
from simsearch.search.text_language import language_of
from simsearch.search.topical_words import coherence

FULL_SIGNAL = 0.5
"""The lexical signal of a study that is about all that a text says: as of two like studies."""

LONGEST_QUESTION = 40
"""A text of more words is a description: no word of it is corrected or named as unknown."""

LEAST_COHERENCE = 0.05
"""From here on a word can be what a text is about: *fall* has .06, *result* less than none."""

_PIECE = re.compile(r"(?<![^\W_])[A-Z]{2,6} (?!(?:19|20)\d\d(?![^\W_]))\d{2,8}(?![^\W_])"
                    r"|[^\W_]+(?:[-'\u2019][^\W_]+)*")  # fmt: skip
_NO_SUBJECT = FUNCTION_WORDS | CONTROLS | DESIGN_WORDS
_MOST_OTHERS = 4  # names beside the best known
_RARE = 2  # studies: as good as unknown, where a word is rather a foreign one
_MANY = 10_000  # studies: in an index of fewer a rare word is nothing to say
_LONGEST_SHOWN = 60  # letters of an unknown word
_LONGEST_PLAIN = 5  # letters of a word in lower case that may be an ordinary one
_LEAST_OF_WORD = 0.25  # of the studies with a word in lower case, those that use it as a name
_SHORT_CODE = 4  # letters of a code that do not say by themselves what it is


class Concept(msgspec.Struct, frozen=True):
    """One thing that a text names: any of its names will do."""

    names: tuple[tuple[int, ...], ...]
    """The numbers of the terms of each name that the index knows; empty where it knows none."""
    weight: float


class TextWords(msgspec.Struct, frozen=True):
    """A text as an index reads it."""

    concepts: tuple[Concept, ...]
    text: str
    """What is encoded: the text with its corrections, and what its names mean."""
    notes: tuple[str, ...]
    """How it was read, for the person who asked."""
    has_subject: bool
    """Whether it says what studies are to be about, in words that the index can know."""
    language: str
    """The other language that it is in; empty for English."""


def words_of_text(index: OpenedIndex, text: str, *, literal: bool = False) -> TextWords:
    """Return a text as an index reads it.

    Args:
        index: whose words are known.
        text: what is asked, without NCT IDs.
        literal: take the words as they are: correct none, and look for no other names.
    """
    return _Reader(index, literal=literal).read(text)


def concepts_signal(lexical: LexicalIndex, concepts: Iterable[Concept]) -> npt.NDArray[np.float64]:
    """Return (n_studies,) the lexical signal of a text: `FULL_SIGNAL` for all of it, at most."""
    concepts = list(concepts)
    total = sum(concept.weight for concept in concepts)
    found = np.zeros(lexical.n_rows)
    alone: dict[int, float] = {}
    for concept in concepts:
        if len(concept.names) == 1:
            for term, weight in _weighed(lexical, concept.names[0], concept.weight).items():
                alone[term] = alone.get(term, 0) + weight
        elif concept.names:
            found += np.max(
                [_presence(lexical, _weighed(lexical, name, concept.weight))
                 for name in concept.names], axis=0
            )  # fmt: skip
    found += _presence(lexical, alone)
    return FULL_SIGNAL / total * found if total else found


def _presence(lexical: LexicalIndex, terms: dict[int, float]) -> npt.NDArray[np.float64]:
    numbers = np.array(sorted(terms), dtype=np.int64)
    return lexical.presence(numbers, np.array([terms[each] for each in numbers.tolist()]))


def _weighed(lexical: LexicalIndex, terms: Iterable[int], weight: float) -> dict[int, float]:
    """Return term → its part of a weight."""
    parts = {term: math.sqrt(lexical.idf_of(term)) for term in terms}
    whole = sum(parts.values())
    return {term: weight * part / whole for term, part in parts.items()} if whole else {}


class _Piece(msgspec.Struct):
    """A word of a text, as it stands there and as it is read."""

    typed: str
    start: int
    end: int
    read: str


class _Reader:
    def __init__(self, index: OpenedIndex, *, literal: bool) -> None:
        self._index = index
        self._lexical = index.lexical
        self._literal = literal
        self._concepts: dict[object, Concept] = {}
        self._unknown: list[str] = []
        self._rare: dict[str, int] = {}
        self._corrections: list[Correction] = []
        self._meant: dict[str, Synonym] = {}
        self._has_subject = False
        self._most = math.sqrt(math.log1p(index.n_studies))  # the weight of an unknown word

    def read(self, text: str) -> TextWords:
        pieces = [_Piece(each[0], *each.span(), each[0]) for each in _PIECE.finditer(text)]
        language = language_of([each.typed for each in pieces], self._is_known)
        is_short = len(pieces) <= LONGEST_QUESTION
        if is_short and not language and not self._literal:
            self._correct(pieces)
        at = 0
        while at < len(pieces):
            taken = 0 if self._literal or language else self._take_name(pieces, at)
            if not taken:
                self._take_word(pieces[at])
            at += max(taken, 1)
        has_subject = self._has_subject and not language
        return TextWords(
            tuple(self._concepts.values()),
            _rewritten(text, pieces),
            tuple(self._notes(language, is_short=is_short)),
            has_subject,
            language,
        )

    def _correct(self, pieces: Iterable[_Piece]) -> None:
        """Read words that the index does not know as those that were meant."""
        synonyms = self._index.synonyms
        for piece in pieces:
            if synonyms.meaning(name_key(piece.typed)) is None:
                found = corrected(self._index, piece.typed)
                if found:
                    piece.read = found.read
                    self._corrections.append(found)

    def _take_name(self, pieces: list[_Piece], at: int) -> int:
        """Take the longest name that begins here and has others; return how many words it has."""
        synonyms = self._index.synonyms
        for n in range(min(LONGEST_NAME, len(pieces) - at), 0, -1):
            typed = " ".join(each.read for each in pieces[at : at + n])
            key = name_key(typed)
            meant = synonyms.meaning(key)
            if meant and not self._is_used(typed, meant):
                meant = None
            root = meant.means_key if meant else key
            others = synonyms.others(root)
            if (not meant and not others) or _NO_SUBJECT.issuperset(key.split()):
                continue
            names = [key, root, *(each.key for each in others[:_MOST_OTHERS])]
            terms = {self._terms_of_name(name): None for name in names}
            known = tuple(filter(None, terms))
            own = sum(math.sqrt(self._lexical.idf_of(term)) for term in self._terms_of_name(key))
            if meant:
                self._meant[typed] = meant
                pieces[at + n - 1].read += f" ({meant.means})"
            self._concepts[root] = Concept(known, own or self._most)
            self._has_subject |= bool(known)
            return n
        return 0

    def _is_used(self, typed: str, meant: Synonym) -> bool:
        """Report whether a word is the name that it looks like: `care` is hardly an acronym."""
        if not (typed.isalpha() and typed.islower()) or len(typed) > _LONGEST_PLAIN:
            return typed.casefold() not in FUNCTION_WORDS or typed.isupper()
        n_with = max((len(self._lexical.studies_with(term)) for term in terms_of(typed)), default=0)
        return typed not in FUNCTION_WORDS and meant.studies >= _LEAST_OF_WORD * n_with

    def _terms_of_name(self, key: str) -> tuple[int, ...]:
        """Return the numbers of the terms of a name; none if the index lacks one of them."""
        numbers = [self._lexical.number_of(term) for term in dict.fromkeys(terms_of(key))]
        known = [number for number in numbers if number is not None]
        if len(known) < len(numbers):
            return ()
        return tuple(number for number in known if self._lexical.idf_of(number))

    def _take_word(self, piece: _Piece) -> None:
        terms = list(dict.fromkeys(terms_of(piece.read)))
        is_code = len(terms) > 1 and any(map(str.isdigit, terms[0]))
        if is_code and self._lexical.number_of(terms[0]) is not None:
            terms = [terms[0], *(each for each in terms[1:] if len(each) > _SHORT_CODE)]
            names = filter(None, (self._terms_of_name(each) for each in terms))
            self._concepts[terms[0]] = Concept(tuple(names), self._weight(terms[0]))
            self._has_subject = True
            return
        for term in terms:
            if term in _NO_SUBJECT:
                continue
            number = self._lexical.number_of(term)
            if number is None:
                self._unknown.append(piece.typed)
                self._concepts[term] = Concept((), self._most)
            elif self._lexical.idf_of(number):
                self._concepts[term] = Concept(((number,),), self._weight(term))
                n_with = len(self._lexical.studies_with(term))
                if n_with <= _RARE and self._index.n_studies > _MANY:
                    self._rare[piece.typed] = n_with
                self._has_subject = self._has_subject or self._is_subject(term)

    def _is_subject(self, term: str) -> bool:
        return coherence(self._index, term) >= LEAST_COHERENCE

    def _weight(self, term: str) -> float:
        number = self._lexical.number_of(term)
        return self._most if number is None else math.sqrt(self._lexical.idf_of(number))

    def _is_known(self, word: str) -> bool:
        """Report whether all terms of a word are in more than a few studies."""
        numbers = [self._lexical.number_of(term) for term in terms_of(word)]
        return all(
            number is not None
            and (not self._lexical.idf_of(number) or self._lexical.n_with()[number] > _RARE)
            for number in numbers
        )

    def _notes(self, language: str, *, is_short: bool) -> Iterator[str]:
        for each in self._corrections:
            yield f"{each.typed} is not in this index: read as {each.read}"
        for typed, meant in self._meant.items():
            yield f"{typed}: read as {meant.means} too"
        for word, n in () if language else self._rare.items():
            yield f"{word} is in {n} stud{'y' if n == 1 else 'ies'} of this index"
        if self._unknown and is_short:
            words = (word[:_LONGEST_SHOWN] for word in dict.fromkeys(self._unknown))
            yield f"not in this index: {', '.join(words)}"
        if language:
            yield f"the text is not English ({language}): this index is read in English"


def _rewritten(text: str, pieces: Iterable[_Piece]) -> str:
    """Return a text with its words as they are read."""
    parts, at = [], 0
    for piece in pieces:
        parts += [text[at : piece.start], piece.read]
        at = piece.end
    return "".join([*parts, text[at:]])
