"""The tables of the places where studies are run: city, state and country, with coordinates."""

from __future__ import annotations

from typing import NamedTuple

from simsearch.study import Study

SCHEMA = """
CREATE TABLE place (
    id INTEGER PRIMARY KEY, city TEXT NOT NULL, state TEXT NOT NULL, country TEXT NOT NULL,
    latitude REAL, longitude REAL
);
CREATE TABLE at_place (
    place INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (place, row)
) WITHOUT ROWID;
"""
"""`at_place` has the row of each study with a site at a place."""

INSERT = "INSERT INTO place VALUES (?, ?, ?, ?, ?, ?)"
INSERT_AT = "INSERT INTO at_place VALUES (?, ?)"

ALL = "SELECT id, city, state, country, latitude, longitude FROM place ORDER BY id"
ROWS_AT = """
SELECT DISTINCT row FROM at_place WHERE place IN (SELECT value FROM json_each(?))
"""
ROWS_ANYWHERE = "SELECT DISTINCT row FROM at_place"

Where = tuple[float | None, float | None]
_NOWHERE: Where = (None, None)


class Place(NamedTuple):
    """A place as registered; parts that no record gives are empty.

    The registry's coordinates are those of the city. They are the first that a record gave.
    """

    id: int
    city: str
    state: str
    country: str
    latitude: float | None
    longitude: float | None


class PlacesWriter:
    """Collects the places of studies, each once, while the store is written."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, str], int] = {}
        self._where: list[Where] = []

    def add(self, row: int, study: Study) -> list[tuple[int, int]]:
        """Return the rows of `at_place` for a study."""
        found = set()
        for site in study.facts.sites if study.facts else ():
            parts = (site.city, site.state, site.country)
            if not any(parts):
                continue
            number = self._numbers.setdefault(parts, len(self._numbers))
            if number == len(self._where):
                self._where.append(_NOWHERE)
            if self._where[number] == _NOWHERE and site.latitude is not None:
                self._where[number] = (site.latitude, site.longitude)
            found.add((number, row))
        return sorted(found)

    def rows(self) -> list[tuple[int | str | float | None, ...]]:
        """Return the rows of `place`."""
        return [(number, *parts, *self._where[number]) for parts, number in self._numbers.items()]
