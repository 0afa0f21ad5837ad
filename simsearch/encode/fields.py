"""The texts that represent a study.

Three texts of a study are encoded: the *text* (title, conditions, interventions and summary), its
*conditions*, and its *interventions*. A fourth, the *lexical* text, is indexed by its terms.
Changing what any of them contains changes the vector space: increase `TEXT_VERSION` with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from simsearch.records.number_shapes import may_hold_numbers, without_numbers
from simsearch.study import Study

TEXT_VERSION = 3
"""Version of the encoded texts, part of every index's recipe."""

# A study must not become a neighbour only because another one mentions its number.
_NCT_ID = re.compile(r"(?<![^\W_])NCT[\W_]{0,3}[0-9]{5,}", re.IGNORECASE)
# Brackets left empty by removing a number: "(NCT00000102)", "[ ]".
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|\[\s*\]")
# Those left by several, or by a number with a label: "(, )", "(: )".
_BRACKETS_OF_SEVERAL = re.compile(r"\([\s,;:/&.-]*\)|\[[\s,;:/&.-]*\]")
_KEY_BYTES = 16


def whole_text(study: Study) -> str:
    """Return title, conditions, interventions and summary as the sentences of one text."""
    parts = (study.title, conditions_text(study), interventions_text(study), study.summary)
    return plain_text(" ".join(_sentence(part) for part in parts if part))


def lexical_text(study: Study) -> str:
    """Return the text whose terms are indexed: the whole text and further fields of the record.

    These are official title, acronym, keywords, MeSH terms, synonyms of interventions, outcomes.
    """
    synonyms = (name for each in study.interventions for name in each.other_names)
    parts = (
        whole_text(study), study.official_title, study.acronym, *study.keywords,
        *study.condition_mesh, *study.intervention_mesh, *synonyms, *study.outcomes,
    )  # fmt: skip
    return plain_text("\n".join(parts))


def conditions_text(study: Study) -> str:
    """Return the conditions, separated by semicolons."""
    return plain_text("; ".join(study.conditions))


def interventions_text(study: Study) -> str:
    """Return the names of the interventions, separated by semicolons."""
    return plain_text("; ".join(each.name for each in study.interventions))


FIELDS: Mapping[str, Callable[[Study], str]] = MappingProxyType(
    {"text": whole_text, "conditions": conditions_text, "interventions": interventions_text}
)
"""Name of each encoded field → the function that returns its text, in the order of the vectors."""


def plain_text(text: str) -> str:
    """Return `text` without numbers of registries and brackets around them, blanks collapsed."""
    brackets = _EMPTY_BRACKETS
    if may_hold_numbers(text):
        bare = _NCT_ID.sub(" ", text)
        text = without_numbers(bare)
        brackets = _EMPTY_BRACKETS if text == bare else _BRACKETS_OF_SEVERAL
    return " ".join(brackets.sub(" ", text).split())


def has_words(texts: Iterable[str]) -> bool:
    """Return whether any of the texts contains a letter or a digit."""
    return any(character.isalnum() for text in texts for character in text)


def text_key(text: str) -> bytes:
    """Return 16 bytes of the SHA-256 of a text, by which texts are compared.

    The chance that any two of a billion texts share a key is 1 in 10^21.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_KEY_BYTES]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", ":", ";")) else text + "."
