"""Which text stands for which field of a study.

Three texts per study are encoded: the whole *text* (title, conditions, interventions,
summary), the *conditions* and the *interventions*; a fourth, the *lexical*, is counted by its
words. Change what they hold and you change the vector space: raise `TEXT_VERSION` with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from simsearch.study import Study

TEXT_VERSION = 2

# A study that names another must not be its neighbour for the name's sake.
_NCT_ID = re.compile(r"(?<![^\W_])NCT[\W_]{0,3}[0-9]{5,}", re.IGNORECASE)
# A sentence that only wraps such a name: "(NCT00000102)", "[ ]".
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|\[\s*\]")


def whole_text(study: Study) -> str:
    """Return title, conditions, interventions and summary as sentences of one text."""
    parts = (study.title, conditions_text(study), interventions_text(study), study.summary)
    return plain_text(" ".join(_sentence(part) for part in parts if part))


def lexical_text(study: Study) -> str:
    """Return all that is told by its words: the whole text, and what a record adds to it.

    Official title, acronym, keywords, MeSH terms, synonyms of interventions, outcomes.
    """
    synonyms = (name for each in study.interventions for name in each.other_names)
    parts = (
        whole_text(study), study.official_title, study.acronym, *study.keywords,
        *study.condition_mesh, *study.intervention_mesh, *synonyms, *study.outcomes,
    )  # fmt: skip
    return plain_text("\n".join(parts))


def conditions_text(study: Study) -> str:
    """Return the conditions, joined."""
    return plain_text("; ".join(study.conditions))


def interventions_text(study: Study) -> str:
    """Return the names of the interventions, joined."""
    return plain_text("; ".join(each.name for each in study.interventions))


FIELDS: Mapping[str, Callable[[Study], str]] = MappingProxyType(
    {"text": whole_text, "conditions": conditions_text, "interventions": interventions_text}
)
"""The encoded fields by name, in the order of their vectors; each maps a study to its text."""


def plain_text(text: str) -> str:
    """Return `text` without NCT IDs and the brackets they leave empty, blanks collapsed."""
    without = _EMPTY_BRACKETS.sub(" ", _NCT_ID.sub(" ", text))
    return " ".join(without.split())


def has_words(texts: Iterable[str]) -> bool:
    """Tell whether any of the texts holds a letter or digit to compare."""
    return any(character.isalnum() for text in texts for character in text)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", ":", ";")) else text + "."
