"""Sites that take participants: a trial may recruit, but no longer at the place in question."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.facts import Site
from simsearch.files import batches
from simsearch.index.opened import OpenedIndex
from simsearch.search.filter_values import spelled
from simsearch.search.filters import Filters
from simsearch.search.gazetteer import folded, place_key
from simsearch.search.places import gazetteer, places_near
from simsearch.study import Study

RECRUITING = ("RECRUITING", "NOT_YET_RECRUITING", "ENROLLING_BY_INVITATION")
"""The statuses of a trial that takes participants, or is going to; its sites have the same."""

_STEP = 500  # studies whose facts are in memory at a time

Test = Callable[[Site], bool]


def asks_for_open(index: OpenedIndex, filters: Filters) -> bool:
    """Report whether filters ask only for trials that take participants, or are going to."""
    statuses = spelled(index.store, "status", filters.status)
    return bool(statuses) and set(statuses) <= set(RECRUITING)


def rows_open_there(
    index: OpenedIndex, rows: npt.NDArray[np.int64], filters: Filters
) -> npt.NDArray[np.int64]:
    """Return those rows of studies that take participants at the place that filters name.

    A study is left out if the status of each of its sites there is known, and none takes
    participants. One without sites there, such as one whose record gives only countries, goes by
    its own status.

    Args:
        index: the index.
        rows: (n,) of studies that pass the filters.
        filters: what the studies pass.
    """
    tests = list(_place_tests(index, filters))
    kept: list[int] = []
    for some in batches(rows.tolist(), _STEP):
        for row, facts in zip(some, index.study_facts(some), strict=True):
            there = [s for s in facts.sites if all(t(s) for t in tests)] if facts else []
            if not there or any(map(is_open, there)):
                kept.append(row)
    return np.array(kept, dtype=np.int64)


def is_open(site: Site) -> bool:
    """Report whether a site takes participants, or is going to, or does not say."""
    return not site.status or site.status in RECRUITING


def with_open_sites(study: Study) -> Study:
    """Return a study without the sites that take no participants."""
    if not study.facts or all(map(is_open, study.facts.sites)):
        return study
    sites = tuple(filter(is_open, study.facts.sites))
    return msgspec.structs.replace(study, facts=msgspec.structs.replace(study.facts, sites=sites))


def _place_tests(index: OpenedIndex, filters: Filters) -> list[Test]:
    """Return what a site must be to lie at the place that filters name."""
    store = index.store
    tests: list[Test] = []
    if filters.near:
        near = {place_key(each) for each in places_near(store, filters.near, filters.radius_km)}
        tests.append(lambda site: place_key(site) in near)
    if filters.country:
        countries = {folded(name) for name in spelled(store, "country", filters.country)}
        tests.append(lambda site: folded(site.country) in countries)
    for kind in ("city", "state"):
        if values := getattr(filters, kind):
            places = [each for value in values for each in gazetteer(store).named(kind, value)]
            tests.append(_is_among({place_key(each) for each in places}))
    if filters.facility:
        facilities = frozenset(spelled(store, "facility", filters.facility))
        tests.append(lambda site: site.facility in facilities)
    return tests


def _is_among(keys: set[tuple[str, str, str]]) -> Test:
    return lambda site: place_key(site) in keys
