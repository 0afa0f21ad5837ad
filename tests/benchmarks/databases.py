"""What an export into PostgreSQL costs, and what its approximate search finds.

    python tests/benchmarks/databases.py load --index DIR
    python tests/benchmarks/databases.py load --index DIR --no-reasons
    python tests/benchmarks/databases.py update --index DIR --later DIR
    python tests/benchmarks/databases.py recall ADDRESS
    python tests/benchmarks/databases.py sizes ADDRESS

`load` and `update` start a server of their own in a temporary folder and report processor time of
the client: `load` beside `related --all` with the same k, `update` beside a load. `recall` takes a
database that holds an export, and makes the HNSW index if it is not there.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from spine import machine

SEED = 0
K = 10
EF_SEARCH = (40, 100, 400)
FILTER = "s.status = 'RECRUITING' AND 'United States' = ANY (s.countries)"
NO_FILTER = "true"

app = typer.Typer(help=__doc__)
IndexOption = Annotated[Path, typer.Option(help="An index.")]
ReasonsOption = Annotated[bool, typer.Option("--reasons/--no-reasons")]


@app.command()
def load(index: IndexOption, *, reasons: ReasonsOption = True) -> None:
    """Measure a load beside `related --all`."""
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        listed = spent(["related", "--all", "-k", K, "-i", index, "-o", f"{folder}/lists.parquet"])
        with served() as address:
            loaded = exported(address, index, reasons=reasons)
    print(f"related --all: {listed:.0f} s of processor time")
    print(f"export: {loaded:.0f} s, {loaded / listed:.2f} times related --all")


@app.command()
def update(
    index: IndexOption,
    later: Annotated[Path, typer.Option(help="An index of a later generation.")],
    *,
    reasons: ReasonsOption = True,
) -> None:
    """Measure the update from one index to a later one beside a load of that."""
    print(machine())
    with served() as address:
        exported(address, index, reasons=reasons)
        updated = exported(address, later, reasons=reasons)
        loaded = exported(address, later, "--schema", "anew", reasons=reasons)
    print(f"load: {loaded:.0f} s of processor time")
    print(f"update: {updated:.0f} s, {updated / loaded:.3f} of a load")


@app.command()
def recall(
    address: str, queries: Annotated[int, typer.Option(help="Random query studies.")] = 500
) -> None:
    """Measure which of the ten nearest by text the HNSW index finds."""
    print(f"{machine()}, seed {SEED}, {queries} queries")
    with psycopg.connect(address, autocommit=True) as server:
        server.execute("SET search_path = simsearch, public")
        if server.execute("SELECT to_regclass('study_embedding_hnsw')").fetchone() == (None,):
            server.execute("SET maintenance_work_mem = '1GB'")
            began = time.perf_counter()
            server.execute(
                "CREATE INDEX study_embedding_hnsw ON study_embedding "
                "USING hnsw (text halfvec_ip_ops)"
            )
            print(f"HNSW index built in {time.perf_counter() - began:.0f} s")
        server.execute("SELECT setseed(0)")
        chosen = server.execute(
            "SELECT nct_id, text::text FROM study_embedding WHERE text IS NOT NULL "
            "ORDER BY random() LIMIT %s",
            [queries],
        ).fetchall()
        for condition, scans in ((NO_FILTER, ("off",)), (FILTER, SCANS)):
            exact, exactly = found(server, chosen, condition, "SET enable_indexscan = off")
            passing = server.execute(f"SELECT count(*) FROM study s WHERE {condition}").fetchone()
            print(f"{condition}: {passing[0]:,} studies; exact {1e3 * exactly:.1f} ms a query")
            for scan in scans:
                for ef in EF_SEARCH:
                    close, seconds = found(
                        server, chosen, condition, "SET enable_sort = off",
                        f"SET hnsw.ef_search = {ef}", f"SET hnsw.iterative_scan = {scan}",
                    )  # fmt: skip
                    share = shared(exact, close)
                    print(
                        f"  iterative_scan {scan}, ef_search {ef}: recall@{K} {share:.3f}, "
                        f"{1e3 * seconds:.1f} ms a query"
                    )


SCANS = ("off", "strict_order", "relaxed_order")


@app.command()
def sizes(address: str) -> None:
    """Print how large each table is, with and without its indexes."""
    with psycopg.connect(address) as server:
        for name, rows, table, indexes in server.execute(
            "SELECT relname, reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid) "
            "FROM pg_class WHERE relnamespace = 'simsearch'::regnamespace AND relkind = 'r' "
            "ORDER BY 3 DESC"
        ):
            print(f"{name:16} {rows:>12,} rows {table / 1e6:>9,.0f} MB {indexes / 1e6:>9,.0f} MB")


def found(server, chosen, condition, *settings) -> tuple[list[list[float]], float]:
    """The distances of the ten nearest of each query, ascending, and the seconds for a query."""
    with server.transaction():
        for each in settings:
            server.execute(each.replace("SET ", "SET LOCAL ", 1))
        statement = (
            "SELECT (e.text <#> %s::halfvec)::real FROM study_embedding e "
            f"JOIN study s USING (nct_id) WHERE e.nct_id <> %s AND {condition} "
            "ORDER BY e.text <#> %s::halfvec LIMIT %s"
        )
        if condition == NO_FILTER:
            statement = statement.replace("JOIN study s USING (nct_id) ", "")
        began = time.perf_counter()
        lists = [
            sorted(value for (value,) in server.execute(statement, [text, nct_id, text, K]))
            for nct_id, text in chosen
        ]
        return lists, (time.perf_counter() - began) / len(chosen)


def shared(exact: list[list[float]], close: list[list[float]]) -> float:
    """The share of the nearest that were found; one as near as the last counts as well."""
    counts = [
        sum(value <= best[-1] + 1e-6 for value in its)
        for best, its in zip(exact, close, strict=True)
    ]
    return sum(counts) / sum(map(len, exact))


def exported(address: str, index: Path, *options: str, reasons: bool) -> float:
    """Export an index; return the processor time of the client."""
    how = "--reasons" if reasons else "--no-reasons"
    return spent(["export", "postgres", address, "-k", K, "-i", index, how, *options])


def spent(words: list[object]) -> float:
    """Run a command; return its processor time, with that of its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "simsearch", *map(str, words), "-q", "--threads", "1"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def served():
    """A server of its own."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from postgres_server import running_server

    return running_server()


if __name__ == "__main__":
    app()
