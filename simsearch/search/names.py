"""The names that studies give their conditions and interventions, compared by their terms.

Word order, plural, case and brackets make no difference; letters and numbers that distinguish
names do (hepatitis B and C, type 1 and type 2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from types import MappingProxyType

import msgspec

from simsearch.index.terms import terms_of
from simsearch.search.spelling import plain_word
from simsearch.search.stop_words import (
    COARSE_WORDS,
    CONTROLS,
    HEALTHY_PEOPLE,
    KINDS_OF_CONDITION,
    PLACEBOS,
    WAYS_TO_GIVE,
    WIDE_WORDS,
)
from simsearch.study import Study

# What distinguishes names of the same words: a single letter (hepatitis C), a number of a kind.
_LETTER = re.compile(r"(?<![^\W_])(?<!['\u2019])[^\W\d_](?![^\W_])")
_KIND = re.compile(r"\b(type|stage|grade|class)\W{0,2}(\d{1,2}|i{1,3}|i?v)\b", re.IGNORECASE)
_ROMAN = MappingProxyType({"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"})
# Initials as titles have them; two letters have too many meanings.
_INITIALS = re.compile(r"\b[A-Z]{3,8}\b")
_BRACKETS = re.compile(r"\(([^()]*)\)")
# Between the parts of a name: `aspirin or placebo`, `placebo (vehicle)`.
_JOINTS = re.compile(r"\b(?:and|or|plus|versus|vs|with)\b|[/+,;:&()]", re.IGNORECASE)

_Alike = Callable[[frozenset[str], frozenset[str]], bool]


class Names(msgspec.Struct, frozen=True):
    """Names as registered → what each goes by, as sets of terms; and the `terms` of them all."""

    sets: Mapping[str, Sequence[frozenset[str]]]
    terms: frozenset[str]


class Named(msgspec.Struct, frozen=True):
    """What studies name: their conditions, the MeSH terms of these, and their interventions.

    Interventions only by what they are: not by how they are given, and without controls.
    """

    conditions: Names
    mesh: Names
    interventions: Names


def named_by(studies: Sequence[Study]) -> Named:
    """Return what studies name."""
    return Named(_conditions(studies), _mesh(studies), _interventions(studies))


def both_in_common(
    named: Named, studies: Sequence[Study], neighbour: Study, its: Named
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the conditions and the interventions of a neighbour that query studies have too."""
    conditions = _in_common(named.conditions, its.conditions, _same)
    interventions = _in_common(named.interventions, its.interventions, _contained)
    return (
        conditions
        or _in_titles(named.conditions, studies, its.conditions, neighbour)
        or _condition_mesh_in_common(studies, neighbour),
        interventions or _substance_in_common(studies, neighbour),
    )


def are_borne_by(studies: Iterable[Study], names: Names) -> bool:
    """Report whether the titles or keywords of studies have all words of one of the names."""
    said = _titles(studies).casefold()
    return any(
        terms - WIDE_WORDS and _bear(said, terms) for sets in names.sets.values() for terms in sets
    )


def _titles(studies: Iterable[Study]) -> str:
    return "\n".join(
        text
        for study in studies
        for text in (study.title, study.official_title, study.acronym, *study.keywords)
    )


def _bear(said: str, terms: Iterable[str]) -> bool:
    """Report whether a case-folded text has all terms of a name."""
    return all(plain_word(term, said) for term in terms)


def _in_titles(
    asked: Names, studies: Sequence[Study], its: Names, neighbour: Study
) -> tuple[str, ...]:
    """Return the conditions that one side registers and the other names in its titles or keywords.

    By all its words, or by its initials where both write them: PRCA of Pure Red Cell Aplasia.
    """
    titles, its_titles = _titles(studies), _titles([neighbour])
    both = set(_INITIALS.findall(titles)).intersection(_INITIALS.findall(its_titles))
    found = [name for name in asked.sets if _is_named(name, asked, its_titles, both)]
    found += [name for name in its.sets if _is_named(name, its, titles, both)]
    once = {_terms(name): name for name in reversed(found)}
    return tuple(name for name in found if name in once.values())[:1]


def _is_named(name: str, names: Names, titles: str, initials: Collection[str]) -> bool:
    """Report whether titles bear the name of a condition, if it is not a wide one."""
    if "".join(word[0] for word in re.findall(r"\w+", name)).upper() in initials:
        return True
    said = titles.casefold()
    return any(_is_telling(terms) and _bear(said, terms) for terms in names.sets[name])


def _is_telling(terms: frozenset[str]) -> bool:
    """Report whether the terms of a condition are more than an organ, a process or a wide word."""
    words = terms - WIDE_WORDS
    return len(words) > 1 or bool(words - COARSE_WORDS)


def _names(sets: Mapping[str, Sequence[frozenset[str]]]) -> Names:
    return Names(sets, frozenset().union(*chain.from_iterable(sets.values())))


def _conditions(studies: Iterable[Study]) -> Names:
    return _names({name: _forms(name) for study in studies for name in study.conditions})


