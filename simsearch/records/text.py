"""Cleaning of registry text; every reader uses it."""

from __future__ import annotations

import html
import re
import string
import unicodedata
from functools import lru_cache
from html.entities import html5

# Markdown escapes in the registry's markup fields: a backslash before ASCII punctuation.
_ESCAPE = re.compile(r"\\([" + re.escape(string.punctuation) + r"])")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
# Characters of old word processors' symbol font, which ended up in the private use area.
_SYMBOLS = str.maketrans(
    {0xF061: "α", 0xF062: "β", 0xF064: "δ", 0xF067: "γ", 0xF06B: "κ", 0xF06C: "λ", 0xF06D: "μ",
     0xF0A3: "≤", 0xF0B0: "°", 0xF0B1: "±", 0xF0B3: "≥"}
)  # fmt: skip
# NUL (every other byte of UTF-16), zero-width, bidirectional, replacement, surrogate and private
# use characters.
_INVISIBLE = re.compile(
    "[\x00\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufffd\ud800-\udfff\ue000-\uf8ff]"
)
# Other control characters, which stand where a blank or a line break was.
_CONTROL = re.compile("[\x01-\x1f\x7f-\x9f]")

MAX_LENGTH = 100_000
"""Longer texts are cut: the registry takes no more than a third of this in any field."""
_FILLERS = frozenset({"not provided", "[not provided]", "n/a", "none", "[redacted]"})
# The title of a study whose posting is delayed; hundreds of studies share it.
_WITHHELD_TITLE = "trial of device that is not approved or cleared by the u.s. fda"

_FILLER_STARTS = "nN[tT"
_LONGEST_FILLER = len(_WITHHELD_TITLE) + 2


def clean_text(text: str | None, *, markup: bool = False) -> str:
    """Return `text` as a person would write it; `""` if it is only a filler.

    Resolves Markdown escapes (only with `markup`: summaries and descriptions have them, titles
    and names do not) and HTML entities, however often they were escaped; collapses white space
    to single blanks, and control characters too; drops invisible characters, all after the first
    100,000 characters, fillers such as "Not Provided" and the
    placeholder title of withheld studies. Letters, accents and Greek stay as they are; Greek
    in the old symbol font becomes Unicode Greek.
    """
    if not text:
        return ""
    if len(text) > MAX_LENGTH:
        text = text[:MAX_LENGTH]
    if _is_clean(text, markup=markup):
        return "" if text[0] in _FILLER_STARTS and _is_filler(text) else text
    text = _resolved(text, markup=markup)
    return "" if _is_filler(text) else text


def clean_lines(text: str | None) -> str:
    """Return a long text with Markdown escapes as `clean_text` does, a line for each of its own.

    Lines are paragraphs and items of lists; blank lines and indentation are dropped.
    """
    if not text:
        return ""
    written = text[:MAX_LENGTH].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(written) == 1:
        return clean_text(text, markup=True)
    lines = [
        line if _is_clean(line, markup=True) else _resolved(line, markup=True)
        for line in map(str.strip, written)
        if line
    ]
    return "\n".join(filter(None, lines))


def _is_clean(text: str, *, markup: bool) -> bool:
    """Return whether a text is clean already, as nine in ten are; these checks are fast."""
    return (
        text.isprintable()
        and "&" not in text
        and "  " not in text
        and text[0] != " "
        and text[-1] != " "
        and not (markup and "\\" in text)
        and (text.isascii() or ("\ufffd" not in text and unicodedata.is_normalized("NFC", text)))
    )


def _resolved(text: str, *, markup: bool) -> str:
    """Return a text without escapes, entities, irregular white space and invisible characters."""
    if markup:
        text = _ESCAPE.sub(r"\1", text)
    before = ""
    while text != before:  # each round shortens the text, or is the last
        before = text
        text = _CONTROL.sub(" ", _INVISIBLE.sub("", text.translate(_SYMBOLS)))
        text = _ENTITY.sub(_entity, text)
        text = " ".join(unicodedata.normalize("NFC", text).split())
    return text


@lru_cache(maxsize=2**17)
def clean_name(text: str | None) -> str:
    """Return `clean_text(text)`, cached: for names that many studies share."""
    return clean_text(text)


def _is_filler(text: str) -> bool:
    if len(text) > _LONGEST_FILLER:
        return False
    bare = text.lower()
    return bare in _FILLERS or bare.strip("[]") == _WITHHELD_TITLE


def _entity(match: re.Match[str]) -> str:
    """Resolve an entity; registrants' software capitalised some (&Amp;)."""
    name = match[0][1:]
    if name.startswith("#"):
        return html.unescape(match[0])
    return html5.get(name) or html5.get(name.lower()) or match[0]
