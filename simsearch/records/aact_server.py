"""AACT's tables on a PostgreSQL server → studies, as its export has them.

The rows come by COPY from one snapshot (repeatable read), row by row, and are changed as AACT
changes them for its pipe-delimited files (see `aact_tables`), so that the same study read from
both is equal. From there on the reader of those files does all.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from simsearch.errors import SourceError, SourceLostError
from simsearch.records import aact_reader
from simsearch.records.aact_tables import TABLES
from simsearch.records.outcomes import Outcome, SourceFile
from simsearch.records.postgres import connected, driver_line, is_unreachable
from simsearch.study import Study

SCHEMES = ("postgresql://", "postgres://")
"""What the address of a server begins with."""

_SCHEMA = "ctgov"
_LINE_BREAK = re.compile(rb"\n\s?")


class Server:
    """The address of a server; as text, it has neither user nor password.

    Args:
        address: `postgresql://user@host/aact`. A password may be in it, in PGPASSWORD or in a
            service file.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def __str__(self) -> str:
        parts = urlsplit(self.address)
        return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"

    __repr__ = __str__


class ServerWalk:
    """The studies of a server, as `SourceWalk` gives those of a file.

    Args:
        server: where they are.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._digest = hashlib.sha256()
        self.name = str(server)
        self.bytes_total = 0
        self.bytes_read = 0

    @property
    def description(self) -> SourceFile:
        """Name, number of tables, size as streamed, and digest of it."""
        return SourceFile(self.name, len(TABLES), self.bytes_read, self._digest.hexdigest())

    def check(self) -> bool:
        """Return whether the server has AACT's table of studies with a row in it.

        Raises:
            SourceError: it cannot be connected to, or has no such table.
        """
        with self._connected() as tables:
            return tables.has_studies()

    def __iter__(self) -> Iterator[Outcome]:
        """Yield the studies, in the order of their NCT IDs.

        Raises:
            SourceError: the server cannot be read to the end.
        """
        self._digest = hashlib.sha256()
        with self._connected() as tables:
            self.bytes_total = max(tables.size(), 1)
            self.bytes_read = 0
            tables.report = self._count
            for outcome in aact_reader.read_archive(tables, self.name):
                if isinstance(outcome, Study):
                    self.bytes_read = self.bytes_total
                yield outcome
        self.bytes_total = self.bytes_read

    def _count(self, line: bytes) -> None:
        self._digest.update(line)
        self.bytes_read = min(self.bytes_read + len(line), self.bytes_total)

    @contextmanager
    def _connected(self) -> Iterator[_Tables]:
        try:
            import psycopg
        except ImportError as error:
            raise SourceError(
                self.name, "needs psycopg: pip install 'simsearch[postgres]'"
            ) from error
        try:
            with connected(self._server.address) as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
                yield _Tables(connection, self.name)
        except psycopg.Error as error:
            kind = SourceLostError if is_unreachable(error) else SourceError
            raise kind(self.name, driver_line(error)) from error


class _Tables:
    """AACT's tables in a snapshot, as the members of an archive.

    Raises:
        SourceError: there is no table of studies.
    """

    def __init__(self, connection: Any, place: str) -> None:
        self._connection = connection
        found = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s",
            [_SCHEMA],
        ).fetchall()
        self._names = [name for (name,) in found if name in TABLES]
        self.report: Callable[[bytes], None] = no_report
        if "studies" not in self._names:
            raise SourceError(
                place, f"it has no table {_SCHEMA}.studies that may be read: name AACT's database"
            )

    def namelist(self) -> list[str]:
        """Return the names that the files of the export have."""
        return [f"{name}.txt" for name in TABLES if name in self._names]

    def has_studies(self) -> bool:
        """Report whether the table of studies has a row."""
        return bool(self._connection.execute(f"SELECT 1 FROM {_SCHEMA}.studies LIMIT 1").fetchall())

    def size(self) -> int:
        """Return about how many bytes the tables have."""
        (size,) = self._connection.execute(
            "SELECT sum(pg_table_size(format('%%I.%%I', %s::text, name)::regclass)) "
            "FROM unnest(%s::text[]) AS name",
            [_SCHEMA, self._names],
        ).fetchone()
        return int(size or 0)

    def open(self, member: str) -> io.BufferedReader:
        """Open a table as a file of the export."""
        return io.BufferedReader(_Lines(self._export(member.removesuffix(".txt"))))

    def _export(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a table: each row is one, as in the export."""
        columns = [
            column
            for (column,) in self._connection.execute(
                "SELECT column_name FROM information_schema.columns "
                "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
                [_SCHEMA, name],
            ).fetchall()
        ]
        wanted = [each for each in ("id", "nct_id", *TABLES[name].columns) if each in columns]
        names = ", ".join(dict.fromkeys(wanted))
        statement = (
            f"COPY (SELECT {names} FROM {_SCHEMA}.{name}) "
            "TO STDOUT WITH (FORMAT csv, DELIMITER '|', HEADER, ENCODING 'UTF8')"
        )
        with self._connection.cursor().copy(statement) as rows:
            for row in rows:
                line = _as_exported(bytes(row))
                self.report(line)
                yield line


def _as_exported(row: bytes) -> bytes:
    """Return a row of COPY as AACT's export has it: no doubled quotes, and no line breaks."""
    body = row.removesuffix(b"\n").replace(b'""', b"")
    return _LINE_BREAK.sub(b"~", body) + b"\n"


def no_report(line: bytes) -> None:
    """Ignore a line."""


class _Lines(io.RawIOBase):
    """Pieces of bytes as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes; return how many, 0 at the end."""
        room = memoryview(buffer)
        if not self._left:
            self._left = next(self._pieces, b"")
        n = min(len(room), len(self._left))
        room[:n] = self._left[:n]
        self._left = self._left[n:]
        return n