@lru_cache(maxsize=2**14)
def _forms(name: str) -> tuple[frozenset[str], ...]:
    """Return the terms of a name: as a whole, without its brackets, and the contents of those."""
    forms = (name, _BRACKETS.sub(" ", name), *_BRACKETS.findall(name)) if "(" in name else (name,)
    return tuple(map(_terms, forms))


def _mesh(studies: Iterable[Study]) -> Names:
    return _names({term: (_terms(term),) for study in studies for term in study.condition_mesh})


def _condition_mesh_in_common(studies: Sequence[Study], neighbour: Study) -> tuple[str, ...]:
    """Return the longest MeSH condition term that a neighbour shares, unless it is a wide one.

    The terms come in alphabetical order, wide ones among them: the longest says most.
    """
    theirs = {term for study in studies for term in study.condition_mesh}
    telling = [
        term for term in neighbour.condition_mesh if term in theirs and _is_telling(_terms(term))
    ]
    return tuple(sorted(telling, key=lambda term: (-len(_terms(term) - WIDE_WORDS), term))[:1])


def _substance_in_common(studies: Sequence[Study], neighbour: Study) -> tuple[str, ...]:
    """Return the shortest MeSH intervention term that a neighbour shares, if it is a substance.

    MeSH has classes in the plural (Hormones; Antibodies, Monoclonal), which say little. It lists
    the salts and codes of a substance too: the shortest term without a digit is its name. It also
    lists parents of a substance (thalidomide of lenalidomide) and chance matches: an intervention
    of each study must need the term.
    """
    shared = [
        term
        for term in neighbour.intervention_mesh
        if (not term.split(",")[0].endswith("s") or term.endswith("limus"))
        and any(term in study.intervention_mesh and _needs(study, term) for study in studies)
        and _needs(neighbour, term)
    ]
    by_plainness = sorted(shared, key=lambda term: (any(map(str.isdigit, term)), len(term), term))
    return tuple(by_plainness[:1])


def _needs(study: Study, term: str) -> bool:
    """Report whether a MeSH term describes an intervention of a study.

    It names one, or one is left that no other term of the study names.
    """
    names = [terms for sets in _interventions([study]).sets.values() for terms in sets if terms]
    others = [_terms(other) for other in study.intervention_mesh if other != term]
    return not names or any(
        _terms(term) <= terms or not any(other <= terms for other in others) for terms in names
    )


def _interventions(studies: Iterable[Study]) -> Names:
    """Return the interventions with their synonyms, without placebos and other controls."""
    found: dict[str, list[frozenset[str]]] = {}
    for study in studies:
        for each in study.interventions:
            sets = map(_substance, (each.name, *each.other_names))
            found.setdefault(each.name, []).extend(sets)
    return _names(found)


def _in_common(asked: Names, its: Names, alike: _Alike) -> tuple[str, ...]:
    """Return the names of `its` that one of `asked` is alike to, each once."""
    if asked.terms.isdisjoint(its.terms):
        return ()
    theirs = [terms for sets in asked.sets.values() for terms in sets]
    names = [
        name
        for name, sets in its.sets.items()
        if any(alike(one, other) for one in sets for other in theirs)
    ]
    once = {_terms(name): name for name in reversed(names)}
    return tuple(name for name in names if name in once.values())


@lru_cache(maxsize=2**14)
def _terms(name: str) -> frozenset[str]:
    """Return the terms of a name, and the letters and numbers that distinguish it."""
    marks = {letter.casefold() for letter in _LETTER.findall(name) if letter not in "as"}
    for kind in _KIND.finditer(name):
        number = kind[2].casefold()
        marks.add(_ROMAN.get(number, number))
    return frozenset({*terms_of(_KIND.sub(r"\1", name)), *marks})


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    """Report whether two names are the same condition: the same words, or code (`covid19`).

    `HIV` is `HIV Infections`; being healthy is not a condition.
    """
    if not one - HEALTHY_PEOPLE:
        return False
    kind = one - KINDS_OF_CONDITION
    alike = one == other or (bool(kind) and kind == other - KINDS_OF_CONDITION)
    return alike or any(map(_is_code, one & other))


def _is_code(term: str) -> bool:
    return not (term.isalpha() or term.isdigit())


@lru_cache(maxsize=2**14)
def _substance(name: str) -> frozenset[str]:
    """Return the terms of what an intervention is, not of how it is given; of a control, none.

    Of `aspirin or placebo` those of aspirin, of `placebo cream` none.
    """
    terms = _terms(name)
    if not terms.isdisjoint(PLACEBOS):
        parts = map(_terms, _JOINTS.split(name))
        terms = frozenset().union(*(part for part in parts if part.isdisjoint(PLACEBOS)))
    terms = terms - CONTROLS - WAYS_TO_GIVE
    return terms if any(len(term) > 1 for term in terms) else frozenset()


def _contained(one: frozenset[str], other: frozenset[str]) -> bool:
    """Report whether one name is part of the other: `tacrolimus` of `tacrolimus 1 mg capsules`."""
    return bool(one and other) and (one <= other or other <= one)
