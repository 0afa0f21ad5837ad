"""The primary outcomes and the criteria of some studies, grouped by meaning."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from simsearch.design.criteria import split_criteria
from simsearch.design.embedding import embed_criteria, embed_outcomes
from simsearch.design.groups import Group, Mention, grouped
from simsearch.study import Study

OUTCOME_DISTANCE = 0.45
"""Mean distance up to which outcomes are one (chosen on ten studies: docs/compare.md)."""

CRITERION_DISTANCE = 0.62
"""The same for criteria."""

MOST_CRITERIA = 60
"""Criteria of each kind that are grouped of one study, the first ones."""


class Topics(msgspec.Struct, frozen=True, kw_only=True):
    """What studies measure and whom they take, by meaning, the most frequent first."""

    n: int
    """How many studies were read."""
    n_outcomes: int
    """How many of them name a primary outcome."""
    n_criteria: int
    """How many of them give criteria, inclusion apart from exclusion."""
    outcomes: tuple[Group, ...]
    inclusion: tuple[Group, ...]
    exclusion: tuple[Group, ...]


def topics_of(studies: Sequence[Study], asked: Sequence[Study] = ()) -> Topics:
    """Return the primary outcomes and criteria of studies, grouped.

    Args:
        studies: those that are counted.
        asked: query studies; theirs are grouped with the others.
    """
    every = [*asked, *studies]
    outcomes = [
        Mention(study.nct_id, each.measure, each.time_frame)
        for study in every
        if study.facts
        for each in study.facts.primary_outcomes
    ]
    inclusion: list[Mention] = []
    exclusion: list[Mention] = []
    n_criteria = 0
    for study in every:
        criteria = split_criteria(study.facts.criteria if study.facts else "")
        inclusion += [Mention(study.nct_id, each) for each in criteria.inclusion[:MOST_CRITERIA]]
        exclusion += [Mention(study.nct_id, each) for each in criteria.exclusion[:MOST_CRITERIA]]
        n_criteria += study not in asked and bool(criteria.inclusion or criteria.exclusion)
    return Topics(
        n=len(studies),
        n_outcomes=sum(bool(each.facts and each.facts.primary_outcomes) for each in studies),
        n_criteria=n_criteria,
        outcomes=grouped(outcomes, embed_outcomes, OUTCOME_DISTANCE),
        inclusion=grouped(inclusion, embed_criteria, CRITERION_DISTANCE),
        exclusion=grouped(exclusion, embed_criteria, CRITERION_DISTANCE),
    )
