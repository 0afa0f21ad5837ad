"""An index into a PostgreSQL server: whole, or what differs from what is there.

Everything is one transaction: whoever reads sees the tables of before until all is in, counted
and indexed; a run that is killed, or cut off, leaves them as they were and nothing beside them.
"""

from __future__ import annotations

import time

import msgspec
import numpy as np

from simsearch.callbacks import Progress, no_progress
from simsearch.errors import ExportError
from simsearch.export import copy_format, schema
from simsearch.export.earlier import read_changed, read_earlier, read_lists
from simsearch.export.lists import Before
from simsearch.export.rows import Generation, TermIds, generation_of, generation_row
from simsearch.export.sessions import Session, session
from simsearch.export.stream import EMBEDDING, LIST, NO_REACH, RECORD, Stream
from simsearch.export.tables import (
    GENERATION,
    OTHER_NUMBER,
    RELATED,
    ROW_DIGEST,
    SITE,
    STUDY,
    TERM,
    embedding_table,
    tables,
)
from simsearch.index.opened import OpenedIndex

_MOST_CHANGED = 0.1  # of the studies, for which it is worth to look for the lists that stay


class PostgresReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an export did."""

    target: str
    schema: str
    generation: str
    before: str
    """The generation that was there; empty if there was none."""
    kind: str
    """`whole`, `differences` or `nothing`: the generation was there already."""
    n_studies: int
    n_records: int
    """Studies whose record was written."""
    n_embeddings: int
    n_computed: int
    """Related lists computed: all, or those that can have changed."""
    n_lists: int
    """Related lists written."""
    n_removed: int
    """Studies that were removed."""
    seconds: float


def export_postgres(
    index: OpenedIndex,
    address: str,
    *,
    name: str = "simsearch",
    k: int = 10,
    reasons: bool = True,
    hnsw: bool | None = None,
    dry_run: bool = False,
    threads: int = 0,
    progress: Progress | None = None,
) -> PostgresReport:
    """Write an index into a schema of a PostgreSQL database.

    Args:
        index: the index.
        address: `postgresql://…`, or what else libpq takes.
        name: of the schema.
        k: neighbours in the related list of each study.
        reasons: say for each neighbour why it is one, which takes most of the time.
        hnsw: make the index for approximate search; None keeps it if it is there.
        dry_run: check the server, say what would be done, and do nothing.
        threads: batches of lists computed at once; 0 for the number of cores.
        progress: called after every batch.

    Raises:
        ArgumentError: k is out of its range.
        ExportBusyError: another export writes there, or the connection was lost.
        ExportError: the server lacks something or refuses something; nothing has changed.
    """
    began = time.perf_counter()
    wanted = generation_of(index, k, with_reasons=reasons)
    with session(address, name) as opened:
        found = opened.generation()
        has_hnsw = opened.has_table("study_embedding_hnsw")
        run = _Run(index, opened, wanted, threads, progress or no_progress)
        run.hnsw = has_hnsw if hnsw is None else hnsw
        kind = "whole"
        if found is not None and wanted.can_follow(found):
            kind = "nothing" if found.generation == wanted.generation else "differences"
        if not dry_run and kind == "nothing" and run.hnsw != has_hnsw:
            run.change_hnsw()
        elif not dry_run and kind != "nothing":
            run.compute(found if kind == "differences" else None)
            with opened.connection.transaction():
                run.whole() if kind == "whole" else run.differences()
        return PostgresReport(
            target=opened.target,
            schema=name,
            generation=wanted.generation,
            before=found.generation if found else "",
            kind=kind,
            n_studies=index.n_studies,
            n_records=run.n_written[RECORD],
            n_embeddings=run.n_written[EMBEDDING],
            n_computed=run.n_computed,
            n_lists=run.n_written[LIST],
            n_removed=run.n_removed,
            seconds=time.perf_counter() - began,
        )


class _Run:
    """One export into a session."""

    def __init__(
        self, index: OpenedIndex, opened: Session, wanted: Generation, threads: int,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._index = index
        self._to = opened
        self._wanted = wanted
        self._threads = threads
        self._progress = progress
        self._embedding = embedding_table(wanted.dimension)
        self.hnsw = False
        self.n_written = [0, 0, 0]
        self.n_removed = self.n_computed = 0

    def compute(self, found: Generation | None) -> None:
        """Compute the lists, before the transaction begins; `found` is what they differ from."""
        self._stream = Stream(self._index, self._wanted, self._threads, self._progress)
        self.n_written = self._stream.n_written
        before = None
        if found:
            known_terms = self._to.rows(f"SELECT term, id FROM {self._to.schema}.term")
            known = {term.encode(): number for term, number in known_terms}
            self._terms = TermIds(self._index, known)
            self._earlier = read_earlier(self._to, self._stream.nct_ids)
            if found.fit == self._wanted.fit:
                before = self._before()
        self._stream.compute(before)
        self.n_computed = self._stream.n_computed

    def _before(self) -> Before | None:
        """Return the lists of before; None if so much has changed that all are computed."""
        nct_ids, earlier = self._stream.nct_ids, self._earlier
        rows = np.flatnonzero((self._stream.digests != earlier.digests)[:, : EMBEDDING + 1].any(1))
        names = [*(nct_ids[row] for row in rows.tolist()), *earlier.gone]
        if len(names) > _MOST_CHANGED * len(nct_ids):
            return None
        rows = np.concatenate([rows, np.full(len(earlier.gone), -1)])
        n_terms, dimension = len(self._index.lexical.terms), self._wanted.dimension
        numbers = self._terms.numbers()
        changed = read_changed(self._to, names, rows, numbers, n_terms, dimension)
        return Before(read_lists(self._to, nct_ids, self._wanted.k), earlier.reach, changed)

    def change_hnsw(self) -> None:
        """Make or drop the index for approximate search."""
        where = self._to.schema
        statement = schema.hnsw(where) if self.hnsw else f"DROP INDEX {where}.study_embedding_hnsw"
        with self._to.connection.transaction():
            self._memory_for_hnsw()
            self._to.run(statement)

    def whole(self) -> None:
        """Load all tables beside those of before, and put them in their place."""
        where, all_tables = self._to.schema, tables(self._wanted.dimension)
        grants = [each for table in all_tables for each in self._to.grants(table)]
        if not self._has_schema():
            self._to.run(f"CREATE SCHEMA {where}")
            self._to.run(f"COMMENT ON SCHEMA {where} IS '{schema.SCHEMA_COMMENT}'")
        for table in all_tables:
            self._to.run(*schema.create(where, table, schema.LOADING))
        terms = TermIds(self._index, {})

        def put(table: str, rows: list[bytes]) -> None:
            of_it = next(each for each in all_tables if each.name == table)
            if rows:
                self._to.copy(schema.copy(where, of_it, schema.LOADING), rows)

        put("generation", [generation_row(self._wanted)])
        put("term", list(terms.rows()))
        nothing = np.zeros_like(self._stream.digests)
        self._stream.records(terms, put, nothing)
        self._stream.related(put, nothing, NO_REACH)
        for table in all_tables:
            self._progress("indexing", 0, 0, table.name)
            self._to.run(*schema.index(where, table, schema.LOADING))
        if self.hnsw:
            self._memory_for_hnsw()
            self._to.run(schema.hnsw(where, schema.LOADING))
        self._check_counts(schema.LOADING)
        for table in all_tables:
            self._to.run(*schema.take_place(where, table, with_hnsw=self.hnsw))
        self._to.run(*grants)

    def differences(self) -> None:
        """Write what differs from what is there, and remove the studies that are gone."""
        to, where = self._to, self._to.schema
        changing = (STUDY, SITE, OTHER_NUMBER, self._embedding, RELATED, TERM, ROW_DIGEST)
        for table in changing:
            to.run(f"CREATE TEMP TABLE new_{table.name} (LIKE {where}.{table.name}) ON COMMIT DROP")
        known = self._earlier.digests

        def put(table: str, rows: list[bytes]) -> None:
            of_it = next(each for each in changing if each.name == table)
            if rows:
                to.copy(schema.copy("pg_temp", of_it, "new_"), rows)

        put("term", list(self._terms.rows()))
        self._stream.records(self._terms, put, known)
        self._stream.related(put, known, self._earlier.reach.astype(np.float32))
        to.run(*(f"ANALYZE pg_temp.new_{table.name}" for table in changing))
        self._remove_gone()
        changed_records = "(SELECT nct_id FROM pg_temp.new_study)"
        for table in (SITE, OTHER_NUMBER):
            to.run(f"DELETE FROM {where}.{table.name} WHERE nct_id IN {changed_records}")
        to.run(
            f"DELETE FROM {where}.related r USING pg_temp.new_row_digest n, {where}.row_digest o "
            "WHERE r.nct_id = n.nct_id AND o.nct_id = n.nct_id AND o.related <> n.related"
        )
        for table in changing:
            to.run(schema.upsert(where, table, f"pg_temp.new_{table.name}"))
        to.run(f"DELETE FROM {where}.generation")
        to.copy(schema.copy(where, GENERATION), [generation_row(self._wanted)])
        if self.hnsw != to.has_table("study_embedding_hnsw"):
            self._memory_for_hnsw()
            drop = f"DROP INDEX {where}.study_embedding_hnsw"
            to.run(schema.hnsw(where) if self.hnsw else drop)
        self._check_counts("")

    def _remove_gone(self) -> None:
        to, where = self._to, self._to.schema
        to.run("CREATE TEMP TABLE here (nct_id text PRIMARY KEY) ON COMMIT DROP")
        to.copy(
            "COPY pg_temp.here (nct_id) FROM STDIN (FORMAT binary)",
            [copy_format.row([nct_id]) for nct_id in self._stream.nct_ids],
        )
        to.run("ANALYZE pg_temp.here")
        gone = "NOT EXISTS (SELECT FROM pg_temp.here h WHERE h.nct_id = t.nct_id)"
        for table in (STUDY, SITE, OTHER_NUMBER, self._embedding, RELATED, ROW_DIGEST):
            removed = to.change(f"DELETE FROM {where}.{table.name} t WHERE {gone}")
            self.n_removed = removed if table is STUDY else self.n_removed

    def _has_schema(self) -> bool:
        return bool(
            self._to.value("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self._to.name,))
        )

    def _check_counts(self, prefix: str) -> None:
        """Count what is in the tables.

        Raises:
            ExportError: a table has other rows than were sent; the transaction is undone.
        """
        for table, expected in self._stream.counts.items():
            found = self._to.value(f"SELECT count(*) FROM {self._to.schema}.{prefix}{table}")
            if found != expected:
                raise ExportError(
                    self._to.target,
                    f"{table} has {found:,} rows where {expected:,} were sent; nothing is changed",
                )

    def _memory_for_hnsw(self) -> None:
        """Let the graph be built in memory, where the server's own limit is lower."""
        self._to.run(
            "SELECT set_config('maintenance_work_mem', '1GB', true) "
            "WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < 1073741824"
        )
