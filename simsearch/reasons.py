"""Why a study is a neighbour: what it has in common with the query study, in words.

Everything said here is read from the two records and from the signals; nothing is guessed
by a model. Names are compared by their terms, so that word order, plural and case make no
difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from types import MappingProxyType

import msgspec

from simsearch.empty_words import (
    COARSE_WORDS,
    CONTROLS,
    FUNCTION_WORDS,
    HEALTHY_PEOPLE,
    KINDS_OF_CONDITION,
    PLACEBOS,
    WAYS_TO_GIVE,
    WIDE_WORDS,
)
from simsearch.lexical import TermWeights, combined, terms_of
from simsearch.parts import QueryPart
from simsearch.search import Index, Neighbour
from simsearch.study import Study
from simsearch.vectors import weights_for

NEAR_MEANING = 0.7
"""Cosine of two fields from which they are said to be near in meaning."""

_SHOWN_TERMS = 5
_LEAST_SHOWN = 0.01  # a word that adds less stands in many studies
# What tells apart names of the same words: a letter by itself (hepatitis C), a number of a kind.
_LETTER = re.compile(r"(?<![^\W_])(?<!['\u2019])[^\W\d_](?![^\W_])")
_KIND = re.compile(r"\b(type|stage|grade|class)\W{0,2}(\d{1,2}|i{1,3}|i?v)\b", re.IGNORECASE)
_ROMAN = MappingProxyType({"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"})
_BRACKETS = re.compile(r"\(([^()]*)\)")
# Between the parts of a name: `aspirin or placebo`, `placebo (vehicle)`.
_JOINTS = re.compile(r"\b(?:and|or|plus|versus|vs|with)\b|[/+,;:&()]", re.IGNORECASE)
_CODE_PARTS = re.compile(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])")
_EXTENSION = re.compile(
    r"\b(extension (study|trial)|roll[- ]?over|continuation study|long[- ]?term extension"
    r"|long[- ]?term follow[- ]?up)\b",
    re.IGNORECASE,
)


class Reason(msgspec.Struct, frozen=True):
    """Why one study is a neighbour.

    `relation` says in words how the two stand to each other, or is empty; `conditions` and
    `interventions` are the neighbour's names of what both have; `near` are the fields that
    are alike in meaning though no name is in common (field → cosine); `terms` carried the
    lexical signal (word → cosine that it adds); `shares` is what each signal adds to the
    similarity, in hundredths of it, and empty where that is 0 or less.
    """

    relation: str
    conditions: tuple[str, ...]
    interventions: tuple[str, ...]
    near: dict[str, float]
    terms: dict[str, float]
    shares: dict[str, float]

    @property
    def line(self) -> str:
        """The reason in one short line."""
        names = "; ".join((*self.conditions, *self.interventions))
        if self.relation:
            return f"{self.relation}: {names}" if names else self.relation
        words = f"words in common: {', '.join(self.terms)}" if self.terms else ""
        near = f"{' and '.join(self.near)} near in meaning" if self.near else ""
        return "; ".join(filter(None, (near, words))) or "near in meaning as a whole"


class Names(msgspec.Struct, frozen=True):
    """Names as registered → what each goes by, as sets of terms; and the `terms` of them all."""

    sets: Mapping[str, Sequence[frozenset[str]]]
    terms: frozenset[str]


Alike = Callable[[frozenset[str], frozenset[str]], bool]


def explain(
    index: Index,
    parts: Sequence[QueryPart],
    studies: Sequence[Study],
    neighbours: Sequence[Neighbour],
    weights: Mapping[str, float],
) -> list[Reason]:
    """Return why each study of an answer is a neighbour.

    Args:
        index: the index that gave them.
        parts: what was asked with.
        studies: the query studies or the draft among the parts, as they are registered.
        neighbours: the answer, or some of it.
        weights: signal name → weight, as asked with.
    """
    near_parts = [part for part in parts if not part.away]
    mean = 1 / len(near_parts)
    shares = [weights_for(weights, part.present) for part in near_parts]
    asked = _Asked(
        index,
        studies,
        combined([(mean, part.terms) for part in near_parts]),
        {name: sum(share[name] for share in shares) / len(shares) for name in shares[0]},
        _named_by(studies),
    )
    rows = index.store.rows_of_studies([each.study.nct_id for each in neighbours])
    return [_reason(asked, each, row) for each, row in zip(neighbours, rows, strict=True)]


def mentions(naming: Study, named: Study) -> bool:
    """Tell that one study names another, by its number or by an obsolete one."""
    return not {named.nct_id, *named.aliases}.isdisjoint(naming.mentions)


def are_sisters(one: Study, other: Study) -> bool:
    """Tell that two studies of one sponsor have a condition and an intervention in common."""
    if not one.sponsor or one.sponsor != other.sponsor:
        return False
    return all(_both_in_common(_named_by([one]), [one], other, _named_by([other])))


class _Named(msgspec.Struct, frozen=True):
    """What studies name: their conditions, MeSH terms of them, and interventions.

    Of interventions only what they are: not how they are given, and no control.
    """

    conditions: Names
    mesh: Names
    interventions: Names


class _Asked(msgspec.Struct, frozen=True):
    """A query as reasons need it, worked out once: `terms` and `shares` are means of its parts."""

    index: Index
    studies: Sequence[Study]
    terms: TermWeights
    shares: Mapping[str, float]
    named: _Named


def _named_by(studies: Sequence[Study]) -> _Named:
    return _Named(_conditions(studies), _mesh(studies), _interventions(studies))


def _reason(asked: _Asked, neighbour: Neighbour, row: int) -> Reason:
    study, its = neighbour.study, _named_by([neighbour.study])
    telling = (
        (term, value)
        for term, value in asked.index.lexical.shared(asked.terms, row)
        if value >= _LEAST_SHOWN and term not in FUNCTION_WORDS
    )
    terms = list(islice(telling, _SHOWN_TERMS))
    words = _words(study, [term for term, _ in terms])
    conditions, interventions = _both_in_common(asked.named, asked.studies, study, its)
    added = {
        name: value * share
        for name, value in neighbour.signals.items()
        if (share := asked.shares.get(name, 1.0))
    }  # what is taken off (`away`) counts whole
    total = neighbour.similarity
    found = {"conditions": conditions, "interventions": interventions}
    others = _others(asked.named, asked.studies, its, neighbour)
    return Reason(
        _relation(asked.studies, study, conditions, interventions, others),
        conditions,
        interventions,
        {
            field: round(neighbour.signals[field], 3)
            for field, names in found.items()
            if not names and neighbour.signals.get(field, 0) >= NEAR_MEANING
        },
        {words.get(term, term): round(value, 3) for term, value in terms},
        {name: round(100 * value / total, 1) for name, value in added.items() if total > 0},
    )


def _both_in_common(
    named: _Named, studies: Sequence[Study], neighbour: Study, its: _Named
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the conditions and the interventions of a neighbour that query studies have too."""
    conditions = _in_common(named.conditions, its.conditions, _same)
    interventions = _in_common(named.interventions, its.interventions, _contained)
    return (
        conditions or _condition_mesh_in_common(studies, neighbour),
        interventions or _substance_in_common(studies, neighbour),
    )


