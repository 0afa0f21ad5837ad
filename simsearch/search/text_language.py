"""Whether a text is in another language than English, which is all that an index can read."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from simsearch.search.stop_words import (
    FOREIGN_PHRASES,
    FUNCTION_WORDS,
    WORDS_OF_OTHER_LANGUAGES,
)

_LEAST_UNKNOWN = 1 / 3  # of the words


def language_of(words: Sequence[str], is_known: Callable[[str], bool]) -> str:
    """Return which other language a text is in, or an empty text for English.

    It has short words of one, none of English, and either two of them or words that no study has.

    Args:
        words: the words of the text, in their order.
        is_known: whether the studies have a word.
    """
    letters = "".join(filter(str.isalpha, "".join(words)))
    others = [letter for letter in letters if not _is_latin(letter)]
    if 2 * len(others) > len(letters):
        script = unicodedata.name(others[0], "OTHER").split()[0]
        return "Chinese characters" if script == "CJK" else f"{script.title()} letters"
    folded = [word.casefold() for word in words]
    said = f" {' '.join(folded)} "
    for phrase in FOREIGN_PHRASES:
        said = said.replace(f" {phrase} ", " ")
    rest = said.split()
    found = {
        name: sum(word in its and word not in FUNCTION_WORDS for word in rest)
        for name, its in WORDS_OF_OTHER_LANGUAGES.items()
    }
    language = max(found, key=lambda name: found[name])
    its = WORDS_OF_OTHER_LANGUAGES[language]
    if not found[language] or any(word in FUNCTION_WORDS and word not in its for word in rest):
        return ""
    unknown = sum(not is_known(word) for word in rest)
    return language if found[language] > 1 or unknown >= _LEAST_UNKNOWN * len(rest) else ""


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(("LATIN", "GREEK", "FEMININE", "MASCULINE"))
