"""What studies name, by terms: their conditions and interventions, and the keys to share them.

Word order, plural, case and brackets make no difference; letters and numbers that distinguish
names do (hepatitis B and C, type 1 and type 2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain

import msgspec

from simsearch.index.terms import terms_of
from simsearch.search.registered import (
    condition_terms,
    name_terms,
    supports_condition,
    titles_of,
)
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

# Initials as titles have them; two letters have too many meanings.
_INITIALS = re.compile(r"[A-Z](?<!\w.)[A-Z]{2,7}\b(?![- ]?CoV)")
_BRACKETS = re.compile(r"\(([^()]*)\)")
# Between the parts of a name: `aspirin or placebo`, `placebo (vehicle)`.
_JOINTS = re.compile(r"\b(?:and|or|plus|versus|vs|with)\b|[/+,;:&()]", re.IGNORECASE)


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
    def title_terms(self) -> frozenset[str]:
        """The terms of titles and keywords."""
        return frozenset(terms_of("\n".join(self.titles)))

    @cached_property
    def folded_titles(self) -> str:
        """Titles and keywords, case-folded."""
        return "\n".join(self.titles).casefold()

    @cached_property
    def condition_texts(self) -> tuple[str, ...]:
        """The registered texts that may support a condition."""
        return (*self.conditions.sets, *self.titles)

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


def tells(name: str) -> bool:
    """Report whether a condition says more than an organ, a process or a wide word."""
    return is_telling(condition_terms(name))


def is_telling(terms: frozenset[str]) -> bool:
    """Report whether the terms of a condition are more than an organ, a process or a wide word."""
    words = terms - WIDE_WORDS
    return len(words) > 1 or bool(words - COARSE_WORDS)


def condition_keys(study: Study) -> frozenset[frozenset[str]]:
    """Return the conditions of a study as sets of words: two studies with one set share it.

    Its registered names, and the MeSH terms that its own registered words support.
    """
    texts = (*study.conditions, *titles_of([study]))
    mesh = (
        name for name in study.condition_mesh if tells(name) and supports_condition(texts, name)
    )
    found = {
        form - KINDS_OF_CONDITION or form
        for name in (*study.conditions, *mesh)
        for form in _forms(name)
        if form - HEALTHY_PEOPLE
    }
    codes = {frozenset({term}) for form in found for term in form if is_code(term)}
    return frozenset(found | codes)


def intervention_keys(study: Study) -> frozenset[frozenset[str]]:
    """Return the interventions of a study as sets of words: two studies with one set share it.

    Its registered names and other names, without doses, forms and controls, the parts of names
    of several, and the MeSH terms of substances that an intervention of it needs.
    """
    names = [name for each in study.interventions for name in (each.name, *each.other_names)]
    parts = (part for name in names for part in (name, *_JOINTS.split(name)))
    mesh = (
        term for term in study.intervention_mesh if is_substance(term) and is_needed(study, term)
    )
    return frozenset(filter(None, map(_codes_whole, map(_substance, (*parts, *mesh)))))


def _codes_whole(terms: frozenset[str]) -> frozenset[str]:
    """Return terms without the beginnings of codes: `FK-506` is `FK506`, and also `FK`."""
    codes = tuple(filter(is_code, terms))
    return frozenset(
        term for term in terms if term in codes or not any(code.startswith(term) for code in codes)
    )


def _names(sets: Mapping[str, Sequence[frozenset[str]]]) -> Names:
    return Names(sets, frozenset().union(*chain.from_iterable(sets.values())))


def _conditions(studies: Iterable[Study]) -> Names:
    return _names({name: _forms(name) for study in studies for name in study.conditions})


@lru_cache(maxsize=2**14)
def spellings(name: str) -> tuple[str, ...]:
    """Return a name as a whole, without its brackets, and the contents of those."""
    return (name, _BRACKETS.sub(" ", name), *_BRACKETS.findall(name)) if "(" in name else (name,)


@lru_cache(maxsize=2**14)
def _forms(name: str) -> tuple[frozenset[str], ...]:
    return tuple(map(condition_terms, spellings(name)))


def is_substance(mesh_term: str) -> bool:
    """Report whether a MeSH term is a substance: classes of them are in the plural."""
    return not mesh_term.split(",", maxsplit=1)[0].endswith("s") or mesh_term.endswith("limus")


def is_needed(study: Study, term: str) -> bool:
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


def is_code(term: str) -> bool:
    """Report whether a term has letters and digits, or signs: `covid19`."""
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
