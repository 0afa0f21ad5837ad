"""Places of studies: which studies are run at one, and what places two studies share."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from simsearch.errors import ArgumentError, FilterError
from simsearch.facts import Site
from simsearch.index.place_table import Place
from simsearch.index.studies import StudyStore
from simsearch.records.vocabulary import country as one_country_name
from simsearch.search.countries import country_meant
from simsearch.search.gazetteer import (
    MAX_RADIUS_KM,
    Gazetteer,
    PlaceKey,
    folded,
    place_key,
)
from simsearch.search.neighbour import SharedPlaces
from simsearch.study import Study

_GAZETTEERS: WeakKeyDictionary[StudyStore, Gazetteer] = WeakKeyDictionary()


def gazetteer(store: StudyStore) -> Gazetteer:
    """Return the places of an index, read once for each opened store."""
    known = _GAZETTEERS.get(store)
    if known is None:
        known = _GAZETTEERS[store] = Gazetteer(store.places())
    return known


def places_near(store: StudyStore, names: Iterable[str], radius_km: float | None) -> list[Place]:
    """Return the places that names mean, and those within a radius of them.

    Raises:
        FilterError: a name means none.
        UnknownFieldError: no record gives a place.
        ArgumentError: there is a radius, and a place has no coordinates.
    """
    places = gazetteer(store)
    found = {each.id: each for name in names for each in places.near(name)}
    named = list(found.values())
    return named if radius_km is None else places.around(named, radius_km)


def rows_near(
    store: StudyStore, kind: str, values: Sequence[str], radius_km: float | None
) -> npt.NDArray[np.int64]:
    """Return (n,) the rows of the studies with a site where a filter asks for one.

    Args:
        store: the studies.
        kind: `city`, `state`, or `near` for any of both and of countries.
        values: what was asked for; any of them will do.
        radius_km: around the places of `near`; None for the places alone.

    Raises:
        FilterError, UnknownFieldError, ArgumentError: as `places_near`.
    """
    if kind != "near":
        found = [each for value in values for each in gazetteer(store).named(kind, value)]
        return store.rows_at({each.id for each in found})
    if radius_km is not None:
        return store.rows_at({each.id for each in places_near(store, values, radius_km)})
    return np.unique(np.concatenate([_rows_of_place(store, value) for value in values]))


def _rows_of_place(store: StudyStore, name: str) -> npt.NDArray[np.int64]:
    """Return (n,) the rows of the studies with a site at a place.

    Of a country, also those whose records give nothing else of their sites.
    """
    country = folded(one_country_name(country_meant(name)))
    known = [each for each in store.values_of("country") if folded(each) == country]
    in_country = store.rows_of("country", known)
    try:
        places = gazetteer(store).near(name)
    except FilterError:
        if not known:
            raise
        return in_country
    return np.union1d(in_country, store.rows_at({each.id for each in places}))


def check_radius(radius_km: object) -> None:
    """Refuse what is no radius.

    Raises:
        ArgumentError: it is not a number, or not above 0.
    """
    if radius_km is None:
        return
    if isinstance(radius_km, bool) or not isinstance(radius_km, int | float):
        raise ArgumentError("radius_km", radius_km, "a number of kilometres")
    if not 0 < radius_km <= MAX_RADIUS_KM:
        raise ArgumentError("radius_km", radius_km, f"above 0, at most {MAX_RADIUS_KM:,.0f}")


def shared_places(
    studies: Iterable[Study], neighbour: Study, there: Container[PlaceKey] | None = None
) -> SharedPlaces:
    """Return where a neighbour is run that query studies are run too; facts must be there.

    Args:
        studies: the query studies.
        neighbour: the neighbour.
        there: the places that were asked for (`place_key`): those of the neighbour are returned
            in place of those in common.
    """
    its = sites_of(neighbour)
    if there is not None:
        here = [site for site in its if place_key(site) in there]
        return SharedPlaces(
            _distinct(site.country for site in here),
            _distinct(map(_city_name, here)),
            _distinct(map(_facility_name, here)),
            asked_for=True,
        )
    asked = [site for study in studies for site in sites_of(study)]
    countries = {folded(site.country) for site in asked}
    cities = {_city(site) for site in asked if site.city}
    facilities = {(folded(site.facility), _city(site)) for site in asked if site.facility}
    return SharedPlaces(
        _distinct(site.country for site in its if folded(site.country) in countries),
        _distinct(_city_name(site) for site in its if _city(site) in cities),
        _distinct(
            _facility_name(site)
            for site in its
            if (folded(site.facility), _city(site)) in facilities
        ),
    )


def sites_of(study: Study) -> tuple[Site, ...]:
    """Return the sites of a study, or its countries as sites where it has no others."""
    sites = study.facts.sites if study.facts else ()
    return sites or tuple(Site(country=name) for name in study.countries)


def _city(site: Site) -> tuple[str, str]:
    return folded(site.city), folded(site.country)


def _city_name(site: Site) -> str:
    return ", ".join(filter(None, (site.city, site.state))) if site.city else ""


def _facility_name(site: Site) -> str:
    return ", ".join(filter(None, (site.facility, site.city))) if site.facility else ""


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, names)))
