"""A connection to a PostgreSQL server: what it must have, its lock, its errors in one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from simsearch.errors import ArgumentError, ExportBusyError, ExportError
from simsearch.errors.base import one_line
from simsearch.export import copy_format
from simsearch.export.rows import Generation
from simsearch.export.tables import FORMAT, GENERATION, Table, tables
from simsearch.records.postgres import connected, driver_line, is_unreachable

LEAST_PGVECTOR = (0, 8, 4)
"""The first release that this was tested with; earlier ones scan HNSW indexes less well."""

_LEAST_SERVER = 140_000
_LOCK = 0x51A5EA
_WAIT_FOR_READERS = "60s"
_LONGEST_NAME = 40  # of a schema: PostgreSQL cuts names at 63 bytes


class Session:
    """A connection, with the lock on a schema that lets one export at a time write there.

    Args:
        connection: of psycopg, in autocommit mode.
        name: of the schema.
        target: the database, for messages.
    """

    def __init__(self, connection: Any, name: str, target: str) -> None:
        from psycopg import sql

        self.connection = connection
        self.name = name
        self.target = target
        self.schema = sql.Identifier(name).as_string(connection)
        """The name of the schema, quoted."""

    def run(self, *statements: str) -> None:
        """Run statements."""
        for statement in statements:
            self.connection.execute(statement)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; values are bound by the driver."""
        found: list[tuple[Any, ...]] = self.connection.execute(statement, values or None).fetchall()
        return found

    def value(self, statement: str, values: Sequence[object] = ()) -> Any:
        """Return the first value of a query; None if it has no row."""
        return next(iter(self.rows(statement, values)), (None,))[0]

    def change(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run a statement; return how many rows it changed."""
        return int(self.connection.execute(statement, values or None).rowcount)

    def copy(self, statement: str, rows: Iterable[bytes]) -> None:
        """Send rows in binary."""
        with self.connection.cursor().copy(statement) as stream:
            stream.write(copy_format.HEADER)
            for row in rows:
                stream.write(row)
            stream.write(copy_format.TRAILER)

    def has_table(self, name: str) -> bool:
        """Report whether the schema has a table or view of this name."""
        return bool(
            self.value(
                "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname = %s AND relname = %s",
                (self.name, name),
            )
        )

    def generation(self) -> Generation | None:
        """Return what the schema holds; None if it holds nothing of ours.

        Raises:
            ExportError: it holds tables of these names that are something else.
        """
        there = [table.name for table in tables(1) if self.has_table(table.name)]
        if not there:
            return None
        if GENERATION.name not in there or not self._is_ours():
            raise ExportError(
                self.target,
                f"the schema {self.name} has a table {there[0]} that simsearch did not make: "
                "name another schema",
            )
        if self.rows(f"SELECT format FROM {self.schema}.generation") != [(FORMAT,)]:
            return None  # of another version: to be replaced
        names = ", ".join(GENERATION.names)
        found = self.rows(f"SELECT {names} FROM {self.schema}.generation")
        return msgspec.convert(
            {name: "" if value is None else value for name, value in
             zip(GENERATION.names, found[0], strict=True)},
            Generation,
        )  # fmt: skip

    def _is_ours(self) -> bool:
        comment = self.value(
            "SELECT obj_description(c.oid, 'pg_class') FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %s AND relname = %s",
            (self.name, GENERATION.name),
        )
        return str(comment or "").startswith(FORMAT.partition("/")[0])

    def grants(self, table: Table) -> list[str]:
        """Return the statements that give a table the privileges that it has now."""
        from psycopg import sql

        found = self.rows(
            "SELECT privilege_type, grantee, pg_get_userbyid(grantee), is_grantable "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace, aclexplode(relacl) "
            "WHERE nspname = %s AND relname = %s AND grantee <> relowner",
            (self.name, table.name),
        )
        return [
            f"GRANT {privilege} ON {self.schema}.{table.name} TO "
            + (sql.Identifier(to).as_string(self.connection) if number else "PUBLIC")
            + (" WITH GRANT OPTION" if grantable else "")
            for privilege, number, to, grantable in found
        ]


@contextmanager
def session(address: str, name: str) -> Iterator[Session]:
    """Connect to a server, check it, and hold the lock on a schema.

    Args:
        address: `postgresql://…`, or what else libpq takes; a password may be in the usual places.
        name: of the schema.

    Raises:
        ArgumentError: a schema cannot have this name.
        ExportBusyError: another export writes there, or the connection was lost.
        ExportError: it cannot be connected to, lacks what is needed, or refuses a statement.
    """
    try:
        import psycopg
    except ImportError as error:
        raise ExportError(
            "PostgreSQL", "needs psycopg: pip install 'simsearch[postgres]', or write files"
        ) from error
    if not 0 < len(name.encode()) <= _LONGEST_NAME or "\0" in name:
        raise ArgumentError("schema", name, f"a name of 1 to {_LONGEST_NAME} bytes")
    target = target_of(address)
    try:
        with connected(address, autocommit=True) as connection:
            opened = Session(connection, name, target)
            _check(opened)
            yield opened
    except psycopg.Error as error:
        raise _told(error, target) from error


def target_of(address: str) -> str:
    """Return the database that an address names, for messages: no user, no password.

    Raises:
        ExportError: it is not an address; what it holds is not repeated.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(address)
    except ProgrammingError:
        raise ExportError(
            "the address", "it must be like postgresql://user@host:5432/database"
        ) from None
    if parts.get("service"):
        return f"the service {parts['service']}"
    place = parts.get("host") or parts.get("hostaddr") or "localhost"
    database = parts.get("dbname") or "its default database"
    return one_line(f"PostgreSQL at {place}, {database}")


def _check(opened: Session) -> None:
    """Refuse a server that cannot take the tables, before anything is computed."""
    connection, target = opened.connection, opened.target
    if connection.info.server_version < _LEAST_SERVER:
        raise ExportError(target, "PostgreSQL 14 or newer is needed")
    if opened.value("SHOW transaction_read_only") == "on":
        raise ExportError(target, "the server is read-only: name the primary, not a standby")
    connection.execute("SET statement_timeout = 0")
    connection.execute("SET idle_in_transaction_session_timeout = 0")
    connection.execute(f"SET lock_timeout = '{_WAIT_FOR_READERS}'")
    if not opened.value("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_LOCK, opened.name)):
        raise ExportBusyError(target, f"another export writes to the schema {opened.name}")
    _check_pgvector(opened)


def _check_pgvector(opened: Session) -> None:
    """Make the extension if it is not there; refuse an old one; find its types by their names."""
    from psycopg import errors, sql

    needed = ".".join(map(str, LEAST_PGVECTOR))
    installed = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    if not opened.value(installed):
        offered = opened.value(
            "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"
        )
        if not offered:
            raise ExportError(
                opened.target, f"the server lacks pgvector: install {needed} or newer"
            )
        try:
            opened.run("CREATE EXTENSION vector")
        except errors.InsufficientPrivilege:
            raise ExportError(
                opened.target,
                "the database lacks the extension vector: its owner makes it with "
                "CREATE EXTENSION vector",
            ) from None
    version = str(opened.value(installed))
    if tuple(int(part) for part in version.split(".") if part.isdigit()) < LEAST_PGVECTOR:
        raise ExportError(
            opened.target,
            f"pgvector is {version} and {needed} is needed: install it, then "
            "ALTER EXTENSION vector UPDATE",
        )
    place = opened.value(
        "SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace "
        "WHERE extname = 'vector'"
    )
    opened.run(f"SET search_path = {sql.Identifier(place).as_string(opened.connection)}")


def _told(error: Exception, target: str) -> ExportError:
    """Return an error of the driver as one of ours."""
    from psycopg import errors

    diagnostics: Any = getattr(error, "diag", None)
    text = driver_line(error)
    dependent = one_line((diagnostics and diagnostics.message_detail) or "something depends on it")
    advice = {
        errors.InsufficientPrivilege: "ask the owner of the database for CREATE on it",
        errors.DiskFull: "make room on the server; what was there before is whole",
        errors.ReadOnlySqlTransaction: "name a server that can be written to",
        errors.DependentObjectsStillExist: f"{dependent}: drop it, or name another schema",
    }
    for kind, step in advice.items():
        if isinstance(error, kind):
            return ExportError(target, f"{text}: {step}")
    if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
        return ExportBusyError(target, "a reader holds the tables for a minute: try again later")
    if is_unreachable(error):
        return ExportBusyError(target, f"{text}; the tables are as they were: try again")
    return ExportError(target, text)