def _relation(
    studies: Sequence[Study],
    neighbour: Study,
    conditions: Sequence[str],
    interventions: Sequence[str],
    others: Collection[str],
) -> str:
    """Return how a neighbour stands to the query studies, the most telling first."""
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
            interventions and not conditions and "conditions" in others
        ),
        "same intervention": interventions,
        "same condition, other intervention": (
            conditions and not interventions and "interventions" in others
        ),
        "same condition": conditions,
    }
    return next((relation for relation, holds in known.items() if holds), "")


@lru_cache(maxsize=2**10)
def _is_extension(title: str) -> bool:
    return bool(_EXTENSION.search(title))


def _others(asked: _Named, studies: Sequence[Study], its: _Named, neighbour: Neighbour) -> set[str]:
    """Return the fields in which a study names something else, by its words and its meaning.

    What one of two studies names and the other has in its title is nothing else: `COPD`.
    """
    named = {
        "conditions": (asked.conditions, its.conditions, asked.mesh.terms, its.mesh.terms),
        "interventions": (asked.interventions, its.interventions, frozenset(), frozenset()),
    }
    found = set()
    for field, (mine, theirs, my_mesh, its_mesh) in named.items():
        my_terms, its_terms = (
            (mine.terms | my_mesh) - WIDE_WORDS,
            (theirs.terms | its_mesh) - WIDE_WORDS,
        )
        if (
            my_terms
            and its_terms
            and my_terms.isdisjoint(its_terms)
            and neighbour.signals.get(field, 0) < NEAR_MEANING
            and not _bear(studies, theirs)
            and not _bear([neighbour.study], mine)
        ):
            found.add(field)
    return found


