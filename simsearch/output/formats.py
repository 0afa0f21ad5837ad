"""The formats of answers and reports: one registry for every command.

A format is a function that takes what is to be written and a `View`, and yields text piece by
piece, so that however much of it fits in memory. To add one, write the functions in a file here
and enter them below: each command that has something to write in it then offers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import msgspec

from simsearch.files import spreadsheet_safe

FORMATS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "table": {
            "comparison": "compare_text:comparison_table",
            "study": "show_text:study_text",
            "answer": "answer:answer_table",
            "diff": "diff:diff_table",
            "info": "reports:info_table",
            "generations": "reports:generations_table",
            "evaluation": "evaluation:evaluation_table",
            "left-out": "left_out:left_out_table",
            "next": "review:next_table",
            "news": "review_news:news_table",
            "status": "review:status_table",
        },
        "json": {
            "comparison": "compare_data:comparison_json",
            "study": "show_data:study_json",
            "answer": "answer:answer_json",
            "diff": "diff:diff_json",
            "info": "reports:info_json",
            "generations": "reports:generations_json",
            "evaluation": "evaluation_json:evaluation_json",
            "left-out": "left_out:left_out_json",
            "next": "review:next_json",
            "news": "review_news:news_json",
            "status": "review:status_json",
            "report": "review_report:report_json",
        },
        "jsonl": {"answer": "answer:answer_jsonl", "diff": "diff:diff_jsonl"},
        "csv": {
            "comparison": "compare_data:comparison_csv",
            "answer": "answer:answer_csv",
            "diff": "diff:diff_csv",
            "evaluation": "evaluation:evaluation_csv",
            "left-out": "left_out:left_out_csv",
            "next": "review:next_csv",
            "review": "review_decided:review_csv",
        },
        "markdown": {
            "comparison": "compare_markdown:comparison_markdown",
            "study": "show_markdown:study_markdown",
            "answer": "answer:answer_markdown",
            "diff": "diff:diff_markdown",
            "evaluation": "evaluation:evaluation_markdown",
            "left-out": "left_out:left_out_markdown",
            "next": "review:next_markdown",
            "report": "review_report:report_markdown",
        },
        "ids": {
            "answer": "answer:answer_ids",
            "diff": "diff:diff_ids",
            "next": "review:next_ids",
            "news": "review_news:news_ids",
            "review": "review_decided:review_ids",
        },
        "ris": {
            "answer": "exports:answer_ris",
            "comparison": "exports:comparison_ris",
            "diff": "exports:diff_ris",
            "next": "review:next_ris",
            "news": "review_news:news_ris",
            "review": "review_decided:review_ris",
        },
        "html": {"comparison": "compare_html:comparison_html", "study": "show_html:study_html"},
        "excel": {"comparison": "compare_data:comparison_excel"},
        "atom": {"diff": "feed:diff_atom", "news": "review_news:news_atom"},
        "bibtex": {
            "answer": "exports:answer_bibtex",
            "comparison": "exports:comparison_bibtex",
            "diff": "exports:diff_bibtex",
        },
        "asreview": {
            "answer": "exports:answer_asreview",
            "comparison": "exports:comparison_asreview",
            "diff": "exports:diff_asreview",
            "next": "review:next_asreview",
            "review": "review_decided:review_asreview",
        },
    }
)
"""Format → what it can write → `module:function` of this folder, imported when it is used."""

ENDINGS: Mapping[str, str] = MappingProxyType(
    {
        ".txt": "table",
        ".json": "json",
        ".jsonl": "jsonl",
        ".csv": "csv",
        ".md": "markdown",
        ".parquet": "parquet",
        ".html": "html",
        ".xlsx": "excel",
        ".ris": "ris",
        ".bib": "bibtex",
        ".atom": "atom",
    }
)
"""Ending of a file's name → the format that it says."""

BINARY = frozenset({"excel"})
"""Formats that are bytes, and go into a file only."""

WITH_FACTS = frozenset({"ris", "bibtex", "asreview"})
"""Formats of an answer that need the facts of its studies: `Question.facts`."""

KINDS_OF: Mapping[str, str] = MappingProxyType({"asreview": "csv"})
"""Format → the one that it is a kind of, whose ending its files have."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How something is shown; a format takes from it what concerns it."""

    width: int | None = None
    """Of the terminal, in characters; None is a pipe or a file, where nothing is cut."""
    color: bool = False
    """Whether to write the terminal's codes for colour and links."""
    quiet: bool = False
    """Whether to write only the result, without what dates and explains it."""
    explain: bool = False
    """Whether to say all of the reason for each neighbour."""
    limit: int = 20
    """The most studies in one list of a diff."""
    raw: bool = False
    """Whether a CSV has texts as they are, also those that a spreadsheet runs as a formula."""
    bom: bool = False
    """Whether a CSV begins with a byte order mark, by which Excel knows UTF-8."""

    @property
    def csv_start(self) -> str:
        """What a CSV begins with."""
        return "\ufeff" if self.bom else ""

    def csv_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row of a CSV, safe to open in a spreadsheet unless `raw`."""
        if self.raw:
            return dict(row)
        return {name: spreadsheet_safe(cell) for name, cell in row.items()}


Writer = Callable[[Any, View], Iterable[Any]]


def format_names(kind: str) -> tuple[str, ...]:
    """Return the formats that something can be written in (`answer`, `diff`, …)."""
    return tuple(name for name, writers in FORMATS.items() if kind in writers)


def write(kind: str, thing: Any, name: str, view: View) -> Iterator[str]:
    """Yield what a format makes of something, piece by piece.

    Args:
        kind: what it is, as `FORMATS` has it.
        thing: an `Answer`, a `Bulletin`, …
        name: the format, one of `format_names(kind)`.
        view: how it is shown.
    """
    for piece in _writer(kind, name)(thing, view):
        yield str(piece)


def write_binary(kind: str, thing: Any, name: str, view: View) -> Iterator[bytes]:
    """Yield what one of the `BINARY` formats makes of something; arguments as of `write`."""
    for piece in _writer(kind, name)(thing, view):
        yield bytes(piece)


def _writer(kind: str, name: str) -> Writer:
    module, _, function = FORMATS[name][kind].partition(":")
    writer: Writer = getattr(import_module(f"simsearch.output.{module}"), function)
    return writer
