"""Studies → the study store (`study_tables`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

import msgspec

from simsearch.encode.fields import has_words, whole_text
from simsearch.facts import Facts
from simsearch.index import number_table, place_table
from simsearch.index.facts_blobs import Details, FactsWriter, kept_facts
from simsearch.index.study_tables import (
    COLUMNS,
    INDEXES,
    LISTS,
    SCALARS,
    SCHEMA,
    TEXTLESS,
)
from simsearch.index.traits import ages_of
from simsearch.records import Gone
from simsearch.study import Study


def write_store(
    path: Path,
    studies: Iterable[Study],
    gone: Iterable[Gone] = (),
    survivors: Mapping[str, str] = MappingProxyType({}),
    *,
    details: Details = "full",
    dictionary: bytes = b"",
) -> int:
    """Write the studies of an index, and return of how many it keeps facts.

    Args:
        path: the file, which does not exist yet.
        studies: all studies, in row order.
        gone: the studies that have left the registry.
        survivors: obsolete NCT ID → NCT ID of the study that replaced it, whichever studies
            list it as an alias.
        details: how much of the facts is kept.
        dictionary: to compress the facts with (`facts_blobs.dictionary_of`).

    Raises:
        sqlite3.Error: the file cannot be written.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")  # `Draft.seal` syncs the file
        database.executescript(SCHEMA)
        n_facts = _write_studies(database, studies, details, FactsWriter(dictionary))
        database.execute("INSERT INTO facts_dictionary VALUES (?)", (dictionary,))
        database.executescript(INDEXES)
        database.executemany(
            "INSERT OR REPLACE INTO alias SELECT ?, row FROM study WHERE nct_id = ?",
            survivors.items(),
        )
        database.executemany(
            "INSERT OR IGNORE INTO gone VALUES (?, ?, ?)",
            [(each.nct_id, each.since, each.became) for each in gone],
        )
    return n_facts


def _write_studies(
    database: sqlite3.Connection, studies: Iterable[Study], details: Details, packer: FactsWriter
) -> int:
    marks = ", ".join("?" * (len(COLUMNS) + 1))
    facets: dict[tuple[str, str], int] = {}
    places = place_table.PlacesWriter()
    n_facts = 0
    for row, study in enumerate(studies):
        # Sorted, so that the same studies make the same file: sets differ between processes.
        numbers = [facets.setdefault(facet, len(facets)) for facet in sorted(_facets(study))]
        database.executemany(
            "INSERT INTO has_facet VALUES (?, ?)", [(number, row) for number in numbers]
        )
        database.execute(f"INSERT INTO study VALUES ({marks})", (row, *_values(study)))
        database.executemany(
            "INSERT OR IGNORE INTO alias VALUES (?, ?)", [(alias, row) for alias in study.aliases]
        )
        database.executemany(number_table.INSERT, number_table.number_rows(row, study))
        database.executemany(place_table.INSERT_AT, places.add(row, study))
        if study.facts and any(known := _numbers(study.facts)):
            database.execute("INSERT INTO design VALUES (?, ?, ?, ?)", (row, *known))
        if kept := kept_facts(study.facts, details):
            database.execute("INSERT INTO facts VALUES (?, ?)", (row, packer.pack(kept)))
            n_facts += 1
    database.executemany(
        "INSERT INTO facet VALUES (?, ?, ?)",
        [(number, *facet) for facet, number in facets.items()],
    )
    database.executemany(place_table.INSERT, places.rows())
    return n_facts


def _facets(study: Study) -> set[tuple[str, str]]:
    """Return the kinds and values by which filters select a study."""
    several = {
        "phase": study.phases,
        "country": study.countries,
        "intervention_type": [each.type for each in study.interventions],
    }
    found = {(kind, value) for kind, values in several.items() for value in values}
    if not has_words([whole_text(study)]):
        found.add((TEXTLESS[0], *TEXTLESS[1]))
    found |= {(kind, getattr(study, kind)) for kind in ("status", "study_type", "sponsor")}
    if study.facts:
        found |= _facets_of_facts(study.facts)
    return {(kind, value) for kind, value in found if value}


def _facets_of_facts(facts: Facts) -> set[tuple[str, str]]:
    kinds = ("allocation", "masking", "primary_purpose", "sex", "sponsor_class")
    found = {(kind, getattr(facts, kind)) for kind in kinds}
    found |= {("facility", site.facility) for site in facts.sites}
    if facts.healthy_volunteers is not None:
        found.add(("healthy_volunteers", "yes" if facts.healthy_volunteers else "no"))
    return found


def _numbers(facts: Facts) -> tuple[float | None, float | None, int | None]:
    """Return the `NUMBERS` of a study; None for what is not known."""
    return (*ages_of(facts), len(facts.arms) or facts.n_arms)


def _values(study: Study) -> list[object]:
    scalars = [getattr(study, name) for name in SCALARS]
    lists = [msgspec.json.encode(getattr(study, name)).decode() for name in LISTS]
    return scalars + lists
