"""The names that studies give their conditions and interventions, compared by their terms.

Word order, plural, case and brackets make no difference; letters and numbers that distinguish
names do (hepatitis B and C, type 1 and type 2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain

import msgspec

from simsearch.search.registered import (
    condition_terms,
    name_terms,
    supports_condition,
    supports_substance,
    titles_of,
    words_in_common,
)
from simsearch.search.spelling import plain_word
from simsearch.search.stop_words import (
    COARSE_WORDS,
    CONTROLS,
    FUNCTION_WORDS,
    HEALTHY_PEOPLE,
    KINDS_OF_CONDITION,
    PLACEBOS,
    STATES_OF_DISEASE,
    WAYS_TO_GIVE,
    WIDE_WORDS,
)
from simsearch.study import Study

_NEOPLASMS = re.compile(r"\bNeoplasms?\b")  # as MeSH calls what most records call cancer
# Initials as titles have them; two letters have too many meanings.
_INITIALS = re.compile(r"[A-Z](?<!\w.)[A-Z]{2,7}\b(?![- ]?CoV)")
_BRACKETS = re.compile(r"\(([^()]*)\)")
# Between the parts of a name: `aspirin or placebo`, `placebo (vehicle)`.
_JOINTS = re.compile(r"\b(?:and|or|plus|versus|vs|with)\b|[/+,;:&()]", re.IGNORECASE)

_Alike = Callable[[frozenset[str], frozenset[str]], bool]


class Names(msgspec.Struct, frozen=True):
    """Names as registered → what each goes by, as sets of terms; and the `terms` of them all."""

    sets: Mapping[str, Sequence[frozenset[str]]]
    terms: frozenset[str]


class Named(msgspec.Struct, frozen=True, dict=True):
    """What studies name: their conditions and their interventions.

    Interventions only by what they are: not by how they are given, and without controls.
    """

    studies: Sequence[Study]
    conditions: Names
    interventions: Names

    @cached_property
    def mesh(self) -> frozenset[str]:
        """The words of the MeSH terms of the conditions."""
        terms = (term for study in self.studies for term in study.condition_mesh)
        return frozenset().union(*map(condition_terms, terms))

    @cached_property
    def titles(self) -> tuple[str, ...]:
        """The titles and keywords of the studies."""
        return titles_of(self.studies)

    @cached_property
    def initials(self) -> frozenset[str]:
        """The initials in titles and keywords."""
        return frozenset(found for title in self.titles for found in _INITIALS.findall(title))

    @property
    def are_healthy(self) -> bool:
        """Whether the studies register no condition but being healthy."""
        return bool(self.conditions.terms) and self.conditions.terms <= HEALTHY_PEOPLE


def named_by(studies: Sequence[Study]) -> Named:
    """Return what studies name."""
    return Named(studies, _conditions(studies), _interventions(studies))


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
        return _contained(one, other) and tells(one & other)

    def tells(terms: frozenset[str]) -> bool:
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
        if any(map(tells, sets)) and supports_substance(said, name)
    )
    return tuple(by_mesh or by_title)[:1]


def are_borne_by(studies: Iterable[Study], names: Names) -> bool:
    """Report whether the titles or keywords of studies have all words of one of the names."""
    said = "\n".join(titles_of(studies)).casefold()
    return any(
        terms - WIDE_WORDS and all(plain_word(term, said) for term in terms)
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
    texts, its_texts = (*mine, *asked.titles), (*theirs, *its.titles)
    both = asked.initials & its.initials
    found = [
        name
        for names, said in ((mine, its_texts), (theirs, texts))
        for name, sets in names.items()
        if _letters(name) in both
        or (
            any(map(_is_telling, sets))
            and any(supports_condition(said, form) for form in _spellings(name) if _tells(form))
        )
    ]
    return (max(found, key=lambda name: len(condition_terms(name) - WIDE_WORDS)),) if found else ()


@lru_cache(maxsize=2**14)
def _letters(name: str) -> str:
    return "".join(word[0] for word in re.findall(r"\w+", name)).upper()


def _tells(name: str) -> bool:
    return _is_telling(condition_terms(name))


def _is_telling(terms: frozenset[str]) -> bool:
    """Report whether the terms of a condition are more than an organ, a process or a wide word."""
    words = terms - WIDE_WORDS
    return len(words) > 1 or bool(words - COARSE_WORDS)


def _mesh_in_common(asked: Named, its: Named) -> tuple[str, ...]:
    """Return the MeSH condition term that registered texts of both sides support.

    The longest says most. Where there is none, the words that registered conditions share.
    """
    theirs = {term for study in asked.studies for term in study.condition_mesh}
    ours = (term for study in its.studies for term in study.condition_mesh)
    shared = [term for term in ours if term in theirs and _tells(term)]
    if not shared:
        return ()
    texts = (*asked.conditions.sets, *asked.titles)
    its_texts = (*its.conditions.sets, *its.titles)
    for term in sorted(shared, key=lambda term: -len(condition_terms(term) - WIDE_WORDS)):
        if supports_condition(its_texts, term) and supports_condition(texts, term):
            return (_NEOPLASMS.sub("Cancer", term),)
    return _words_of_conditions(asked, its)


def _words_of_conditions(asked: Named, its: Named) -> tuple[str, ...]:
    """Return the longest run of words that a condition of each side has, if it says enough."""
    found = (
        words_in_common(name, other)
        for name in its.conditions.sets
        for other in asked.conditions.sets
    )
    kept = [words for words in map(_without_states, found) if " " in words and _tells(words)]
    return (max(kept, key=len),) if kept else ()


def _without_states(words: str) -> str:
    """Return words without those at their ends that no condition begins or ends with."""
    kept = words.split()
    while kept and name_terms(kept[0]) <= STATES_OF_DISEASE | FUNCTION_WORDS:
        kept = kept[1:]
    while kept and name_terms(kept[-1]) <= STATES_OF_DISEASE | FUNCTION_WORDS:
        kept = kept[:-1]
    return " ".join(kept)


def condition_keys(study: Study) -> frozenset[frozenset[str]]:
    """Return the conditions of a study as sets of words: two studies with one set share it.

    Its registered names, and the MeSH terms that its own registered words support.
    """
    texts = (*study.conditions, *titles_of([study]))
    mesh = (
        name for name in study.condition_mesh if _tells(name) and supports_condition(texts, name)
    )
    found = {
        form - KINDS_OF_CONDITION or form
        for name in (*study.conditions, *mesh)
        for form in _forms(name)
        if form - HEALTHY_PEOPLE
    }
    codes = {frozenset({term}) for form in found for term in form if _is_code(term)}
    return frozenset(found | codes)


def intervention_keys(study: Study) -> frozenset[frozenset[str]]:
    """Return the interventions of a study as sets of words: two studies with one set share it.

    Its registered names and other names, without doses, forms and controls, the parts of names
    of several, and the MeSH terms of substances that an intervention of it needs.
    """
    names = [name for each in study.interventions for name in (each.name, *each.other_names)]
    parts = (part for name in names for part in (name, *_JOINTS.split(name)))
    mesh = (term for term in study.intervention_mesh if _is_substance(term) and _needs(study, term))
    return frozenset(filter(None, map(_codes_whole, map(_substance, (*parts, *mesh)))))


def _codes_whole(terms: frozenset[str]) -> frozenset[str]:
    """Return terms without the beginnings of codes: `FK-506` is `FK506`, and also `FK`."""
    codes = tuple(filter(_is_code, terms))
    return frozenset(
        term for term in terms if term in codes or not any(code.startswith(term) for code in codes)
    )


def _names(sets: Mapping[str, Sequence[frozenset[str]]]) -> Names:
    return Names(sets, frozenset().union(*chain.from_iterable(sets.values())))


def _conditions(studies: Iterable[Study]) -> Names:
    return _names({name: _forms(name) for study in studies for name in study.conditions})


@lru_cache(maxsize=2**14)
def _spellings(name: str) -> tuple[str, ...]:
    """Return a name as a whole, without its brackets, and the contents of those."""
    return (name, _BRACKETS.sub(" ", name), *_BRACKETS.findall(name)) if "(" in name else (name,)


@lru_cache(maxsize=2**14)
def _forms(name: str) -> tuple[frozenset[str], ...]:
    return tuple(map(condition_terms, _spellings(name)))


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
        if _is_substance(term)
        and any(term in study.intervention_mesh and _needs(study, term) for study in asked.studies)
        and _needs(neighbour, term)
    ]
    return tuple(sorted(shared, key=lambda term: (any(map(str.isdigit, term)), len(term), term)))


def _is_substance(mesh_term: str) -> bool:
    """Report whether a MeSH term is a substance: classes of them are in the plural."""
    return not mesh_term.split(",", maxsplit=1)[0].endswith("s") or mesh_term.endswith("limus")


def _needs(study: Study, term: str) -> bool:
    """Report whether a MeSH term describes an intervention of a study.

    It names one, or one is left that no other term of the study names.
    """
    names = [terms for sets in _interventions([study]).sets.values() for terms in sets if terms]
    others = [name_terms(other) for other in study.intervention_mesh if other != term]
    return not names or any(
        name_terms(term) <= terms or not any(other <= terms for other in others) for terms in names
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
    return alike or any(map(_is_code, one & other))


def _is_code(term: str) -> bool:
    return not (term.isalpha() or term.isdigit())


@lru_cache(maxsize=2**14)
def _substance(name: str) -> frozenset[str]:
    """Return the terms of what an intervention is, not of how it is given; of a control, none.

    Of `aspirin or placebo` those of aspirin, of `placebo cream` none.
    """
    terms = name_terms(name)
    if not terms.isdisjoint(PLACEBOS):
        parts = map(name_terms, _JOINTS.split(name))
        terms = frozenset().union(*(part for part in parts if part.isdisjoint(PLACEBOS)))
    terms = terms - CONTROLS - WAYS_TO_GIVE
    return terms if any(len(term) > 1 for term in terms) else frozenset()


def _contained(one: frozenset[str], other: frozenset[str]) -> bool:
    """Report whether one name is part of the other: `tacrolimus` of `tacrolimus 1 mg capsules`."""
    return bool(one and other) and (one <= other or other <= one)
