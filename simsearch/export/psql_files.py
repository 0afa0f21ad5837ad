"""The tables of PostgreSQL as files, for a person who loads them with psql.

`load.sql` does it all in one transaction: it makes the tables of `schema.sql` beside those of
before, copies the `.copy` files (binary COPY) into them, indexes and counts them, and puts them
in their place.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from simsearch.callbacks import Progress, no_progress
from simsearch.errors import ArgumentError
from simsearch.export import copy_format, schema
from simsearch.export.folders import whole_folder
from simsearch.export.rows import TermIds, generation_of, generation_row
from simsearch.export.sessions import LEAST_PGVECTOR
from simsearch.export.stream import NO_REACH, Stream
from simsearch.export.tables import Table, tables
from simsearch.index.opened import OpenedIndex

# Without a driver nothing quotes: a name that needs no quotes is the only safe one.
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")


def export_psql_files(
    index: OpenedIndex,
    folder: Path,
    *,
    name: str = "simsearch",
    k: int = 10,
    reasons: bool = True,
    hnsw: bool = False,
    threads: int = 0,
    progress: Progress | None = None,
) -> int:
    """Write the tables of an index as files for psql; return the number of related rows.

    Args:
        index: the index.
        folder: a new folder, or one that an earlier export made.
        name: of the schema: small letters, digits and underscores.
        k: neighbours in the related list of each study.
        reasons: say for each neighbour why it is one.
        hnsw: make the index for approximate search.
        threads: batches of lists computed at once; 0 for the number of cores.
        progress: called after every batch.

    Raises:
        ArgumentError: k is out of its range, or the name needs quotes.
        ExportError: the folder cannot be written.
    """
    if not _PLAIN_NAME.fullmatch(name):
        raise ArgumentError("schema", name, "of small letters, digits and underscores in files")
    wanted = generation_of(index, k, with_reasons=reasons)
    all_tables = tables(wanted.dimension)
    with whole_folder(folder, "postgres") as place, ExitStack() as files:
        stream = Stream(index, wanted, threads, progress or no_progress)
        stream.compute()
        opened: dict[str, BinaryIO] = {}
        for table in all_tables:
            opened[table.name] = files.enter_context((place / f"{table.name}.copy").open("wb"))
            opened[table.name].write(copy_format.HEADER)

        def put(table: str, rows: list[bytes]) -> None:
            opened[table].writelines(rows)

        terms = TermIds(index, {})
        nothing = np.zeros_like(stream.digests)
        put("generation", [generation_row(wanted)])
        put("term", list(terms.rows()))
        stream.records(terms, put, nothing)
        stream.related(put, nothing, NO_REACH)
        for file in opened.values():
            file.write(copy_format.TRAILER)
        counts = stream.counts
        (place / "schema.sql").write_text(_schema(name, all_tables))
        (place / "load.sql").write_text(_load(name, all_tables, counts, hnsw=hnsw))
        return counts["related"]


def _schema(name: str, all_tables: tuple[Table, ...]) -> str:
    lines = ["-- The tables, beside those of before; load.sql runs this file."]
    for table in all_tables:
        lines += [f"{each};" for each in schema.create(name, table, schema.LOADING)]
    return "\n".join(lines) + "\n"


def _load(name: str, all_tables: tuple[Table, ...], counts: dict[str, int], *, hnsw: bool) -> str:
    needed = ".".join(map(str, LEAST_PGVECTOR))
    lines = [
        "-- In this folder: psql -v ON_ERROR_STOP=1 -f load.sql postgresql://...",
        "-- One transaction: readers see the tables of before until the end.",
        "\\set ON_ERROR_STOP on",
        "BEGIN;",
        "CREATE EXTENSION IF NOT EXISTS vector;",
        "DO $$ BEGIN",
        "  IF (SELECT string_to_array(extversion, '.')::int[] FROM pg_extension",
        f"      WHERE extname = 'vector') < ARRAY[{', '.join(map(str, LEAST_PGVECTOR))}] THEN",
        f"    RAISE EXCEPTION 'pgvector {needed} or newer is needed';",
        "  END IF;",
        "END $$;",
        f"CREATE SCHEMA IF NOT EXISTS {name};",
        "\\ir schema.sql",
    ]
    for table in all_tables:
        statement = schema.copy(name, table, schema.LOADING)
        lines.append("\\" + statement.replace("FROM STDIN", f"FROM '{table.name}.copy'"))
    for table in all_tables:
        lines += [f"{each};" for each in schema.index(name, table, schema.LOADING)]
    if hnsw:
        lines.append(f"{schema.hnsw(name, schema.LOADING)};")
    for counted, n in counts.items():
        lines += [
            "DO $$ BEGIN",
            f"  IF (SELECT count(*) FROM {name}.{schema.LOADING}{counted}) <> {n} THEN",
            f"    RAISE EXCEPTION '{counted} has other rows than were sent';",
            "  END IF;",
            "END $$;",
        ]
    for table in all_tables:
        lines += [f"{each};" for each in schema.take_place(name, table, with_hnsw=hnsw)]
    return "\n".join([*lines, "COMMIT;"]) + "\n"
