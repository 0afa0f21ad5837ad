"""A page of HTML that needs nothing beside it, and the one style sheet of its pieces."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from simsearch.files import html_safe

_FOLDER = Path(__file__).parent


@cache
def stylesheet() -> str:
    """Return the rules of the pieces (`sx-…`, `chart-…`): for any page that holds some.

    They take the page's colours where it defines them as the web page does (`--ink`, `--dim`,
    `--line`, `--accent`, …).
    """
    return (_FOLDER / "pieces.css").read_text(encoding="utf-8")


@cache
def _base() -> str:
    return (_FOLDER / "page.css").read_text(encoding="utf-8")


def page(title: str, body: str) -> str:
    """Return a whole page with the style sheet in it.

    Args:
        title: as plain text.
        body: HTML, with everything from records escaped.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{html_safe(title)}</title>\n<style>\n{_base()}{stylesheet()}</style></head>\n"
        f"<body><main>{body}</main></body></html>\n"
    )
