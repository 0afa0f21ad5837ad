"""The table of the numbers that studies have elsewhere: found by the number, or by the study."""

from __future__ import annotations

from simsearch.records.other_numbers import key_of
from simsearch.study import Study

SCHEMA = """
CREATE TABLE other_number (
    row INTEGER NOT NULL, key TEXT NOT NULL, number TEXT NOT NULL, registry TEXT NOT NULL,
    PRIMARY KEY (row, key)
) WITHOUT ROWID;
"""
"""`key` is equal for all spellings of a number; `registry` is empty for a sponsor's own."""

INDEXES = "CREATE INDEX other_number_key ON other_number (key);"

INSERT = "INSERT OR IGNORE INTO other_number VALUES (?, ?, ?, ?)"

BY_KEY = "SELECT DISTINCT row FROM other_number WHERE key = ? ORDER BY row"
BY_ROW = """
SELECT row, key, number, registry FROM other_number
WHERE row IN (SELECT value FROM json_each(?)) ORDER BY row, key
"""


def number_rows(row: int, study: Study) -> list[tuple[int, str, str, str]]:
    """Return what the table has of a study: row, key, number and registry each."""
    numbers = study.facts.other_numbers if study.facts else ()
    return [(row, key, each.number, each.registry) for each in numbers if (key := key_of(each))]
