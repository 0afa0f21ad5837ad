"""A neighbour: a study near the query, and why."""

from __future__ import annotations

import msgspec

from simsearch.study import Study

_SHOWN_PLACES = 3
_ROOM = 76  # a line on a terminal of 80 columns has fewer characters


class Reason(msgspec.Struct, frozen=True):
    """Why one study is a neighbour.

    `relation` says in words how the two studies are related, or is empty; `conditions` and
    `interventions` are the neighbour's names of what both have; `near` are the fields that
    are alike in meaning though they share no name (field → cosine); `terms` carried the
    lexical signal (word → what it adds to that cosine); `shares` is what each signal adds to
    the similarity, in per cent of it, and empty where that is 0 or less. `purpose` and
    `population` are what the designs have in common, where few studies of the index have it:
    `prevention`; `children`, `women only`, `healthy volunteers`.
    """

    relation: str
    conditions: tuple[str, ...]
    interventions: tuple[str, ...]
    near: dict[str, float]
    terms: dict[str, float]
    shares: dict[str, float]
    purpose: str = ""
    population: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The reason in one short line; with what the designs share, if it takes no more lines."""
        names = "; ".join((*self.conditions, *self.interventions))
        if self.relation:
            between = "; " if ":" in self.relation else ": "
            said = f"{self.relation}{between}{names}" if names else self.relation
        else:
            words = f"words in common: {', '.join(self.terms)}" if self.terms else ""
            near = f"{' and '.join(self.near)} near in meaning" if self.near else ""
            said = "; ".join(filter(None, (near, words))) or "similar text overall"
        design = (
            f"for {self.purpose}" if self.purpose else "",
            f"in {', '.join(self.population)}" if self.population else "",
        )
        whole = "; ".join(filter(None, (said, " ".join(filter(None, design)))))
        return whole if len(whole) // _ROOM == len(said) // _ROOM else said


class SharedPlaces(msgspec.Struct, frozen=True):
    """Where a neighbour is run: in common with the query studies, or where it was asked for."""

    countries: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    """`Boston, Massachusetts`; without the country."""
    facilities: tuple[str, ...] = ()
    """`General Hospital, Boston`."""
    asked_for: bool = False
    """Whether these are the neighbour's sites at a place that was named."""

    @property
    def line(self) -> str:
        """The most specific of it in one line; `""` if there is nothing."""
        for kind, names in (
            ("sites", self.facilities), ("cities", self.cities), ("countries", self.countries)
        ):  # fmt: skip
            if names:
                more = len(names) - _SHOWN_PLACES
                shown = "; ".join(names[:_SHOWN_PLACES]) + (f" and {more} more" if more > 0 else "")
                return f"{kind} {'there' if self.asked_for else 'in common'}: {shown}"
        return ""


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
    places: SharedPlaces | None = None
    """Where it competes for participants; None where the question did not ask for places."""

    @property
    def nct_id(self) -> str:
        """The study's NCT ID."""
        return self.study.nct_id

    @property
    def title(self) -> str:
        """The study's title."""
        return self.study.title
