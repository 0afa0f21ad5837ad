"""What a term is: a word in one spelling, or a code such as `BMS-986165`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

TERMS_VERSION = 3
"""Version of what a term is; part of the recipe."""

MAX_BYTES = 32
"""The longest term in UTF-8; longer ones are cut."""

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
# Capitals and a number with a blank between them, such as `AMG 706`; the number is not a year.
# A pattern that begins with a set of characters is found several times as fast.
_CODE = re.compile(r"([A-Z](?<![^\W_].)[A-Z]{1,5}) (?!(?:19|20)\d\d(?![^\W_]))(\d{2,8})(?![^\W_])")

# British spellings and the American ones, in words of at least this many letters.
_LEAST_BRITISH = 5
_MAY_BE_BRITISH = re.compile(r"[ao]e|our|sulph|is|lys|re$|mme$")  # one search, not seven
_SPELLINGS = tuple(
    (re.compile(british), american)
    for british, american in (
        (r"[ao]e(?=\w)", "e"),  # haematology, oedema; not spinae
        (r"our(?=$|al|ed|ing|ful|able|ite)", "or"),  # tumour, behavioural; not course
        (r"sulph", "sulf"),
        (r"is(?=(?:e|ed|er|es|ing|ation)$)", "iz"),  # randomised
        (r"lys(?=(?:e|ed|es|ing)$)", "lyz"),
        (r"([bt])re$", r"\1er"),  # fibre, centre
        (r"mme$", "m"),  # programme
    )
)


def terms_of(text: str) -> Iterator[str]:
    """Yield the terms of a text, each as many times as it occurs there.

    A term is a word of at least two letters, in the singular and in American spelling. A
    hyphenated code with a digit (`BMS-986165`) is also a term as one word, and so are capitals
    followed by a number (`AMG 706`).
    """
    for letters, digits in _CODE.findall(text):
        yield _cut(f"{letters}{digits}".casefold())
    for word in _WORD.findall(text.casefold()):
        if "-" not in word:
            if len(word) > 1 and not word.isdigit():
                yield _term(word)
            continue
        parts = word.split("-")
        if any(map(str.isdigit, word)):
            yield _cut("".join(parts))
        for part in parts:
            if len(part) > 1 and not part.isdigit():
                yield _term(part)


@lru_cache(maxsize=2**17)
def _term(word: str) -> str:
    """Return the term of a case-folded word."""
    return _cut(plain(word))


def plain(word: str) -> str:
    """Return a word in the singular and in American spelling: `haemorrhages` → `hemorrhage`.

    The same rules apply to every word, right or wrong (`exercise` → `exercize`).
    """
    if len(word) > 5 and word.endswith("ies"):  # noqa: PLR2004 - therapies, not dies
        word = f"{word[:-3]}y"
    elif len(word) > 3 and word[-1] == "s" and word[-2] not in "sui":  # noqa: PLR2004 - as above
        word = word[:-1]
    if len(word) >= _LEAST_BRITISH and word.isalpha() and _MAY_BE_BRITISH.search(word):
        for british, american in _SPELLINGS:
            word = british.sub(american, word)
    return word


def _cut(term: str) -> str:
    """Return a term cut to `MAX_BYTES`, at the end of a letter."""
    encoded = term.encode()
    return term if len(encoded) <= MAX_BYTES else encoded[:MAX_BYTES].decode(errors="ignore")
