"""`simsearch index`: the generations of an index, one build each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.command import add_command, new_group
from simsearch.cli.options import IndexOption, QuietOption, WaitOption
from simsearch.cli.outputs import GenerationsOutput
from simsearch.cli.terminal import print_facts
from simsearch.errors import SimsearchError, records_to
from simsearch.index.directory import find_index
from simsearch.output.reports import Listing

GenerationArgument = Annotated[
    str,
    typer.Argument(
        metavar="GENERATION",
        help="Its name, as `simsearch index list` shows it, or the start of it.",
    ),
]


def list_(index: IndexOption = None, *, output: GenerationsOutput) -> None:
    """Print the generations, newest first; * marks the current one."""
    from simsearch.index.generations import list_generations

    path = find_index(index, Path())
    output.write(Listing(path, list_generations(path)))


def verify(
    generation: GenerationArgument = "",
    all_: Annotated[bool, typer.Option("--all", help="Check every generation.")] = False,
    index: IndexOption = None,
    quiet: QuietOption = False,
) -> None:
    """Check a generation completely: the current one, unless another is named.

    Checks checksums, counts, unit rows and sample queries, and that every study has a vector for
    each field that it has a text for. Exits with 1 if a check fails.
    """
    from simsearch.cli.progress import progress_on_stderr
    from simsearch.index.generations import generation_names, named
    from simsearch.index.verify import verify_generation

    if all_ and generation:
        raise typer.BadParameter("name a GENERATION or give --all, not both")
    path = find_index(index, Path())
    failures: list[SimsearchError] = []
    for name in generation_names(path) if all_ else [named(path, generation)]:
        try:
            with progress_on_stderr(quiet=quiet) as progress:
                manifest = verify_generation(path, name, progress).manifest
        except SimsearchError as error:
            failures.append(error)
            if all_:
                print_facts([(name, f"damaged: {error}")], quiet=quiet)
        else:
            found = f"complete: {manifest.n_studies:,} studies, {len(manifest.files)} files"
            print_facts([(name, found)], quiet=quiet)
    if failures:
        raise failures[0]


def rollback(
    generation: GenerationArgument = "",
    index: IndexOption = None,
    wait: WaitOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Make the previous generation current again, or the one named, after verifying it.

    The other one stays until it is pruned: name it to go forward again. The next build is
    compared with the generation that is current then.
    """
    from simsearch.cli.progress import log, progress_on_stderr
    from simsearch.index.directory import open_generation
    from simsearch.index.generations import roll_back

    path = find_index(index, Path())
    with progress_on_stderr(quiet=quiet) as progress:
        name = roll_back(path, generation, wait=wait, say=log, progress=progress)
    manifest = open_generation(path, name).manifest
    built = manifest.built.replace("T", " ").replace("+00:00", " UTC")
    dated = records_to(manifest.records_date)
    facts = f"{name}: {manifest.n_studies:,} studies{dated}, built {built}"
    print_facts([("Current", facts)], quiet=quiet)


def prune(
    keep: Annotated[
        int,
        typer.Option("--keep", metavar="N", min=1, max=1000, help="How many to keep, 1 to 1,000."),
    ],
    index: IndexOption = None,
    wait: WaitOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Remove the oldest generations, never the current one.

    The current one stays, then those that were current before it, then the others, newest first:
    what was rolled back from goes first.
    """
    from simsearch.cli.progress import log
    from simsearch.index.generations import prune as remove

    path = find_index(index, Path())
    removed = remove(path, keep, wait=wait, say=log)
    print_facts([("Removed", ", ".join(removed) or "none")], quiet=quiet)


app = new_group("The generations of an index, one build each.")
add_command(
    app,
    list_,
    "list",
    examples="""
simsearch index list
simsearch index list -f json | jq -r '.generations[].name'
""",
)
add_command(
    app,
    verify,
    examples="""
simsearch index verify
simsearch index verify --all --quiet
""",
)
add_command(
    app,
    rollback,
    examples="""
simsearch index rollback
simsearch index rollback 20261124T104323Z-3af65b
""",
)
add_command(
    app,
    prune,
    examples="""
simsearch index prune --keep 2
""",
)
