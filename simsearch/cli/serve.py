"""`simsearch serve`: the web page and the HTTP API."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from simsearch.cli.options import IndexOption, VerboseOption, given_path
from simsearch.cli.terminal import print_text
from simsearch.errors import ArgumentError, MissingExtraError
from simsearch.index.lock import user_name

EXAMPLES = """
simsearch serve
simsearch serve --open
simsearch serve --review anemia/ --open
simsearch serve --host 0.0.0.0 --port 80 --allow-host trials.example.org --workers 4
"""


def serve(
    index: IndexOption = None,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on; the default can be reached only from this machine.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            "--port", "-p", metavar="N", min=0, max=65535, help="Port; 0 takes a free one."
        ),
    ] = 8000,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            max=64,
            help="Processes; they share the index's files in memory.",
        ),
    ] = 1,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="HOST",
            help="A name by which the page is reached; repeatable. Requests for other names are "
            "refused.",
            show_default=False,
        ),
    ] = None,
    root_path: Annotated[
        str,
        typer.Option(
            "--root-path",
            metavar="PATH",
            help="The path below which a proxy serves it (/trials).",
            show_default=False,
        ),
    ] = "",
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin",
            metavar="URL",
            help="A site whose scripts may read the API (https://example.org, or *); repeatable.",
            show_default=False,
        ),
    ] = None,
    review: Annotated[
        list[Path] | None,
        typer.Option(
            "--review",
            metavar="DIR",
            parser=given_path,
            help="Show this review at /review/NAME; decisions can be made there only by people at "
            "this machine; repeatable.",
            show_default=False,
        ),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Serve the index as web pages, an HTTP API and an MCP server (/mcp).

    It needs the extra `web`. docs/web.md says what to put in front of it on a network.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # requests are answered side by side
    try:
        from simsearch.web.deciding import is_loopback
        from simsearch.web.prefix import root_path as root_of
        from simsearch.web.serving import Place
        from simsearch.web.serving import serve as run
        from simsearch.web.settings import Settings
    except ModuleNotFoundError as error:
        raise MissingExtraError("serve", error.name or "a library", "web") from error
    hosts = [host, *(allow_host or ())]
    origins = tuple(_origin(each) for each in allow_origin or ())
    names, root = tuple(each.casefold() for each in hosts), root_of(root_path)
    reviews = _reviews(review or ())
    # The names of a site and a prefix speak of a proxy: its visitors are not at this machine.
    decides = bool(reviews) and is_loopback(host) and not (allow_host or root)
    settings = Settings(
        hosts=names, root=root, origins=origins,
        reviews=reviews, decides=decides, by=user_name() if decides else "",
    )  # fmt: skip

    def ready(address: str, line: str) -> None:
        how = "" if decides else " (read-only: decisions are for people at this machine)"
        shown = "".join(f"{address}{root}/review/{quote(name)}{how}\n" for name in reviews)
        print_text(f"{address}{root}\n{shown}{line}\nStop with Ctrl-C.\n")

    place = Place(host, port, workers)
    run(index, place, settings, ready=ready, browse=open_, verbose=verbose)


def _reviews(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the name of each review → its folder.

    Raises:
        ReviewError: a folder holds no review.
        ArgumentError: two have one name.
    """
    from simsearch.review.folder import open_review

    found: dict[str, Path] = {}
    for folder in folders:
        name = open_review(folder).path.resolve().name
        if found.setdefault(name, folder).resolve() != folder.resolve():
            raise ArgumentError("review", str(folder), f"one with another name than {name}")
    return found


def _origin(given: str) -> str:
    """Return an origin as browsers send it.

    Raises:
        ArgumentError: it is none.
    """
    origin = given.rstrip("/")
    scheme, _, rest = origin.partition("://")
    if origin == "*" or (scheme in ("http", "https") and rest and "/" not in rest):
        return origin
    raise ArgumentError("allow_origin", given, "like https://example.org, or *")
