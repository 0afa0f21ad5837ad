"""The tables of a mirror."""

APPLICATION_ID = 0x51A51A51
"""What marks a SQLite file as a mirror."""

# Mirrors of earlier versions lack these tables. They are tables of their own, and not columns of
# others, so that an earlier version can still write to a mirror that has them.
ABSENCE = """
CREATE TABLE IF NOT EXISTS missing (
    nct_id TEXT PRIMARY KEY NOT NULL,
    since TEXT NOT NULL,         -- when a check first did not find it, UTC
    became TEXT NOT NULL         -- the study it seems to be merged into, or empty
);
CREATE TABLE IF NOT EXISTS tombstone_check (
    nct_id TEXT PRIMARY KEY NOT NULL,
    checked TEXT NOT NULL        -- when the registry was last asked whether it is back, UTC
);
"""
SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE IF NOT EXISTS record (
    nct_id TEXT PRIMARY KEY NOT NULL,
    last_update TEXT NOT NULL,   -- last update posted, ISO date
    fetched TEXT NOT NULL,       -- when this record was received, UTC
    checked TEXT NOT NULL,       -- when the study was last seen in the registry, UTC
    body BLOB NOT NULL           -- the record as the API returned it, JSON, zlib
);
CREATE INDEX IF NOT EXISTS record_checked ON record (checked);
CREATE TABLE IF NOT EXISTS tombstone (
    nct_id TEXT PRIMARY KEY,
    since TEXT NOT NULL,         -- when it was first found missing, ISO date
    became TEXT NOT NULL         -- the study it was merged into, or empty
);
{ABSENCE}
CREATE TABLE IF NOT EXISTS scope (
    query TEXT PRIMARY KEY,      -- the API parameters, as JSON
    synced TEXT NOT NULL         -- the date of the registry's data to which it is complete
);
CREATE TABLE IF NOT EXISTS window (
    query TEXT NOT NULL,         -- as in scope
    name TEXT NOT NULL,          -- a range of last-update dates
    token TEXT NOT NULL,         -- of the next page, or empty
    stamp TEXT NOT NULL,         -- time of the registry's data that the token belongs to
    broken INTEGER NOT NULL,     -- studies received whose records cannot be kept
    total INTEGER,               -- number of studies according to the first page
    done INTEGER NOT NULL,
    PRIMARY KEY (query, name)
);
CREATE TABLE IF NOT EXISTS window_study (
    query TEXT NOT NULL, name TEXT NOT NULL, nct_id TEXT NOT NULL,
    PRIMARY KEY (query, name, nct_id)
) WITHOUT ROWID;
COMMIT;
"""
