"""Why a study is a neighbour: what it has in common with the query study, in words.

Everything said here is read from the two records and from the signals; nothing is guessed
by a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import groupby

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.index.opened import OpenedIndex
from simsearch.index.terms import TermWeights, combined, terms_of
from simsearch.search.names import Named, named_by
from simsearch.search.names_in_common import conditions_in_common, interventions_in_common
from simsearch.search.neighbour import Neighbour, Reason
from simsearch.search.query_parts import QueryPart
from simsearch.search.registrations import (
    Registrations,
    registrations,
    registrations_of,
    same_registration,
)
from simsearch.search.relations import NEAR_MEANING, relation
from simsearch.search.spelling import one_word_each, only_begins_codes, said_by
from simsearch.search.stop_words import NO_SUBJECT
from simsearch.search.topical_words import topical_in
from simsearch.search.traits import Shared, said_of_both, telling_traits, traits_in_common
from simsearch.study import Study
from simsearch.vectors import pair_cosines, weights_for

_SHOWN_TERMS = 5
_LEAST_SHOWN = 0.01  # a word that adds less is in many studies
_COMPARED_FIELDS = ("conditions", "interventions")


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
    terms = combined([(mean, part.terms) for part in near_parts])
    asked = _Asked(index, topical_in(index), named_by(studies), terms)
    shares = [weights_for(weights, part.present) for part in near_parts]
    means = {name: sum(share[name] for share in shares) / len(shares) for name in shares[0]}
    rows = index.store.rows_of_studies([each.study.nct_id for each in neighbours])
    mine, theirs = _registered(index, studies, rows, neighbours)
    designs = traits_in_common(index, studies, rows)
    found = []
    for each, row, numbers, design in zip(neighbours, rows, theirs, designs, strict=True):
        its, same = named_by([each.study]), _same(mine, numbers)
        reason = _reason(asked, its, row, each.signals, same, design, only_line=False)
        shown = _shares(each.signals, means)
        found.append(msgspec.structs.replace(reason, shares=shown))
    return found


def lines_of_pairs(index: OpenedIndex, pairs: npt.NDArray[np.int64]) -> list[str]:
    """Return the lines of the reasons why studies of an index are neighbours of others.

    They are those of `explain`, for many pairs at once: what no line says is not looked for.

    Args:
        index: the index.
        pairs: (n, 2) the rows of query study and neighbour; those of a query study together.

    Raises:
        IndexCorruptError: a study is damaged.
    """
    rows = np.unique(pairs).tolist()
    studies = index.store.studies(rows)
    named = {row: named_by([study]) for row, study in zip(rows, studies, strict=True)}
    numbers = dict(zip(rows, registrations(index, rows, studies), strict=True))
    traits = telling_traits(index, rows)
    cosines = {
        field: pair_cosines(*(index.rows(field, each) for each in pairs.T)).tolist()
        for field in _COMPARED_FIELDS
    }
    lines: list[str] = []
    for query, its in groupby(enumerate(pairs.tolist()), key=lambda pair: pair[1][0]):
        asked = _Asked(index, topical_in(index), named[query], index.lexical.row(query))
        for at, (_, row) in its:
            signals = {field: values[at] for field, values in cosines.items()}
            same = same_registration(numbers[query], numbers[row])
            design = said_of_both(traits[query] & traits[row])
            reason = _reason(asked, named[row], row, signals, same, design, only_line=True)
            lines.append(reason.line)
    return lines


class _Asked(msgspec.Struct, frozen=True, dict=True):
    """A query as reasons need it, computed once; `terms` are the mean of those of its parts."""

    index: OpenedIndex
    is_topical: Callable[[str], bool]
    named: Named
    terms: TermWeights

    @cached_property
    def said(self) -> str:
        """The texts of the query studies."""
        return "\n".join(map(said_by, self.named.studies))

    @cached_property
    def sponsors(self) -> frozenset[str]:
        """The terms of their sponsors."""
        return frozenset().union(*(_sponsor_terms(each.sponsor) for each in self.named.studies))


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


def _shares(signals: Mapping[str, float], shares: Mapping[str, float]) -> dict[str, float]:
    """Return what each signal adds to the sum of them, in per cent."""
    added = {
        name: value * share for name, value in signals.items() if (share := shares.get(name, 1.0))
    }  # what is subtracted (`away`) counts in full
    total = sum(added.values())  # of the signals, whatever put the neighbours in order
    return {name: round(100 * value / total, 1) for name, value in added.items() if total > 0}


def _reason(
    asked: _Asked,
    its: Named,
    row: int,
    signals: Mapping[str, float],
    same: str,
    design: Shared,
    *,
    only_line: bool,
) -> Reason:
    """Return why a study is a neighbour, without the shares of the signals.

    Args:
        asked: the query.
        its: what the neighbour names.
        row: the neighbour's.
        signals: the cosines of conditions and interventions, and others.
        same: what makes it the same trial, if it is.
        design: what the designs share.
        only_line: leave out the words in common where the line does not say them.
    """
    conditions = conditions_in_common(asked.named, its)
    interventions = interventions_in_common(asked.named, its, asked.is_topical)
    found = {"conditions": conditions, "interventions": interventions}
    healthy = asked.named.are_healthy or its.are_healthy  # having no condition is not alike
    known = same or relation(asked.named, its, conditions, interventions, signals, asked.is_topical)
    return Reason(
        known,
        conditions,
        interventions,
        {
            field: round(signals[field], 3)
            for field, names in found.items()
            if not names
            and signals.get(field, 0) >= NEAR_MEANING
            and not (field == "conditions" and healthy)
        },
        {} if known and only_line else _words_in_common(asked, its.studies[0], row),
        {},
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
        term not in NO_SUBJECT
        and asked.is_topical(term)
        and not (only_begins_codes(term, said) and only_begins_codes(term, asked.said))
    )


def _is_named(study: Study, term: str) -> bool:
    """Report whether a condition or keyword of a study has a term."""
    return any(term in terms_of(text) for text in (*study.conditions, *study.keywords))
