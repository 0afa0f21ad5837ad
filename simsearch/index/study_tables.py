"""The tables of the study store (`studies.sqlite`).

One row per study, numbered by its position in the order of NCT IDs. Lists are JSON arrays, so
that any SQLite tool can read them (`json_each`). What a study's page shows beyond that is one
compressed blob a study (`facts_blobs`), in a table of its own that ranking never reads.
"""

from __future__ import annotations

from simsearch.index import number_table, place_table

# Columns of one value (text, number, yes/no) and of JSON arrays, named as in Study.
SCALARS = (
    "nct_id", "title", "official_title", "acronym", "summary", "status", "last_known_status",
    "study_type", "sponsor",
    "start_date", "completion_date", "last_update_date", "enrollment", "has_results",
    "data_version",
)  # fmt: skip
LISTS = (
    "aliases", "phases", "conditions", "interventions", "keywords", "countries",
    "condition_mesh", "intervention_mesh", "outcomes", "mentions",
)  # fmt: skip
COLUMNS = (*SCALARS, *LISTS)

COMPARED = tuple(name for name in COLUMNS if name not in ("nct_id", "data_version"))
"""The fields by which two records of a study are compared: all but the date of download."""

NUMBERS = ("minimum_age", "maximum_age", "n_arms")
"""Columns of numbers in the facts by which filters select; ages are in years."""
NO_LIMIT = 999.0
"""`maximum_age` of a study that is open to any age; its `minimum_age` is 0."""

TRAIT_KINDS = ("primary_purpose", "sex", "healthy_volunteers")
"""The facets that reasons compare (see `traits`)."""

TEXTLESS = ("text", ("missing",))
"""Facet and values of the studies without a text to compare, as `StudyStore.rows_of` takes them."""

SCHEMA = f"""{number_table.SCHEMA}{place_table.SCHEMA}
CREATE TABLE study (
    row INTEGER PRIMARY KEY,
    {
    ", ".join(
        f"{name} INTEGER" if name in ("enrollment", "has_results") else f"{name} TEXT NOT NULL"
        for name in COLUMNS
    )
}
);
CREATE UNIQUE INDEX study_nct_id ON study (nct_id);
CREATE TABLE alias (alias TEXT PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE facet (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL);
CREATE TABLE has_facet (
    facet INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (facet, row)
) WITHOUT ROWID;
CREATE TABLE design (row INTEGER PRIMARY KEY, {", ".join(f"{name} REAL" for name in NUMBERS)});
CREATE TABLE gone (
    nct_id TEXT PRIMARY KEY, since TEXT NOT NULL, became TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE facts_dictionary (body BLOB NOT NULL);
CREATE TABLE facts (row INTEGER PRIMARY KEY, body BLOB NOT NULL);
"""

# Created when all studies are in: each serves one filter without reading the studies.
INDEXES = f"""{number_table.INDEXES}
CREATE INDEX study_start_date ON study (start_date) WHERE start_date > '';
CREATE INDEX study_enrollment ON study (enrollment) WHERE enrollment IS NOT NULL;
CREATE INDEX facet_trait ON facet (kind) WHERE kind IN ({
    ", ".join(f"'{kind}'" for kind in TRAIT_KINDS)
});
CREATE INDEX study_has_results ON study (has_results) WHERE has_results IS NOT NULL;
"""
