"""What sponsors wrote into a record, and whether it supports a name.

MeSH terms are not registered: the registry guesses them from the words of a record, and guesses
hepatitis A for hepatitis C. A name is believed where one registered text has all its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from simsearch.index.terms import terms_of
from simsearch.search.stop_words import KINDS_OF_CANCER, OTHER_BY_PLACE, OTHER_BY_SUFFIX
from simsearch.study import Study

# What distinguishes names of the same words: a single letter (hepatitis C), a number of a kind.
_LETTER = re.compile(r"(?<![^\W_])(?<!['\u2019])[^\W\d_](?![^\W_])")
_KIND = re.compile(r"\b(type|stage|grade|class)\W{0,2}(\d{1,2}|i{1,3}|i?v)\b", re.IGNORECASE)
_KINDS = ("type", "stage", "grade", "class")  # looked up first: few names have one
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}
_WORD = re.compile(r"[^\W_]+")
_GREEK_PLURAL = ("ose", "stase")  # ends of a term, which has no s
_PARTS = re.compile(r"[,;:()\[\]/]")
_NO_WORD = re.compile(r"[\W_]+")
_LEAST_SPLIT = 10  # letters of a word that may be two: postoperative, post operative
_MAKE_ANOTHER = OTHER_BY_PLACE | OTHER_BY_SUFFIX


@lru_cache(maxsize=2**14)
def name_terms(name: str) -> frozenset[str]:
    """Return the terms of a name, and the letters and numbers that distinguish it."""
    marks = {letter.casefold() for letter in _LETTER.findall(name) if letter not in "as"}
    folded = name.casefold()
    if any(kind in folded for kind in _KINDS):
        numbers = [kind[2].casefold() for kind in _KIND.finditer(name)]
        marks.update(_ROMAN.get(number, number) for number in numbers)
        name = _KIND.sub(r"\1", name)
    return frozenset({*terms_of(name), *marks})


@lru_cache(maxsize=2**14)
def condition_terms(name: str) -> frozenset[str]:
    """Return the terms of a condition; a neoplasm is a cancer, and metastases are a metastasis."""
    terms = name_terms(name)
    greek = {term for term in terms if term.endswith(_GREEK_PLURAL)}
    if greek:
        terms = terms - greek | {f"{term[:-1]}is" for term in greek}
    if terms.isdisjoint(KINDS_OF_CANCER):
        return terms
    return terms - KINDS_OF_CANCER | {"cancer"}


def titles_of(studies: Iterable[Study]) -> tuple[str, ...]:
    """Return the titles and keywords of studies."""
    return tuple(
        text
        for study in studies
        for text in (study.title, study.official_title, study.acronym, *study.keywords)
        if text
    )


def supports_condition(texts: Iterable[str], name: str) -> bool:
    """Report whether one of several texts has all words of the name of a condition.

    Not where a word beside it makes another condition of it, as in pulmonary hypertension and
    non-small cell lung cancer.
    """
    its = condition_terms(name)
    return bool(its) and any(_has(text, its) and _means(text, name, its) for text in texts)


def supports_substance(texts: Iterable[str], name: str) -> bool:
    """Report whether one of several texts has all words of the name of a substance."""
    its = name_terms(name)
    return bool(its) and any(its <= name_terms(text) for text in texts)


def words_in_common(name: str, other: str) -> str:
    """Return the longest run of words of a name that another one has too, as it is written.

    A run that a further word follows is none: it lacks what it is about, as sudden cardiac death
    and sudden cardiac arrest.
    """
    theirs = condition_terms(other)
    best = ""
    for part in _PARTS.split(name):
        words = part.split()
        length = 0
        while length < len(words) and _is_in(words[-1 - length], theirs):
            length += 1
        best = max(best, " ".join(words[len(words) - length :]), key=len)
    return best


def _is_in(word: str, terms: frozenset[str]) -> bool:
    its = condition_terms(word)
    return bool(its) and its <= terms


def _means(text: str, name: str, terms: frozenset[str]) -> bool:
    """Report whether a text that has the words of a condition means that condition."""
    if condition_terms(text).isdisjoint(_MAKE_ANOTHER) and "non" not in text.casefold():
        return True
    rest = _another(name).sub(" ", text)
    return rest == text or _has(rest, terms)


def _has(text: str, terms: frozenset[str]) -> bool:
    """Report whether a text has the terms of a condition, if need be in two words."""
    missing = terms - condition_terms(text)
    if not missing:
        return True
    if len(missing) > 1:
        return False
    (term,) = missing
    return len(term) >= _LEAST_SPLIT and term in _NO_WORD.sub("", text.casefold())


@lru_cache(maxsize=2**12)
def _another(name: str) -> re.Pattern[str]:
    """Return a pattern of the other conditions that a word beside a name makes of it."""
    words = _WORD.findall(name.casefold())
    places = "|".join(sorted(OTHER_BY_PLACE - name_terms(name)))
    suffixes = "|".join(sorted(OTHER_BY_SUFFIX - name_terms(name)))
    last = re.escape(words[-1]) if words else r"(?!)"
    patterns = [rf"\b{last}\W+(?:{suffixes})\b"]
    if words and "non" not in words:
        patterns.append(rf"\bnon\W{{1,2}}(?:{'|'.join(map(re.escape, words))})\b")
    if len(words) == 1:
        patterns += [
            rf"\b(?:{places})\W+(?:[^\W_]+\W+)?{last}\b",
            rf"\b{last}\W+(?:[^\W_]+\W+)?(?:{places})\b(?=\W*$)",
        ]
    return re.compile("|".join(patterns), re.IGNORECASE)
