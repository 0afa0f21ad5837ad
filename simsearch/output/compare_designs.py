"""Designs side by side in the terminal: a study a row, or a few lines each where it is narrow."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from simsearch.design.rows import Design
from simsearch.errors import one_line
from simsearch.output.design_words import NOT_APPLICABLE, NOT_GIVEN, cells, outcome
from simsearch.output.formats import View
from simsearch.output.render import UNCUT_WIDTH
from simsearch.search.compare import Comparison
from simsearch.study import STUDY_URL

_ROOM_FOR_COLUMNS = 96
_UNCUT_COLUMNS = 160  # in a pipe
_INDENT = 4
_OUTCOMES = 3  # of one study
_COLUMNS = ("#", "Study", "Status, phase", "Design", "People", "Months", "Ages", "Sites")
_WIDTHS = (3, 22, 12, 19, 7, 10, 8, 7)
_STUDY = _COLUMNS.index("Study")
_GAP = 1


def designs(comparison: Comparison, view: View) -> list[RenderableType]:
    """Return the studies of a comparison, the query first."""
    rows = [(each, "◆", "") for each in comparison.asked]
    for place, each in enumerate(comparison.studies, start=1):
        far = "" if each.is_close else "not close; "
        rows.append(
            (each.design, str(each.rank or place), (far + each.relation).removesuffix("; "))
        )
    if view.width is not None and view.width < _ROOM_FOR_COLUMNS:
        return [line for row in rows for line in _block(*row, view)]
    spare = (view.width or _UNCUT_COLUMNS) - sum(_WIDTHS) - _GAP * (len(_WIDTHS) - 1)
    widths = [width + (spare if at == _STUDY else 0) for at, width in enumerate(_WIDTHS)]
    found: list[RenderableType] = [_table(widths, header=True)]
    for row in rows:
        found += _row(*row, widths)
    return [
        *found,
        Text("◆ query. * planned. Months: to primary completion / to completion.", style="dim"),
        "",
    ]


def _table(widths: Sequence[int], *, header: bool) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, _GAP, 0, 0), show_edge=False,
        show_header=header, collapse_padding=True,
    )  # fmt: skip
    for heading, width in zip(_COLUMNS, widths, strict=True):
        table.add_column(heading, width=width, overflow="fold")
    return table


def _row(design: Design, name: str, relation: str, widths: Sequence[int]) -> list[RenderableType]:
    its = cells(design)
    link = f"cyan link {STUDY_URL}{design.nct_id}" if design.nct_id else "cyan"
    title = textwrap.wrap(
        one_line(design.title), widths[_STUDY] - _GAP, max_lines=2, placeholder=" …"
    )
    table = _table(widths, header=False)
    table.add_row(
        Text(name, style="bold"),
        Text.assemble((design.nct_id or "draft", link), "\n", ("\n".join(title), "bold")),
        Text(_status(design, its)),
        Text(_designed(design, its)),
        _starred(its["Participants"]),
        "/".join(
            _starred(its[each]) for each in ("Months to primary completion", "Months to completion")
        ),
        Text(its["Ages"].replace(" years", "").replace(" year", "")),
        _places(design),
    )
    below = _below(design, relation, sum(widths) - widths[0])
    return [table, Padding(Text("\n".join(below), style="dim"), (0, 0, 0, widths[0] + _GAP)), ""]


def _below(design: Design, relation: str, room: int) -> list[str]:
    """Return what a study measures, and how it is related, each in two lines at most."""
    outcomes = [outcome(each) for each in design.primary_outcomes[:_OUTCOMES]]
    more = len(design.primary_outcomes) - len(outcomes)
    lines = []
    if outcomes:
        lines.append("measures: " + "; ".join(outcomes) + (f"; {more} more" if more else ""))
    if design.why_stopped:
        lines.append(f"stopped: {design.why_stopped}")
    if relation:
        lines.append(relation)
    return [
        part
        for line in lines
        for part in textwrap.wrap(one_line(line), room, max_lines=2, placeholder=" …")
    ]


def _starred(cell: str) -> str:
    """Return a figure as a narrow column has it: `120*` for `120 planned`, `–` for none."""
    if cell in (NOT_GIVEN, NOT_APPLICABLE):
        return "–"
    return cell.replace(" planned", "*").replace(" (as registered)", "")


def _places(design: Design) -> str:
    if design.n_sites is None:
        return "–" if design.n_countries is None else f"in {design.n_countries}"
    return f"{design.n_sites} in {design.n_countries or '–'}"


def _status(design: Design, its: dict[str, str]) -> str:
    status = its["Status"].removesuffix(f": {design.why_stopped}" if design.why_stopped else "")
    phase = its["Phase"]
    return status if phase in (NOT_GIVEN, NOT_APPLICABLE) else f"{status}, phase {phase}"


def _block(design: Design, name: str, relation: str, view: View) -> list[RenderableType]:
    """Return a study in a few lines: name, design, numbers, outcomes."""
    its = cells(design)
    link = f"cyan link {STUDY_URL}{design.nct_id}" if design.nct_id else "cyan"
    room = (view.width or UNCUT_WIDTH) - _INDENT
    head = Text.assemble((f"{name}  ", "bold"), (design.nct_id or "draft", link))
    title = textwrap.wrap(one_line(design.title), room, max_lines=2, placeholder=" …")
    people = its["Participants"]
    if design.enrollment is None:
        people = "participants not given"
    else:
        people += " participant" if design.enrollment == 1 else " participants"
    places = "sites not given" if its["Sites"] == NOT_GIVEN else its["Sites"]
    facts = [
        f"{_status(design, its)} · {_designed(design, its)}",
        " · ".join((people, _lasting(its), _who(its), places)),
    ]
    lines = [part for line in facts for part in textwrap.wrap(one_line(line), room)]
    lines += _below(design, relation, room)
    body = Text("\n".join(title), style="bold").append(
        "\n" + "\n".join(lines), style="not bold dim"
    )
    return [head, Padding(body, (0, 0, 0, _INDENT)), ""]


def _designed(design: Design, its: dict[str, str]) -> str:
    """Return allocation, masking, arms and comparator in one phrase."""
    if design.study_type == "OBSERVATIONAL":
        return "observational"
    arms = f"{design.n_arms} arm{'' if design.n_arms == 1 else 's'}" if design.n_arms else ""
    against = ", ".join(design.comparators)
    versus = {"": "", "none": "no comparator"}.get(against, f"against {against}")
    known = [each for each in (its["Allocation"], its["Masking"]) if each not in (NOT_GIVEN, "n/a")]
    return ", ".join(filter(None, (*known, arms, versus))) or "design not given"


def _lasting(its: dict[str, str]) -> str:
    primary, completion = its["Months to primary completion"], its["Months to completion"]
    if primary == completion == NOT_GIVEN:
        return "duration not given"
    if NOT_GIVEN in (primary, completion):
        one, what = (
            (completion, "") if primary == NOT_GIVEN else (primary, " to primary completion")
        )
        return f"{one} months{what}"
    return f"{primary} months to primary completion, {completion} to completion"


def _who(its: dict[str, str]) -> str:
    ages = "ages not given" if its["Ages"] == NOT_GIVEN else its["Ages"]
    ages = "any age" if ages == "no limit" else ages
    sex = {"all": "", NOT_GIVEN: ""}.get(its["Sex"], f", {its['Sex']} only")
    healthy = ", healthy volunteers" if its["Healthy volunteers"] == "yes" else ""
    return ages + sex + healthy
