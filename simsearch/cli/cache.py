"""`simsearch cache`: the vectors that builds share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.command import add_command, new_group
from simsearch.cli.options import CacheOption, QuietOption
from simsearch.cli.terminal import print_facts
from simsearch.encode.vector_cache import VectorCache, default_cache
from simsearch.errors import CacheError
from simsearch.output.render import size_label


def info(cache: CacheOption = None) -> None:
    """Print what the cache holds, by model."""
    path = cache or default_cache()
    if not _is_there(path):
        print_facts([("Cache", _none_yet(path))], quiet=False)
        return
    with VectorCache(path) as opened:
        facts = [("Cache", f"{path}, {size_label(path.stat().st_size)}")]
        facts += [
            (
                each.digest,
                f"{each.n_vectors:,} of {each.model}, {each.precision}, used {each.last_used}",
            )
            for each in opened.facts()
        ]
    print_facts(facts, quiet=False)


def prune(
    older_than: Annotated[
        int,
        typer.Option(
            metavar="DAYS", min=0, help="Drop vectors that no build has used for this many days."
        ),
    ],
    cache: CacheOption = None,
    quiet: QuietOption = False,
) -> None:
    """Drop vectors that are no longer needed, and free their disk space."""
    path = cache or default_cache()
    if not _is_there(path):
        print_facts([("Cache", _none_yet(path))], quiet=quiet)
        return
    with VectorCache(path) as opened:
        done = opened.prune(older_than)
    sizes = f"{size_label(done.bytes_before)} before, {size_label(done.bytes_after)} now"
    print_facts([("Dropped", f"{done.n_vectors:,} vectors"), ("Cache", sizes)], quiet=quiet)


def cache_file(given: Path | None, *, no_cache: bool) -> Path | None:
    """Return the cache file that the options name, None for no cache."""
    return None if no_cache else given or default_cache()


def _is_there(path: Path) -> bool:
    """Report whether there is a cache, or something else that is none.

    Raises:
        CacheError: it is a folder.
    """
    if path.is_dir():
        raise CacheError(path, "is a folder")
    return path.is_file() and path.stat().st_size > 0


def _none_yet(path: Path) -> str:
    return f"none yet: the next build creates {path}"


app = new_group("The cache of vectors that builds share.")
add_command(
    app,
    info,
    examples="""
simsearch cache info
""",
)
add_command(
    app,
    prune,
    examples="""
simsearch cache prune --older-than 30
""",
)
