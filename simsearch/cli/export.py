"""`simsearch export`: an index into PostgreSQL, OpenSearch or Parquet files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.command import OptionGroup, add_command, new_group
from simsearch.cli.options import IndexOption, QuietOption, given_path
from simsearch.cli.progress import progress_on_stderr
from simsearch.cli.terminal import print_facts
from simsearch.index.opened import opened_index
from simsearch.output.database_reports import folder_facts, postgres_facts


@dataclass(frozen=True, kw_only=True)
class ExportOptions(OptionGroup):
    """The options of every export."""

    top_k: Annotated[
        int,
        typer.Option(
            "--top-k", "-k", metavar="N", min=1, max=1000,
            help="Neighbours in each related list, 1 to 1,000.",
        ),
    ] = 10  # fmt: skip
    reasons: Annotated[
        bool,
        typer.Option(
            "--reasons/--no-reasons",
            metavar="",
            help="Say for each neighbour why it is one; without, an export is several times "
            "as fast.",
        ),
    ] = True
    threads: Annotated[
        int,
        typer.Option(
            "--threads", min=0, metavar="N", help="Batches computed at once; 0 is one a core."
        ),
    ] = 0
    index: IndexOption = None
    quiet: QuietOption = False


FolderOption = Annotated[
    Path,
    typer.Option(
        "--output", "-o", parser=given_path, metavar="DIR",
        help="The folder to write: a new one, or that of an earlier export.",
        show_default=False,
    ),
]  # fmt: skip
HnswOption = Annotated[
    bool | None,
    typer.Option(
        "--hnsw/--no-hnsw",
        metavar="",
        help="Index the vectors of the texts for approximate search. Default: leave it as is.",
        show_default=False,
    ),
]
SchemaOption = Annotated[
    str, typer.Option("--schema", metavar="SCHEMA", help="The schema that holds the tables.")
]


def postgres(
    address: Annotated[
        str | None,
        typer.Argument(
            metavar="ADDRESS",
            help="The database, like postgresql://user@host/database, or service=NAME; a "
            "password is better kept in PGPASSWORD or ~/.pgpass.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=given_path,
            metavar="DIR",
            help="Write files for psql in place of connecting to a server.",
            show_default=False,
        ),
    ] = None,
    schema: SchemaOption = "simsearch",
    hnsw: HnswOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check the server, say what would be done, change nothing."),
    ] = False,
    *,
    options: ExportOptions,
) -> None:
    """Write the index into PostgreSQL with pgvector, beside whatever is there.

    Studies, sites, other numbers, embeddings, term weights and every related list, in one
    transaction: readers see the tables of before until all is in. The same generation again
    changes nothing; a later one writes only what differs.
    """  # fmt: skip
    if address == "":
        raise typer.BadParameter("ADDRESS: it is empty: give one like postgresql://user@host/name")
    if (address is None) == (output is None):
        raise typer.BadParameter("give ADDRESS, or -o DIR for files")
    if output and dry_run:
        raise typer.BadParameter("--dry-run checks a server: give ADDRESS")
    with opened_index(options.index) as opened, progress_on_stderr(quiet=options.quiet) as progress:
        if output:
            from simsearch.export.psql_files import export_psql_files

            n_related = export_psql_files(
                opened, output, name=schema, k=options.top_k, reasons=options.reasons,
                hnsw=bool(hnsw), threads=options.threads, progress=progress,
            )  # fmt: skip
            next_step = f"in {output}: psql -v ON_ERROR_STOP=1 -f load.sql ADDRESS"
            facts = folder_facts(opened, output, n_related, next_step)
        else:
            from simsearch.export.postgres import export_postgres

            report = export_postgres(
                opened, address or "", name=schema, k=options.top_k, reasons=options.reasons,
                hnsw=hnsw, dry_run=dry_run, threads=options.threads, progress=progress,
            )  # fmt: skip
            facts = postgres_facts(report, dry_run=dry_run)
    print_facts(facts, quiet=options.quiet)


def opensearch(
    output: FolderOption,
    alias: Annotated[
        str,
        typer.Option("--alias", metavar="ALIAS", help="The alias that searches will use."),
    ] = "simsearch",
    *,
    options: ExportOptions,
) -> None:
    """Write files that OpenSearch takes: mapping, bulk requests, the swap of an alias."""
    from simsearch.export.opensearch import export_opensearch

    with opened_index(options.index) as opened, progress_on_stderr(quiet=options.quiet) as progress:
        n_related = export_opensearch(
            opened, output, name=alias, k=options.top_k, reasons=options.reasons,
            threads=options.threads, progress=progress,
        )  # fmt: skip
        next_step = f"URL=https://HOST:9200 AUTH=USER:PASSWORD bash {output}/load.sh"
        facts = folder_facts(opened, output, n_related, next_step)
    print_facts(facts, quiet=options.quiet)


def parquet(output: FolderOption, *, options: ExportOptions) -> None:
    """Write Parquet files, for DuckDB, pandas and Spark: studies, related lists, embeddings."""
    from simsearch.export.parquet import export_parquet

    with opened_index(options.index) as opened, progress_on_stderr(quiet=options.quiet) as progress:
        n_related = export_parquet(
            opened, output, k=options.top_k, reasons=options.reasons, threads=options.threads,
            progress=progress,
        )  # fmt: skip
        next_step = f"duckdb -c \"SELECT * FROM '{output}/related.parquet' LIMIT 10\""
        facts = folder_facts(opened, output, n_related, next_step)
    print_facts(facts, quiet=options.quiet)


app = new_group("Export the index to PostgreSQL, OpenSearch or Parquet files.")
add_command(
    app,
    postgres,
    examples="""
simsearch export postgres postgresql://me@localhost/trials
simsearch export postgres service=aact --schema related --hnsw
simsearch export postgres -o for-the-dba/
""",
)
add_command(
    app,
    opensearch,
    examples="""
simsearch export opensearch -o opensearch/
""",
)
add_command(
    app,
    parquet,
    examples="""
simsearch export parquet -o trials/
""",
)
