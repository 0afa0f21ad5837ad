"""The conditions and interventions that studies have in common, by the names they give them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from simsearch.search.names import (
    Named,
    Names,
    is_code,
    is_needed,
    is_substance,
    is_telling,
    spellings,
    tells,
)
from simsearch.search.registered import (
    condition_terms,
    name_terms,
    supports_condition,
    supports_substance,
    words_in_common,
)
from simsearch.search.spelling import plain_word
from simsearch.search.stop_words import (
    FUNCTION_WORDS,
    HEALTHY_PEOPLE,
    KINDS_OF_CONDITION,
    STATES_OF_DISEASE,
    WIDE_WORDS,
)

_NEOPLASMS = re.compile(r"\bNeoplasms?\b")  # as MeSH calls what most records call cancer


_Alike = Callable[[frozenset[str], frozenset[str]], bool]


def conditions_in_common(asked: Named, its: Named) -> tuple[str, ...]:
    """Return the conditions of a neighbour that query studies have too, as they are registered.

    Where no two of them are the same, one: that which a title, keyword or condition of the other
    side supports, else a MeSH term that texts of both support, else the words that conditions
    with a MeSH term in common share.
    """
    return (
        _in_common(asked.conditions, its.conditions, _same)
        or _in_texts(asked, its)
        or _mesh_in_common(asked, its)
    )


def interventions_in_common(
    asked: Named, its: Named, is_topical: Callable[[str], bool] = bool
) -> tuple[str, ...]:
    """Return the interventions of a neighbour that query studies have too.

    Where no two names are the same, one: a MeSH term that registered texts of both support, else
    the name on one side that titles on the other have, if both have a MeSH term.

    Args:
        asked: what the query studies name.
        its: what the neighbour names.
        is_topical: whether a word says what a study is about: a survey is no intervention.
    """

    def contained(one: frozenset[str], other: frozenset[str]) -> bool:
        return _contained(one, other) and is_topic(one & other)

    def is_topic(terms: frozenset[str]) -> bool:
        return any(map(is_topical, terms - FUNCTION_WORDS))

    named = _in_common(asked.interventions, its.interventions, contained)
    if named:
        return named
    substances = substances_in_common(asked, its)
    if not substances:
        return ()
    texts, its_texts = _texts_on_substances(asked), _texts_on_substances(its)
    by_mesh = [
        term
        for term in substances
        if supports_substance(its_texts, term) and supports_substance(texts, term)
    ]
    by_title = (
        name
        for names, said in ((its.interventions, asked.titles), (asked.interventions, its.titles))
        for name, sets in names.sets.items()
        if any(map(is_topic, sets)) and supports_substance(said, name)
    )
    return tuple(by_mesh or by_title)[:1]


def are_borne_by(named: Named, names: Names) -> bool:
    """Report whether the titles or keywords of studies have all words of one of the names."""
    return any(
        terms - WIDE_WORDS and all(plain_word(term, named.folded_titles) for term in terms)
        for sets in names.sets.values()
        for terms in sets
    )


def _texts_on_substances(named: Named) -> tuple[str, ...]:
    names = (
        name
        for study in named.studies
        for each in study.interventions
        for name in (each.name, *each.other_names)
    )
    return (*names, *named.titles)


def _in_texts(asked: Named, its: Named) -> tuple[str, ...]:
    """Return the longest condition that one side registers and a text of the other has.

    By all its words, or by its initials where titles of both have them: PRCA of Pure Red Cell
    Aplasia.
    """
    mine, theirs = asked.conditions.sets, its.conditions.sets
    both = asked.initials & its.initials
    found = [
        name
        for names, other in ((mine, its), (theirs, asked))
        for name, sets in names.items()
        if _letters(name) in both
        or (
            any(map(is_telling, sets))
            and any(
                supports_condition(other.condition_texts, form)
                for form in spellings(name)
                if tells(form)
            )
        )
    ]
    return (max(found, key=lambda name: len(condition_terms(name) - WIDE_WORDS)),) if found else ()


@lru_cache(maxsize=2**14)
def _letters(name: str) -> str:
    return "".join(word[0] for word in re.findall(r"\w+", name)).upper()


def _mesh_in_common(asked: Named, its: Named) -> tuple[str, ...]:
    """Return the MeSH condition term that registered texts of both sides support.

    The longest says most. Where there is none, the words that registered conditions share.
    """
    theirs = {term for study in asked.studies for term in study.condition_mesh}
    ours = (term for study in its.studies for term in study.condition_mesh)
    shared = [term for term in ours if term in theirs and tells(term)]
    if not shared:
        return ()
    for term in sorted(shared, key=lambda term: -len(condition_terms(term) - WIDE_WORDS)):
        if all(supports_condition(side.condition_texts, term) for side in (its, asked)):
            return (_NEOPLASMS.sub("Cancer", term),)
    return _words_of_conditions(asked, its)


def _words_of_conditions(asked: Named, its: Named) -> tuple[str, ...]:
    """Return the longest run of words that a condition of each side has, if it says enough."""
    found = (
        words_in_common(name, other)
        for name in its.conditions.sets
        for other in asked.conditions.sets
    )
    kept = [words for words in map(_without_states, found) if " " in words and tells(words)]
    return (max(kept, key=len),) if kept else ()


def _without_states(words: str) -> str:
    """Return words without those at their ends that no condition begins or ends with."""
    kept = words.split()
    while kept and name_terms(kept[0]) <= STATES_OF_DISEASE | FUNCTION_WORDS:
        kept = kept[1:]
    while kept and name_terms(kept[-1]) <= STATES_OF_DISEASE | FUNCTION_WORDS:
        kept = kept[:-1]
    return " ".join(kept)


def substances_in_common(asked: Named, its: Named) -> tuple[str, ...]:
    """Return the MeSH intervention terms of substances that both sides have, the plainest first.

    MeSH has classes in the plural (Hormones; Antibodies, Monoclonal), which say little. It lists
    the salts and codes of a substance too: the shortest term without a digit is its name. It also
    lists parents of a substance (thalidomide of lenalidomide) and chance matches: an intervention
    of each study must need the term. Registered texts need not have it.
    """
    shared = [
        term
        for neighbour in its.studies
        for term in neighbour.intervention_mesh
        if is_substance(term)
        and any(
            term in study.intervention_mesh and is_needed(study, term) for study in asked.studies
        )
        and is_needed(neighbour, term)
    ]
    return tuple(sorted(shared, key=lambda term: (any(map(str.isdigit, term)), len(term), term)))


def _in_common(asked: Names, its: Names, alike: _Alike) -> tuple[str, ...]:
    """Return the names of `its` that one of `asked` is alike to, each once."""
    if asked.terms.isdisjoint(its.terms):
        return ()
    # What is alike has a term in common.
    theirs = {
        terms for sets in asked.sets.values() for terms in sets if not terms.isdisjoint(its.terms)
    }
    names = [
        name
        for name, sets in its.sets.items()
        if any(
            alike(one, other) for one in sets if not one.isdisjoint(asked.terms) for other in theirs
        )
    ]
    once = {name_terms(name): name for name in reversed(names)}
    return tuple(name for name in names if name in once.values())


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    """Report whether two names are the same condition: the same words, or code (`covid19`).

    `HIV` is `HIV Infections`; being healthy is not a condition.
    """
    if not one - HEALTHY_PEOPLE:
        return False
    kind = one - KINDS_OF_CONDITION
    alike = one == other or (bool(kind) and kind == other - KINDS_OF_CONDITION)
    return alike or any(map(is_code, one & other))


def _contained(one: frozenset[str], other: frozenset[str]) -> bool:
    """Report whether one name is part of the other: `tacrolimus` of `tacrolimus 1 mg capsules`."""
    return bool(one and other) and (one <= other or other <= one)
