"""How a neighbour is related to the query studies, in words: the most specific that holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from simsearch.search.names import Named, named_by
from simsearch.search.names_in_common import (
    are_borne_by,
    conditions_in_common,
    interventions_in_common,
    substances_in_common,
)
from simsearch.search.stop_words import KINDS_OF_INTERVENTION, NO_SUBJECT, WIDE_WORDS
from simsearch.study import Study

NEAR_MEANING = 0.7
"""Cosine of two fields from which they are said to be near in meaning."""

_NO_INTERVENTION = NO_SUBJECT | WIDE_WORDS | KINDS_OF_INTERVENTION
_EXTENSION = re.compile(
    r"\b(extension (study|trial)|roll[- ]?over|continuation study|long[- ]?term extension"
    r"|long[- ]?term follow[- ]?up)\b",
    re.IGNORECASE,
)


def mentions(naming: Study, named: Study) -> bool:
    """Report whether one study names another, by its number or by an obsolete one."""
    mentioned = naming.mentions
    return bool(mentioned) and not {named.nct_id, *named.aliases}.isdisjoint(mentioned)


def are_sisters(one: Study, other: Study) -> bool:
    """Report whether studies of one sponsor have a condition and an intervention in common."""
    if not one.sponsor or one.sponsor != other.sponsor:
        return False
    asked, its = named_by([one]), named_by([other])
    return bool(conditions_in_common(asked, its) and interventions_in_common(asked, its))


def relation(
    mine: Named,
    its: Named,
    conditions: Sequence[str],
    interventions: Sequence[str],
    cosines: Mapping[str, float],
    is_topical: Callable[[str], bool],
) -> str:
    """Return how a neighbour is related to the query studies: the most specific relation, or `""`.

    Args:
        mine: what the query studies name.
        its: what the neighbour names.
        conditions: those that they have in common.
        interventions: likewise.
        cosines: `conditions` and `interventions` → how near the two are by that field.
        is_topical: whether a word says what a study is about.
    """
    studies, (neighbour,) = mine.studies, its.studies
    asked = "this study" if len(studies) == 1 else "one of these studies"
    names_it = any(mentions(neighbour, study) for study in studies)
    is_named = any(mentions(study, neighbour) for study in studies)
    same_sponsor = any(study.sponsor and study.sponsor == neighbour.sponsor for study in studies)
    extends = _is_extension(neighbour.title)
    is_extended = any(_is_extension(study.title) for study in studies)
    known = {
        f"extension of {asked}": extends and not is_extended and names_it,
        f"extended by {asked}": is_extended and not extends and is_named,
        "extension study of the same sponsor": (
            extends and not is_extended and same_sponsor and conditions and interventions
        ),
        f"names {asked}": names_it,
        f"named by {asked}": is_named,
        "same sponsor's sister study": same_sponsor and conditions and interventions,
        "same condition and intervention": conditions and interventions,
        "same intervention, other condition": (
            interventions and not conditions and _differ("conditions", mine, its, cosines)
        ),
        "same intervention": interventions,
        "same condition, other intervention": (
            conditions
            and not interventions
            and _differ("interventions", mine, its, cosines)
            and not _titles_share_one(mine, its, is_topical)
        ),
        "same condition": conditions,
    }
    return next((name for name, holds in known.items() if holds), "")


@lru_cache(maxsize=2**10)
def _is_extension(title: str) -> bool:
    return bool(_EXTENSION.search(title))


def _differ(field: str, asked: Named, its: Named, cosines: Mapping[str, float]) -> bool:
    """Report whether studies name something else in a field, by words and by meaning.

    A name of one study that the other has in its title is not something else (`COPD`), nor is
    what the registry gives a MeSH term of the other.
    """
    if cosines.get(field, 0) >= NEAR_MEANING:
        return False
    if field == "conditions":
        mine, theirs = asked.conditions, its.conditions
        my_terms, its_terms = mine.terms | asked.mesh, theirs.terms | its.mesh
    else:
        mine, theirs = asked.interventions, its.interventions
        my_terms, its_terms = mine.terms, theirs.terms
    my_terms, its_terms = my_terms - WIDE_WORDS, its_terms - WIDE_WORDS
    return bool(
        my_terms
        and its_terms
        and my_terms.isdisjoint(its_terms)
        and not are_borne_by(asked, theirs)
        and not are_borne_by(its, mine)
        and not (field == "interventions" and substances_in_common(asked, its))
    )


def _titles_share_one(asked: Named, its: Named, is_topical: Callable[[str], bool]) -> bool:
    """Report whether titles of both sides have a telling word of an intervention of one.

    It may be registered as part of a regimen on one side, and not at all on the other.
    """
    words = asked.interventions.terms | its.interventions.terms
    words = words - _NO_INTERVENTION - asked.conditions.terms - its.conditions.terms
    for side in (asked, its):
        words = words and words & side.title_terms
    return any(map(is_topical, words))
