"""The places of an index, found by the names that people give them, and what lies around one."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from simsearch.errors import ArgumentError, FilterError, UnknownFieldError
from simsearch.facts import Site
from simsearch.index.place_table import Place
from simsearch.records.vocabulary import country as one_country_name
from simsearch.search.countries import country_meant
from simsearch.search.likeness import closest

EARTH_RADIUS_KM = 6371.0
MAX_RADIUS_KM = 20_040.0
"""Half of the way around the earth: nothing is farther away."""
_STATES = MappingProxyType(
    {
        "al": "Alabama", "ak": "Alaska", "az": "Arizona", "ar": "Arkansas", "ca": "California",
        "co": "Colorado", "ct": "Connecticut", "de": "Delaware", "dc": "District of Columbia",
        "fl": "Florida", "ga": "Georgia", "hi": "Hawaii", "id": "Idaho", "il": "Illinois",
        "in": "Indiana", "ia": "Iowa", "ks": "Kansas", "ky": "Kentucky", "la": "Louisiana",
        "me": "Maine", "md": "Maryland", "ma": "Massachusetts", "mi": "Michigan",
        "mn": "Minnesota", "ms": "Mississippi", "mo": "Missouri", "mt": "Montana",
        "ne": "Nebraska", "nv": "Nevada", "nh": "New Hampshire", "nj": "New Jersey",
        "nm": "New Mexico", "ny": "New York", "nc": "North Carolina", "nd": "North Dakota",
        "oh": "Ohio", "ok": "Oklahoma", "or": "Oregon", "pa": "Pennsylvania",
        "ri": "Rhode Island", "sc": "South Carolina", "sd": "South Dakota", "tn": "Tennessee",
        "tx": "Texas", "ut": "Utah", "vt": "Vermont", "va": "Virginia", "wa": "Washington",
        "wv": "West Virginia", "wi": "Wisconsin", "wy": "Wyoming",
    }
)  # fmt: skip
_NO_LETTER = re.compile(r"[\W_]+")
PlaceKey = tuple[str, str, str]
"""City, state and country, `folded`."""


class Gazetteer:
    """The places of an index, found by name.

    Args:
        places: all of them, as the store has them.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._parts = [tuple(map(folded, each[1:4])) for each in places]
        self._by_part: tuple[dict[str, list[int]], ...] = ({}, {}, {})
        for at, parts in enumerate(self._parts):
            for known, part in zip(self._by_part, parts, strict=True):
                if part:
                    known.setdefault(part, []).append(at)

    def named(self, kind: str, value: str) -> list[Place]:
        """Return the places with this `city`, or in this `state`, in any spelling of case.

        Raises:
            FilterError: there is none.
            UnknownFieldError: no record gives a place.
        """
        level = ("city", "state").index(kind)
        self._check_any(kind)
        names = _state_names(value) if kind == "state" else [folded(value)]
        found = {at for name in names for at in self._by_part[level].get(name, ())}
        if not found:
            names = sorted({getattr(each, kind) for each in self._places} - {""})
            raise FilterError(kind, value, tuple(closest(value, names)), tuple(names))
        return [self._places[at] for at in sorted(found)]

    def near(self, text: str) -> list[Place]:
        """Return the places that `Boston, Massachusetts` means: a city, state or country, or both.

        Each part between commas must be the city, the state or the country of a place.

        Raises:
            FilterError: there is none.
            UnknownFieldError: no record gives a place.
        """
        self._check_any("near")
        parts = [part for part in (each.strip() for each in text.split(",")) if part]
        found = self._with_all(parts)
        if not found:
            names = sorted({place_name(each) for each in self._places})
            raise FilterError("near", text, tuple(closest(text, names)), tuple(names))
        return [self._places[at] for at in sorted(found)]

    def around(self, centres: Sequence[Place], radius_km: float) -> list[Place]:
        """Return the places within a radius of one of several, these among them.

        Raises:
            ArgumentError: none of them has coordinates.
        """
        here = _radians(centres)
        if not len(here):
            where = "; ".join(sorted({place_name(each) for each in centres})[:3])
            raise ArgumentError(
                "radius_km", radius_km, f"left out: no record gives the coordinates of {where}"
            )
        there = [each for each in self._places if each.latitude is not None]
        near = _nearest_km(_radians(there), here) <= radius_km
        found = {each.id: each for each in centres}
        found |= {each.id: each for each, is_near in zip(there, near, strict=True) if is_near}
        return [found[number] for number in sorted(found)]

    def _with_all(self, parts: Sequence[str]) -> set[int]:
        """Return the places of which every part is a level, no two the same."""
        if not parts:
            return set()
        first, *others = parts
        candidates = {
            at
            for level, names in enumerate(_readings(first))
            for name in names
            for at in self._by_part[level].get(name, ())
        }
        readings = [_readings(part) for part in (first, *others)]
        return {at for at in candidates if _fits(self._parts[at], readings)}

    def _check_any(self, name: str) -> None:
        if not self._places:
            raise UnknownFieldError(name)


def place_name(place: Place | Site) -> str:
    """Return a place as a person writes it: `Boston, Massachusetts, United States`."""
    return ", ".join(filter(None, (place.city, place.state, place.country)))


def place_key(place: Place | Site) -> PlaceKey:
    """Return what is equal for two spellings of a place."""
    return (folded(place.city), folded(place.state), folded(place.country))


@lru_cache(maxsize=2**16)
def folded(name: str) -> str:
    """Return a name without case, accents and punctuation: `São Paulo` → `sao paulo`."""
    if name.isascii() and name.replace(" ", "").isalnum():  # as most; this is ten times as fast
        return " ".join(name.casefold().split())
    plain = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(each for each in plain if not unicodedata.combining(each))
    return " ".join(_NO_LETTER.sub(" ", bare).split())


def _state_names(text: str) -> list[str]:
    """Return a state's name, and what it abbreviates in the United States."""
    name = folded(text)
    full = _STATES.get(name)
    return [name, folded(full)] if full else [name]


def _readings(part: str) -> tuple[list[str], list[str], list[str]]:
    """Return the names that a part may be of a city, of a state and of a country."""
    return [folded(part)], _state_names(part), [folded(one_country_name(country_meant(part)))]


def _fits(place: tuple[str, ...], readings: Sequence[tuple[list[str], ...]]) -> bool:
    """Report whether each part of what was typed is another level of a place."""
    free = [0, 1, 2]
    for names in readings:
        level = next((each for each in free if place[each] in names[each]), None)
        if level is None:
            return False
        free.remove(level)
    return True


def _radians(places: Iterable[Place]) -> npt.NDArray[np.float64]:
    """Return (n, 2) latitude and longitude of the places that have them."""
    found = [
        (math.radians(each.latitude), math.radians(each.longitude))
        for each in places
        if each.latitude is not None and each.longitude is not None
    ]
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def _nearest_km(
    points: npt.NDArray[np.float64], centres: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return (n,) the distance of points to the nearest of centres, by the haversine formula."""
    nearest = np.full(len(points), np.inf)
    for latitude, longitude in centres:
        half = (
            np.sin((points[:, 0] - latitude) / 2) ** 2
            + np.cos(points[:, 0]) * math.cos(latitude)
            * np.sin((points[:, 1] - longitude) / 2) ** 2
        )  # fmt: skip
        km = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
        nearest = np.minimum(nearest, km)
    return nearest
