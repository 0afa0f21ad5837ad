"""A comparison as data: JSON, CSV, an Excel workbook.

The shapes are those of `search/compare_shape.py`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from simsearch.errors import MissingExtraError
from simsearch.files import pretty_json, spreadsheet_safe
from simsearch.output.design_words import share_words
from simsearch.output.formats import View
from simsearch.search.compare import Comparison
from simsearch.search.compare_shape import COMPARED_COLUMNS, compared_rows, comparison_shape
from simsearch.search.shape import query_title

_LONGEST_CELL = 32_767  # of Excel, in characters
_WIDEST = 60


def comparison_json(comparison: Comparison, _: View) -> Iterator[str]:
    """Yield one JSON object: query, studies, benchmark, topics, index."""
    yield pretty_json(comparison_shape(comparison))


def comparison_csv(comparison: Comparison, view: View) -> Iterator[str]:
    """Yield a CSV with a header, a study a row; lists are joined by `|`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COMPARED_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(view.csv_row, compared_rows(comparison)))
    yield view.csv_start + text.getvalue()


def comparison_excel(comparison: Comparison, view: View) -> Iterator[bytes]:
    """Yield a workbook: studies, benchmark, shares, outcomes, criteria; a text is never a formula.

    Raises:
        MissingExtraError: openpyxl is not installed.
    """
    try:
        from openpyxl import Workbook
        from openpyxl.styles import Font
    except ImportError as error:
        raise MissingExtraError("an Excel workbook", "openpyxl", "excel") from error
    book = Workbook()
    book.remove(book.active)
    for name, (headings, rows) in _sheets(comparison).items():
        sheet = book.create_sheet(name)
        sheet.append(headings)
        for row in rows:
            sheet.append([_cell(each, raw=view.raw) for each in row])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        sheet.freeze_panes = "A2"
        for column in sheet.columns:
            widest = max(len(str(cell.value or "")) for cell in column)
            sheet.column_dimensions[column[0].column_letter].width = min(widest + 2, _WIDEST)
    file = io.BytesIO()
    book.save(file)
    yield file.getvalue()


def _cell(value: Any, *, raw: bool) -> Any:
    """Return a value as a cell holds it: text without formulas, at most of Excel's length."""
    if isinstance(value, str):
        value = value[:_LONGEST_CELL]
        return value if raw else spreadsheet_safe(value)
    return "" if value is None else value


_Sheet = tuple[Sequence[str], list[list[Any]]]


def _sheets(comparison: Comparison) -> dict[str, _Sheet]:
    """Return name → headings and rows."""
    bench, topics = comparison.benchmark, comparison.topics
    found: dict[str, _Sheet] = {
        "Studies": (COMPARED_COLUMNS, [list(row.values()) for row in compared_rows(comparison)]),
        "Benchmark": (
            ("measure", "unit", "n", "least", "lower quartile", "median", "upper quartile",
             "greatest", "planned", "not given", "left out", "query"),
            [
                [each.name, each.unit, each.n, each.least, each.lower, each.median, each.upper,
                 each.greatest, each.n_planned, each.n_missing, len(each.left_out),
                 "; ".join(f"{one.value:g}" for one in each.standings)]
                for each in bench.measures
            ],
        ),
        "Shares": (
            ("share", "count", "n", "per cent", "not given", "studies"),
            [
                [each.name, each.count, each.n, each.percent, each.n_missing,
                 " ".join(each.nct_ids)]
                for each in bench.shares
            ],
        ),
    }  # fmt: skip
    if topics is not None:
        for name, groups in (
            ("Primary outcomes", topics.outcomes),
            ("Inclusion", topics.inclusion),
            ("Exclusion", topics.exclusion),
        ):
            found[name] = (
                ("label", "studies", "NCT IDs", "time frames"),
                [
                    [each.label, len(each.nct_ids), " ".join(each.nct_ids),
                     "; ".join(f"{frame} ({n})" for frame, n in each.time_frames)]
                    for each in groups
                ],
            )  # fmt: skip
    about = [
        ["query", query_title(comparison.query)],
        ["benchmark", bench.headline],
        ["index", comparison.facts.line],
        *(["stopped", f"{each.nct_id} {each.status}: {each.why}"] for each in bench.stopped),
        *(["share", f"{each.name}: {share_words(each)}"] for each in bench.shares if each.n),
    ]
    found["About"] = (("what", "value"), about)
    return found
