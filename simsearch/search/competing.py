"""Trials that compete with a study for the same participants, now and at the same places."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.errors import ArgumentError, NothingToCompareError
from simsearch.index.opened import OpenedIndex
from simsearch.search.facts_of import with_facts
from simsearch.search.filters import Filters
from simsearch.search.gazetteer import place_key, place_name
from simsearch.search.neighbour import Neighbour
from simsearch.search.open_sites import (
    RECRUITING,
    asks_for_open,
    rows_open_there,
    with_open_sites,
)
from simsearch.search.places import places_near, shared_places, sites_of
from simsearch.study import Study


def competing_filters(
    index: OpenedIndex, studies: Sequence[Study], filters: Filters
) -> tuple[Filters, list[str]]:
    """Return what a competing trial must be, and what a person should know of that.

    It takes participants, has a condition in common with a query study, and a site in one of the
    query's countries; within `filters.radius_km` of one of its sites, if that is given; or at the
    place that `filters` name by `near`, `country`, `state`, `city` or `facility`.

    Args:
        index: where to look.
        studies: the query studies.
        filters: what else a neighbour must be; a status given there stays.

    Raises:
        NothingToCompareError: there is no query study: words compete with nothing.
        ArgumentError: there is a radius, and no site to measure from.
    """
    if not studies:
        raise NothingToCompareError("the query", "trials compete with a study or a draft")
    known = with_facts(index, studies)
    status = filters.status or RECRUITING
    filters = msgspec.structs.replace(filters, status=status, same_condition=True)
    if _names_a_place(filters):
        return filters, []
    sites = [site for study in known for site in sites_of(study)]
    if filters.radius_km is not None:
        near = tuple(dict.fromkeys(place_name(site) for site in sites if site.city))
        if not near:
            raise ArgumentError(
                "radius_km", filters.radius_km, "left out: the query names no city; give near"
            )
        return msgspec.structs.replace(filters, near=near), []
    countries = tuple(dict.fromkeys(site.country for site in sites if site.country))
    if not countries:
        return filters, ["the query names no country, so trials of any country compete with it"]
    return msgspec.structs.replace(filters, country=countries), []


def rows_competing(
    index: OpenedIndex,
    studies: Sequence[Study],
    rows: npt.NDArray[np.int64] | None,
    filters: Filters,
) -> tuple[npt.NDArray[np.int64] | None, list[str]]:
    """Return those rows of studies that take participants there, and a note of how many do not.

    Args:
        index: where to look.
        studies: the query studies.
        rows: (n,) of the studies that pass `filters`; None for all.
        filters: what `competing_filters` returned. If they ask for a status in which nobody takes
            participants, all rows are returned.
    """
    if rows is None or not asks_for_open(index, filters):
        return rows, []
    open_there = rows_open_there(index, rows, filters)
    own = {index.store.row_of(study.nct_id) for study in studies}
    if not (n := len({*rows.tolist()} - {*open_there.tolist()} - own)):
        return open_there, []
    recruit = "trial recruits" if n == 1 else "trials recruit"
    return open_there, [f"left out: {n:,} {recruit}, but no longer at a site there"]


def with_places(
    index: OpenedIndex,
    studies: Sequence[Study],
    neighbours: Sequence[Neighbour],
    filters: Filters,
    *,
    competing: bool = False,
) -> list[Neighbour]:
    """Return neighbours with the places that each shares with the query studies.

    Where `filters` name a place by `near`, it is the sites that a neighbour has there. Of one that
    competes, only sites that take participants count, or do not say.
    """
    there = None
    if filters.near:
        places = places_near(index.store, filters.near, filters.radius_km)
        there = frozenset(map(place_key, places))
    asked = with_facts(index, studies)
    found = with_facts(index, [each.study for each in neighbours])
    if competing and asks_for_open(index, filters):
        found = list(map(with_open_sites, found))
    return [
        msgspec.structs.replace(each, places=shared_places(asked, study, there))
        for each, study in zip(neighbours, found, strict=True)
    ]


def _names_a_place(filters: Filters) -> bool:
    return bool(
        filters.near or filters.country or filters.state or filters.city or filters.facility
    )
