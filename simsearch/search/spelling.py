"""The words of a text that are a term: in the plural, in British spelling, as a code."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from simsearch.study import Study

_CODE_PARTS = re.compile(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])")


def words_of(study: Study, terms: Collection[str]) -> dict[str, str]:
    """Return term → the word that a study's texts have for it, where found."""
    texts = (
        study.title, *study.conditions, *(each.name for each in study.interventions),
        study.summary, study.official_title, *study.keywords, *study.outcomes,
    )  # fmt: skip
    folded = "\n".join(texts).casefold()
    return {term: word for term in terms if (word := _word(term, folded))}


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