def _bear(studies: Iterable[Study], names: Names) -> bool:
    """Tell that the titles or keywords of studies have all words of one of the names."""
    titles = (
        "\n".join((study.title, study.official_title, study.acronym, *study.keywords))
        for study in studies
    )
    said = "\n".join(titles).casefold()
    return any(
        terms - WIDE_WORDS and all(_plain_word(term, said) for term in terms)
        for sets in names.sets.values()
        for terms in sets
    )


def _names(sets: Mapping[str, Sequence[frozenset[str]]]) -> Names:
    return Names(sets, frozenset().union(*chain.from_iterable(sets.values())))


def _conditions(studies: Iterable[Study]) -> Names:
    return _names({name: _forms(name) for study in studies for name in study.conditions})


@lru_cache(maxsize=2**14)
def _forms(name: str) -> tuple[frozenset[str], ...]:
    """Return the terms of a name: as a whole, without its brackets, and what stands in them."""
    forms = (name, _BRACKETS.sub(" ", name), *_BRACKETS.findall(name)) if "(" in name else (name,)
    return tuple(map(_terms, forms))


def _mesh(studies: Iterable[Study]) -> Names:
    return _names({term: (_terms(term),) for study in studies for term in study.condition_mesh})


def _condition_mesh_in_common(studies: Sequence[Study], neighbour: Study) -> tuple[str, ...]:
    """Return the longest MeSH term of its conditions that a neighbour shares, if no wide one.

    The terms come in the order of the alphabet, wide ones among them: the longest says most.
    """
    theirs = {term for study in studies for term in study.condition_mesh}
    telling = {
        term: terms
        for term in neighbour.condition_mesh
        if term in theirs
        and (terms := _terms(term) - WIDE_WORDS)
        and (len(terms) > 1 or terms - COARSE_WORDS)
    }
    return tuple(sorted(telling, key=lambda term: (-len(telling[term]), term))[:1])


