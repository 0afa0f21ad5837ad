"""Evaluations → text: tables, Markdown or CSV. Nothing is printed here."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
from rich import box
from rich.markup import escape
from rich.table import Table

from simsearch.evaluation.agreement import Agreement
from simsearch.evaluation.comparison import Report
from simsearch.evaluation.intervals import Estimate, estimate
from simsearch.evaluation.label_free import NEAR_DUPLICATE, Neighbourhoods
from simsearch.evaluation.scoring import Evaluation
from simsearch.evaluation.summary import Summary, summary_of
from simsearch.output.formats import View
from simsearch.output.render import render

Slices = Mapping[str, npt.NDArray[np.bool_]]


class _Sheet(msgspec.Struct, frozen=True):
    """One table with a line above and notes below."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def _sheets(report: Report) -> Iterator[_Sheet]:
    """Yield the tables of a report."""
    for evaluation, parts in report.evaluations:
        yield _systems_sheet(evaluation)
        if parts and evaluation.selection.cases:
            yield _slices_sheet(evaluation, parts)
    summary = summary_of([evaluation for evaluation, _ in report.evaluations])
    if summary:
        yield _summary_sheet(summary)
    if report.agreements:
        yield _agreements_sheet(report.agreements)
    if report.neighbourhoods:
        yield _neighbourhoods_sheet(report.neighbourhoods)


def _queries_used(evaluation: Evaluation) -> str:
    """Return how many queries were used, and how many were left out for which reason."""
    selection = evaluation.selection
    n_units = len({case.unit for case in selection.cases})
    queries = f"{len(selection.cases):,} queries"
    if selection.unit != "queries":
        queries += f" of {n_units:,} {selection.unit}"
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in selection.left_out.items())
    return f"{queries} used; left out: {reasons or 'none'}"


def _systems_sheet(evaluation: Evaluation) -> _Sheet:
    selection = evaluation.selection
    names = [measure.name for measure in selection.measures]
    first, *others = evaluation.systems
    rows = [
        [system, *map(_cell, evaluation.estimates(evaluation.values[system]))]
        for system in evaluation.systems
    ]
    rows[0].append("")
    for row, other in zip(rows[1:], others, strict=True):
        row.append(_cell(evaluation.difference(other, first)[0], sign="+"))
    for name, values in (("ceiling", evaluation.ceiling), ("random order", evaluation.chance)):
        means = (each.mean for each in evaluation.estimates(values))
        rows.append([name, *map(_number, means), ""])
    notes = [f"95 % intervals by bootstrap over {selection.unit}, each of the same weight."]
    if evaluation.unjudged:
        names = _add_unjudged(evaluation, names, rows, notes)
    best = evaluation.best_baseline()
    if best and first != best:
        ratio = _cell(evaluation.ratio(first, best))
        notes.append(f"{first} reaches {ratio} times the {names[0]} of the best baseline, {best}.")
    return _Sheet(
        f"{selection.name}: {selection.protocol}. {_queries_used(evaluation)}.",
        ["System", *names, f"{names[0]} less {first}'s"],
        rows if selection.cases else [],
        notes if selection.cases else ["No query can be used."],
    )


def _add_unjudged(
    evaluation: Evaluation, names: Sequence[str], rows: Sequence[list[str]], notes: list[str]
) -> list[str]:
    """Add the share unjudged among the ten before the last column; return the measures' names."""
    for row in rows:
        shares = evaluation.unjudged.get(row[0])
        row.insert(-1, "" if shares is None or not len(shares) else _number(shares.mean()))
    notes.append("Unjudged: the share of the first ten of the whole index that nobody judged.")
    return [*names, "unjudged"]


def _slices_sheet(evaluation: Evaluation, parts: Slices) -> _Sheet:
    selection, systems = evaluation.selection, sliced_systems(evaluation)
    rows = []
    for name, chosen in parts.items():
        n_units = len({
            case.unit for case, each in zip(selection.cases, chosen, strict=True) if each
        })  # fmt: skip
        cells = [
            _cell(evaluation.estimates(evaluation.values[system], chosen)[0]) for system in systems
        ]
        rows.append([name, f"{chosen.sum():,}", f"{n_units:,}", *cells])
    if selection.unit == "queries":
        rows = [[name, n_queries, *cells] for name, n_queries, _, *cells in rows]
    units = ["Queries", "Groups"] if selection.unit != "queries" else ["Queries"]
    return _Sheet(
        f"{selection.name}, slices: {selection.measures[0].name} of the queries of each",
        ["Slice", *units, *systems],
        rows,
        ["Areas go by words of MeSH terms; a query may be of several."],
    )


def sliced_systems(evaluation: Evaluation) -> list[str]:
    """Return the systems that slices are shown for: the first and the best baseline."""
    return list(dict.fromkeys(filter(None, (evaluation.systems[0], evaluation.best_baseline()))))


def _summary_sheet(found: Summary) -> _Sheet:
    first = next(iter(found.means))
    less = {name: _cell(each, sign="+") for name, each in found.less_the_first.items()}
    rows = [[name, _cell(mean), less.get(name, "")] for name, mean in found.means.items()]
    notes = ["Sets weigh alike; 95 % intervals by bootstrap within each set."]
    if found.halves:
        gain = _cell(found.halves.gain, sign="+")
        chosen = ", ".join(f"{name} {n}" for name, n in found.halves.chosen.items())
        notes += [
            f"Split halves, {found.halves.n} times: best on one half of each set: {chosen}.",
            f"On the other half it exceeds the first's best baseline by {gain}.",
        ]
    return _Sheet(
        f"All {len(found.sets)} sets: the mean of their nDCG@10",
        ["System", "nDCG@10", f"nDCG@10 less {first}'s"],
        rows,
        notes,
    )


