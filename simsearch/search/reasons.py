"""Why a study is a neighbour: what it has in common with the query study, in words.

Everything said here is read from the two records and from the signals; nothing is guessed
by a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import msgspec

from simsearch.index.opened import OpenedIndex
from simsearch.index.terms import TermWeights, combined, terms_of
from simsearch.search.names import Named, named_by
from simsearch.search.names_in_common import (
    are_borne_by,
    conditions_in_common,
    interventions_in_common,
    substances_in_common,
)
from simsearch.search.neighbour import Neighbour, Reason
from simsearch.search.query_parts import QueryPart
from simsearch.search.registrations import (
    Registrations,
    registrations,
    registrations_of,
    same_registration,
)
from simsearch.search.spelling import one_word_each, only_begins_codes, said_by
from simsearch.search.stop_words import (
    CONTROLS,
    FUNCTION_WORDS,
    KINDS_OF_INTERVENTION,
    STATES_OF_DISEASE,
    WAYS_TO_GIVE,
    WIDE_WORDS,
)
from simsearch.search.topical_words import topical_in
from simsearch.search.traits import Shared, traits_in_common
from simsearch.study import Study
from simsearch.vectors import weights_for

NEAR_MEANING = 0.7
"""Cosine of two fields from which they are said to be near in meaning."""

_SHOWN_TERMS = 5
_LEAST_SHOWN = 0.01  # a word that adds less is in many studies
_NO_SUBJECT = FUNCTION_WORDS | CONTROLS | WAYS_TO_GIVE | STATES_OF_DISEASE
_NO_INTERVENTION = _NO_SUBJECT | WIDE_WORDS | KINDS_OF_INTERVENTION
_EXTENSION = re.compile(
    r"\b(extension (study|trial)|roll[- ]?over|continuation study|long[- ]?term extension"
    r"|long[- ]?term follow[- ]?up)\b",
    re.IGNORECASE,
)


def explain(
    index: OpenedIndex,
    parts: Sequence[QueryPart],
    studies: Sequence[Study],
    neighbours: Sequence[Neighbour],
    weights: Mapping[str, float],
) -> list[Reason]:
    """Return why each study of an answer is a neighbour.

    Args:
        index: the index that gave them.
        parts: the parts of the query.
        studies: the query studies or the draft among the parts, as they are registered.
        neighbours: the answer, or some of it.
        weights: signal name → weight, as in the query.
    """
    near_parts = [part for part in parts if not part.away]
    mean = 1 / len(near_parts)
    shares = [weights_for(weights, part.present) for part in near_parts]
    asked = _Asked(
        index,
        topical_in(index),
        "\n".join(map(said_by, studies)),
        frozenset().union(*(_sponsor_terms(study.sponsor) for study in studies)),
        combined([(mean, part.terms) for part in near_parts]),
        {name: sum(share[name] for share in shares) / len(shares) for name in shares[0]},
        named_by(studies),
    )
    rows = index.store.rows_of_studies([each.study.nct_id for each in neighbours])
    mine, theirs = _registered(index, studies, rows, neighbours)
    designs = traits_in_common(index, studies, rows)
    return [
        _reason(asked, each, row, _same(mine, numbers), design)
        for each, row, numbers, design in zip(neighbours, rows, theirs, designs, strict=True)
    ]


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


class _Asked(msgspec.Struct, frozen=True):
    """A query as reasons need it, computed once: `terms` and `shares` are means of its parts."""

    index: OpenedIndex
    is_topical: Callable[[str], bool]
    said: str
    sponsors: frozenset[str]
    terms: TermWeights
    shares: Mapping[str, float]
    named: Named


def _registered(
    index: OpenedIndex,
    studies: Sequence[Study],
    rows: Sequence[int],
    neighbours: Sequence[Neighbour],
) -> tuple[list[Registrations], list[Registrations]]:
    """Return the numbers of the query studies and those of neighbours, given with their rows.

    Those of a draft are its own.
    """
    row_of = {study.nct_id: index.store.row_of(study.nct_id) for study in studies if study.nct_id}
    here = [study for study in studies if row_of.get(study.nct_id) is not None and not study.facts]
    found = registrations(
        index,
        [*(row_of[study.nct_id] or 0 for study in here), *rows],
        [*here, *(each.study for each in neighbours)],
    )
    drafts = [registrations_of(study) for study in studies if study not in here]
    return [*found[: len(here)], *drafts], found[len(here) :]


def _same(registered: Sequence[Registrations], numbers: Registrations) -> str:
    return next(filter(None, (same_registration(each, numbers) for each in registered)), "")


def _reason(asked: _Asked, neighbour: Neighbour, row: int, same: str, design: Shared) -> Reason:
    """Return why a study is a neighbour.

    `same` says what makes it the same trial, if it is; `design` what the designs share.
    """
    study, its = neighbour.study, named_by([neighbour.study])
    conditions = conditions_in_common(asked.named, its)
    interventions = interventions_in_common(asked.named, its, asked.is_topical)
    added = {
        name: value * share
        for name, value in neighbour.signals.items()
        if (share := asked.shares.get(name, 1.0))
    }  # what is subtracted (`away`) counts in full
    total = sum(added.values())  # of the signals, whatever put the neighbours in order
    found = {"conditions": conditions, "interventions": interventions}
    healthy = asked.named.are_healthy or its.are_healthy  # having no condition is not alike
    return Reason(
        same or _relation(asked.named, its, neighbour, conditions, interventions, asked.is_topical),
        conditions,
        interventions,
        {
            field: round(neighbour.signals[field], 3)
            for field, names in found.items()
            if not names
            and neighbour.signals.get(field, 0) >= NEAR_MEANING
            and not (field == "conditions" and healthy)
        },
        _words_in_common(asked, study, row),
        {name: round(100 * value / total, 1) for name, value in added.items() if total > 0},
        *design,
    )


def _words_in_common(asked: _Asked, study: Study, row: int) -> dict[str, float]:
    """Return the words that carry the lexical signal of a neighbour → what each adds to it."""
    said = said_by(study)
    sponsors = asked.sponsors & _sponsor_terms(study.sponsor)
    terms: dict[str, float] = {}
    words: dict[str, float] = {}
    for term, value in asked.index.lexical.shared(asked.terms, row):
        if value < _LEAST_SHOWN:
            break
        if not _tells(asked, term, said) or (term in sponsors and not _is_named(study, term)):
            continue
        terms[term] = value
        if len(terms) >= _SHOWN_TERMS:
            words = one_word_each(said, terms)
            if len(words) >= _SHOWN_TERMS:
                break
    words = words or one_word_each(said, terms)
    return {word: round(value, 3) for word, value in words.items()}


@lru_cache(maxsize=2**10)
def _sponsor_terms(sponsor: str) -> frozenset[str]:
    return frozenset(terms_of(sponsor))


def _tells(asked: _Asked, term: str, said: str) -> bool:
    """Report whether a word in common says what two studies are about."""
    return (
        term not in _NO_SUBJECT
        and asked.is_topical(term)
        and not (only_begins_codes(term, said) and only_begins_codes(term, asked.said))
    )


def _is_named(study: Study, term: str) -> bool:
    """Report whether a condition or keyword of a study has a term."""
    return any(term in terms_of(text) for text in (*study.conditions, *study.keywords))


def _relation(
    mine: Named,
    its: Named,
    nearby: Neighbour,
    conditions: Sequence[str],
    interventions: Sequence[str],
    is_topical: Callable[[str], bool],
) -> str:
    """Return how a neighbour is related to the query studies: the most specific relation."""
    studies, neighbour = mine.studies, nearby.study
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
            interventions and not conditions and _differ("conditions", mine, its, nearby)
        ),
        "same intervention": interventions,
        "same condition, other intervention": (
            conditions
            and not interventions
            and _differ("interventions", mine, its, nearby)
            and not _titles_share_one(mine, its, is_topical)
        ),
        "same condition": conditions,
    }
    return next((relation for relation, holds in known.items() if holds), "")


@lru_cache(maxsize=2**10)
def _is_extension(title: str) -> bool:
    return bool(_EXTENSION.search(title))


def _differ(field: str, asked: Named, its: Named, neighbour: Neighbour) -> bool:
    """Report whether studies name something else in a field, by words and by meaning.

    A name of one study that the other has in its title is not something else (`COPD`), nor is
    what the registry gives a MeSH term of the other.
    """
    if neighbour.signals.get(field, 0) >= NEAR_MEANING:
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
        and not are_borne_by(asked.studies, theirs)
        and not are_borne_by(its.studies, mine)
        and not (field == "interventions" and substances_in_common(asked, its))
    )


def _titles_share_one(asked: Named, its: Named, is_topical: Callable[[str], bool]) -> bool:
    """Report whether titles of both sides have a telling word of an intervention of one.

    It may be registered as part of a regimen on one side, and not at all on the other.
    """
    words = asked.interventions.terms | its.interventions.terms
    for side in (asked, its):
        words = words and words & _terms_of_all(side.titles)
    words = words - _NO_INTERVENTION - asked.conditions.terms - its.conditions.terms
    return any(map(is_topical, words))


@lru_cache(maxsize=2**7)
def _terms_of_all(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(terms_of("\n".join(texts)))
