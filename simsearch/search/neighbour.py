"""A neighbour: a study near the query, and why."""

from __future__ import annotations

import msgspec

from simsearch.study import Study


class Reason(msgspec.Struct, frozen=True):
    """Why one study is a neighbour.

    `relation` says in words how the two studies are related, or is empty; `conditions` and
    `interventions` are the neighbour's names of what both have; `near` are the fields that
    are alike in meaning though they share no name (field → cosine); `terms` carried the
    lexical signal (word → what it adds to that cosine); `shares` is what each signal adds to
    the similarity, in per cent of it, and empty where that is 0 or less.
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
        return "; ".join(filter(None, (near, words))) or "similar text overall"


class Neighbour(msgspec.Struct, frozen=True):
    """A study near the query.

    `rank` counts from 1. `similarity` is the weighted sum of the `signals` (name → cosine, for
    each that the query has; the mean over several query studies), plus `away`, what is
    subtracted for studies to keep away from. `percentile` is the share of random pairs of
    studies of the index, in per cent, that are less similar, before that subtraction.
    """

    rank: int
    study: Study
    similarity: float
    signals: dict[str, float]
    percentile: float
    folded: tuple[Study, ...] = ()
    """Studies folded under this one, nearest first (see `diversify.py`)."""
    reason: Reason | None = None
    """Why it is a neighbour; None where the question did not ask for reasons."""

    @property
    def nct_id(self) -> str:
        """The study's NCT ID."""
        return self.study.nct_id

    @property
    def title(self) -> str:
        """The study's title."""
        return self.study.title