def _substance_in_common(studies: Sequence[Study], neighbour: Study) -> tuple[str, ...]:
    """Return the shortest MeSH term of its interventions that a neighbour shares, if a substance.

    MeSH has classes in the plural (Hormones; Antibodies, Monoclonal), which tell little. Of a
    substance it has the salts beside it, and codes: the shortest without a digit is its name. It
    also has the parents of a substance (thalidomide of lenalidomide), and words found by chance:
    an intervention of each study must need the term.
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
    """Tell that a MeSH term says what an intervention of a study is.

    It names one, or one is left that no other term of the study names.
    """
    names = [terms for sets in _interventions([study]).sets.values() for terms in sets if terms]
    others = [_terms(other) for other in study.intervention_mesh if other != term]
    return not names or any(
        _terms(term) <= terms or not any(other <= terms for other in others) for terms in names
    )


def _interventions(studies: Iterable[Study]) -> Names:
    """Return the interventions with their synonyms; placebo and other controls tell nothing."""
    found: dict[str, list[frozenset[str]]] = {}
    for study in studies:
        for each in study.interventions:
            sets = map(_substance, (each.name, *each.other_names))
            found.setdefault(each.name, []).extend(sets)
    return _names(found)


def _in_common(asked: Names, its: Names, alike: Alike) -> tuple[str, ...]:
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
    """Return the terms of a name, and the letters and numbers that tell it from like ones."""
    marks = {letter.casefold() for letter in _LETTER.findall(name) if letter not in "as"}
    for kind in _KIND.finditer(name):
        number = kind[2].casefold()
        marks.add(_ROMAN.get(number, number))
    return frozenset({*terms_of(_KIND.sub(r"\1", name)), *marks})


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    """Tell the same condition: the same words, or the same code (`covid19`).

    `HIV` is `HIV Infections`; to be healthy is none.
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
    """Return the terms of what an intervention is, not of how it is given; none of a control.

    Of `aspirin or placebo` those of aspirin, of `placebo cream` none.
    """
    terms = _terms(name)
    if not terms.isdisjoint(PLACEBOS):
        parts = map(_terms, _JOINTS.split(name))
        terms = frozenset().union(*(part for part in parts if part.isdisjoint(PLACEBOS)))
    terms = terms - CONTROLS - WAYS_TO_GIVE
    return terms if any(len(term) > 1 for term in terms) else frozenset()


def _contained(one: frozenset[str], other: frozenset[str]) -> bool:
    """Tell that a name is part of the other: `tacrolimus` of `tacrolimus 1 mg capsules`."""
    return bool(one and other) and (one <= other or other <= one)


def _words(study: Study, terms: Collection[str]) -> dict[str, str]:
    """Return for each term the word that stands for it in a study's texts, where found."""
    texts = (
        study.title, *study.conditions, *(each.name for each in study.interventions),
        study.summary, study.official_title, *study.keywords, *study.outcomes,
    )  # fmt: skip
    folded = "\n".join(texts).casefold()
    return {term: word for term in terms if (word := _word(term, folded))}


def _word(term: str, folded: str) -> str:
    """Return the first word of a case-folded text that is the term, or one of its spellings."""
    word = _plain_word(term, folded)
    if not word and term.isalpha():
        found = _spelt(term).search(folded)
        word = found[0] if found else ""
    return word


def _plain_word(term: str, folded: str) -> str:
    """Return the first word of a case-folded text that is the term, with an s, or its code."""
    forms = (term,) if term.isalpha() else (term, *(_CODE_PARTS.sub(mark, term) for mark in "- "))
    for form in forms:
        at = folded.find(form)
        while at >= 0:
            end = at + len(form)
            end += folded[end : end + 1] == "s"
            if not (folded[at - 1 : at].isalnum() or folded[end : end + 1].isalnum()):
                return folded[at:end]
            at = folded.find(form, at + 1)
    return ""


@lru_cache(maxsize=2**12)
def _spelt(term: str) -> re.Pattern[str]:
    """Return a pattern of the words that are a term in the plural or in British spelling."""
    spelt = re.sub(r"y$", "(?:y|ies)", term)
    for american, both in (
        ("(?<!^)er$", "(?:er|re)"), ("m$", "m(?:me)?"), ("sulf", "sul(?:f|ph)"), ("iz", "i[sz]"),
        ("lyz", "ly[sz]"), ("or", "ou?r"), ("e(?![rs][|)])", "[ao]?e"),
    ):  # fmt: skip
        spelt = re.sub(american, both, spelt)
    return re.compile(rf"(?<![^\W_]){spelt}s?(?![^\W_])")
