"""The words of a text that are a term: in the plural, in British spelling, as a code.

One thing is one word: `18f`, `fdg` and `18ffdg` are `18f-fdg`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

from simsearch.index.terms import terms_of
from simsearch.study import Study

_TO_THE_LEFT = re.compile(r"(?:[^\W_]+-)*$")
_COMPOUND = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_LONGEST_COMPOUND = 40  # letters to the left of a part
_LONGEST_PREFIX = 6  # letters before the number of a code
_CODE_PARTS = re.compile(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])")


def said_by(study: Study) -> str:
    """Return the texts of a study in which its terms are looked up, case-folded."""
    texts = (
        study.title, *study.conditions, *(each.name for each in study.interventions),
        study.summary, study.official_title, *study.keywords, *study.outcomes,
    )  # fmt: skip
    return "\n".join(texts).casefold()


def words_of(folded: str, terms: Collection[str]) -> dict[str, str]:
    """Return term → the word that a case-folded text has for it, where found."""
    return {term: word for term in terms if (word := _word(term, folded))}


def one_word_each(folded: str, terms: Mapping[str, float]) -> dict[str, float]:
    """Return words as a case-folded text has them → the sum of their terms' values, most first.

    Terms that are parts of one compound of the text, such as `il` and `il6` of IL-6, are that
    compound.

    Args:
        folded: the text.
        terms: term → value.
    """
    rest = dict(terms)
    values: dict[str, float] = {}
    found = _compounds_with(folded, rest)
    whole = {compound.replace("-", ""): compound for compound in found}
    compounds = {
        compound: parts
        for compound in found
        if len(parts := rest.keys() & {*terms_of(compound)}) > 1
    }
    for compound in sorted(compounds, key=lambda each: (-len(compounds[each]), len(each))):
        parts = compounds[compound] & rest.keys()
        if len(parts) > 1:
            values[compound] = sum(rest.pop(part) for part in sorted(parts))
    words = words_of(folded, rest)
    for term, value in rest.items():
        word = words.get(term) or whole.get(term, term)
        values[word] = values.get(word, 0) + value
    return dict(sorted(values.items(), key=lambda item: -item[1]))


def _compounds_with(folded: str, terms: Collection[str]) -> list[str]:
    """Return the hyphenated words of a case-folded text that a term begins or ends a part of.

    Each once, in the order of the terms.
    """
    found: dict[str, None] = {}
    for term in terms:
        for form in (f"{term}-", f"-{term}"):
            at = folded.find(form)
            if at >= 0:
                at += form[0] == "-"
                left = _TO_THE_LEFT.search(folded, max(0, at - _LONGEST_COMPOUND), at)
                word = _COMPOUND.match(folded, left.start() if left else at)
                if word:
                    found[word[0]] = None
    return list(found)


def only_begins_codes(term: str, folded: str) -> bool:
    """Report whether a case-folded text has a term only before numbers: `abt` of ABT-333."""
    if len(term) > _LONGEST_PREFIX or not term.isalpha():
        return False
    at = folded.find(term)
    if at < 0:
        return False
    while at >= 0:
        end = at + len(term)
        begins = not folded[at - 1 : at].isalnum()
        if begins and not (folded[end : end + 1].isalnum() or _is_number(folded, end)):
            return False
        at = folded.find(term, end)
    return True


def _is_number(text: str, at: int) -> bool:
    """Report whether a number follows a place of a text, after a hyphen or a blank."""
    return text[at : at + 1] in {"-", " "} and text[at + 1 : at + 2].isdigit()


def _word(term: str, folded: str) -> str:
    """Return the first word of a case-folded text that is the term, or one of its spellings."""
    word = plain_word(term, folded)
    if not word and term.isalpha():
        found = _spelt(term).search(folded)
        word = found[0] if found else ""
    return word


def plain_word(term: str, folded: str) -> str:
    """Return the first word of a case-folded text that is the term, with an s, or its code."""
    forms = (term,) if term.isalpha() else (term, *(_CODE_PARTS.sub(mark, term) for mark in "- "))
    for form in forms:
        at = folded.find(form)
        while at >= 0:
            end = at + len(form)
            end += folded[end : end + 1] == "s"
            if not (folded[at - 1 : at].isalnum() or folded[end : end + 1].isalnum()):
                return folded[at:end]
            at = folded.find(form, at + 1)
    return ""


@lru_cache(maxsize=2**12)
def _spelt(term: str) -> re.Pattern[str]:
    """Return a pattern of the words that are a term in the plural or in British spelling."""
    spelt = re.sub(r"y$", "(?:y|ies)", term)
    for american, both in (
        ("(?<!^)er$", "(?:er|re)"), ("m$", "m(?:me)?"), ("sulf", "sul(?:f|ph)"), ("iz", "i[sz]"),
        ("lyz", "ly[sz]"), ("or", "ou?r"), ("e(?![rs][|)])", "[ao]?e"),
    ):  # fmt: skip
        spelt = re.sub(american, both, spelt)
    return re.compile(rf"(?<![^\W_]){spelt}s?(?![^\W_])")