def _agreements_sheet(found: Sequence[Agreement]) -> _Sheet:
    rows = [
        [each.one, each.other, f"{each.n_pairs:,}", _number(each.equal), _number(each.equal_clear),
         "" if each.kappa is None else _number(each.kappa)]
        for each in found
    ]  # fmt: skip
    return _Sheet(
        "Two readings of the same pairs",
        ["One", "Other", "Pairs", "Equal", "Equal at 2 or more", "Kappa"],
        rows,
        ["Kappa: Cohen's, with quadratic weights."],
    )


def _neighbourhoods_sheet(found: Neighbourhoods) -> _Sheet:
    rows = [
        ("two-stage top 10 in the exhaustive one", _number(found.agreement), "1.000"),
        ("query studies where they differ", f"{found.n_disagreeing:,}", "0"),
        ("skewness of occurrence in the top 10", f"{found.skewness:.2f}",
         f"{found.chance_skewness:.2f} by chance"),
        ("studies that are nobody's neighbour", _number(found.nobody_share),
         f"{_number(found.chance_nobody_share)} by chance"),
        ("occurrences of the commonest neighbour", f"{found.largest_hub:,}", ""),
        (f"neighbours with {NEAR_DUPLICATE:.0%} of the words in common",
         _number(found.near_duplicate_share), ""),
    ]  # fmt: skip
    return _Sheet(
        f"Without judgements: the top {found.k} of {found.n_queries:,} of "
        f"{found.n_studies:,} studies",
        ["Measure", "Value", "Reference"],
        rows,
    )


def _number(value: float, *, sign: str = "") -> str:
    return f"{value:{sign}.3f}"


def _cell(found: Estimate, *, sign: str = "") -> str:
    low, high = _number(found.low, sign=sign), _number(found.high, sign=sign)
    return f"{_number(found.mean, sign=sign)} [{low} {high}]"


def evaluation_table(report: Report, _: View) -> Iterator[str]:
    """Yield the tables as plain text."""
    parts = []
    for sheet in _sheets(report):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
        for place, name in enumerate(sheet.header):
            table.add_column(name, justify="right" if place else "left", no_wrap=True)
        for row in sheet.rows:
            table.add_row(*map(escape, row))
        shown = render(table, width=None, color=False) if sheet.rows else ""
        parts.append("\n".join([sheet.title, "", *shown.splitlines(), "", *sheet.notes, ""]))
    yield "\n".join([*parts, f"{_foot(report)}\n"])


def evaluation_markdown(report: Report, _: View) -> Iterator[str]:
    """Yield the tables as Markdown."""
    lines = []
    for sheet in _sheets(report):
        lines += [sheet.title, ""]
        if sheet.rows:
            rule = [":--", *["--:"] * (len(sheet.header) - 1)]
            lines += [f"| {' | '.join(row)} |" for row in (sheet.header, rule, *sheet.rows)]
        lines += ["", *sheet.notes, ""]
    yield "\n".join([*lines, f"{_foot(report)}.", ""])


def _foot(report: Report) -> str:
    weights = ", ".join(f"{name} {weight:g}" for name, weight in report.weights.items())
    if not report.beside:
        return f"{report.facts.line}; weights {weights}"
    indexes = [
        f"{name}: {each.n_studies:,} studies{each.dated}, built {each.built[:10]}, "
        f"model {each.recipe.model}"
        for name, each in report.beside.items()
    ]
    return "\n".join([*indexes, f"weights {weights}"])


def evaluation_csv(report: Report, _: View) -> Iterator[str]:
    """Yield a CSV: a line for each judged set, slice, system and measure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["judged_set", "protocol", "slice", "system", "measure", "mean", "low", "high", "n_queries"]
    )
    for evaluation, parts in report.evaluations:
        selection = evaluation.selection
        lines = [("", *line) for line in _all_estimates(evaluation)]
        lines += [
            (name, system, evaluation.estimates(evaluation.values[system], chosen),
             int(chosen.sum()))
            for name, chosen in parts.items() for system in sliced_systems(evaluation)
        ]  # fmt: skip
        for part, system, estimates, n_queries in lines:
            for measure, each in zip(selection.measures, estimates, strict=True):
                numbers = [f"{number:.6f}" for number in (each.mean, each.low, each.high)]
                head = [selection.name, selection.protocol, part, system, measure.name]
                writer.writerow([*head, *numbers, n_queries])
        for system, shares in evaluation.unjudged.items():
            each = estimate(shares)
            numbers = [f"{number:.6f}" for number in (each.mean, each.low, each.high)]
            head = [selection.name, selection.protocol, "", system, "unjudged"]
            writer.writerow([*head, *numbers, len(shares)])
    yield text.getvalue()


def _all_estimates(evaluation: Evaluation) -> Iterator[tuple[str, list[Estimate], int]]:
    """Yield the estimates of each system, of the ceiling and of random order."""
    references = {"ceiling": evaluation.ceiling, "random order": evaluation.chance}
    for name, values in {**evaluation.values, **references}.items():
        yield name, evaluation.estimates(values), len(evaluation.selection.cases)
