"""An answer as plain values: JSON (docs/json.md), rows of a CSV, the table of a notebook.

The shape is versioned by its `schema` value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from simsearch.errors import one_line
from simsearch.files import html_safe
from simsearch.search.filters import NO_FILTERS
from simsearch.search.neighbour import Neighbour, Reason, SharedPlaces
from simsearch.search.question import Query
from simsearch.study import Study, status_label

if TYPE_CHECKING:
    from simsearch.search.answer import Answer

ANSWER_SCHEMA = "simsearch.answer/1"

CSV_COLUMNS = (
    "rank", "nct_id", "title", "status", "phases", "similarity", "percentile", "reason",
    "study_type", "conditions", "interventions", "sponsor", "start_date", "enrollment",
    "countries", "url", "generation", "records_date", "folded", "query",
    "places", "notes",
)  # fmt: skip

EXPLAINED_COLUMNS = (
    "relation", "conditions_in_common", "interventions_in_common", "purpose_in_common",
    "population_in_common", "near_in_meaning", "words_in_common", "weighted_sum_made_of",
)  # fmt: skip
"""All of a reason, piece by piece: further columns of the CSV where that is asked for."""


def answer_shape(answer: Answer) -> dict[str, Any]:
    """Return an answer as the JSON object of docs/json.md."""
    return {
        "schema": ANSWER_SCHEMA,
        "query": query_shape(answer.query),
        "n_close": answer.n_close,
        "close_percentile": answer.close_percentile,
        "ranking": answer.ranking,
        "notes": list(answer.notes),
        "weights": answer.weights,
        "filters": {
            name: value
            for name, value in msgspec.to_builtins(answer.filters).items()
            if value != getattr(NO_FILTERS, name)
        },
        "neighbours": [neighbour_shape(each) for each in answer],
        "index": msgspec.to_builtins(answer.facts),
    }


def study_shape(study: Study) -> dict[str, Any]:
    """Return a study as every JSON answer carries it."""
    return {
        "nct_id": study.nct_id,
        "title": study.title,
        "status": study.status,
        "phases": list(study.phases),
        "study_type": study.study_type,
        "conditions": list(study.conditions),
        "interventions": [{"type": each.type, "name": each.name} for each in study.interventions],
        "sponsor": study.sponsor,
        "start_date": study.start_date,
        "enrollment": study.enrollment,
        "countries": list(study.countries),
        "url": study.url,
    }


def neighbour_shape(neighbour: Neighbour) -> dict[str, Any]:
    """Return a neighbour as JSON and JSON Lines carry it."""
    reason = neighbour.reason
    return {
        "rank": neighbour.rank,
        "similarity": neighbour.similarity,
        "percentile": neighbour.percentile,
        "signals": neighbour.signals,
        "reason": {"line": reason.line, **msgspec.to_builtins(reason)} if reason else None,
        "places": _places_shape(neighbour.places),
        "folded": [study.nct_id for study in neighbour.folded],
        **study_shape(neighbour.study),
    }


def _places_shape(places: SharedPlaces | None) -> dict[str, Any] | None:
    if places is None:
        return None
    return {name: list(getattr(places, name)) for name in ("countries", "cities", "facilities")}


def flat_rows(answer: Answer) -> Iterator[dict[str, Any]]:
    """Yield each neighbour as a row of the CSV: values by column, lists joined by `|`."""
    built = {
        "generation": answer.facts.generation,
        "records_date": answer.facts.records_date,
        "query": query_name(answer.query),
        "notes": list(answer.notes),
    }
    for each in answer:
        row = {**neighbour_shape(each), **built, **explained(each.reason)}
        row["reason"] = each.reason.line if each.reason else ""
        row["places"] = each.places.line if each.places else ""
        row["interventions"] = [
            f"{one.type}: {one.name}" if one.type else one.name for one in each.study.interventions
        ]
        yield {
            name: "|".join(map(str, row[name])) if isinstance(row[name], list) else row[name]
            for name in (*CSV_COLUMNS, *EXPLAINED_COLUMNS)
        }


def explained(reason: Reason | None) -> dict[str, list[str]]:
    """Return all of a reason, piece by piece, under the names of `EXPLAINED_COLUMNS`."""
    if reason is None:
        return {name: [] for name in EXPLAINED_COLUMNS}
    pieces = (
        [reason.relation] if reason.relation else [],
        list(reason.conditions),
        list(reason.interventions),
        [reason.purpose] if reason.purpose else [],
        list(reason.population),
        [f"{field} ({value:.2f})" for field, value in reason.near.items()],
        [f"{word} ({value:.2f})" for word, value in reason.terms.items()],
        [f"{name} {share:.0f} %" for name, share in reason.shares.items()],
    )
    return dict(zip(EXPLAINED_COLUMNS, pieces, strict=True))


def percentile_label(percentile: float) -> str:
    """Return a percentile, never rounded up to 100: `99.99`, `87.10`."""
    return f"{math.floor(percentile * 100 + 1e-6) / 100:.2f}"


def query_name(query: Query) -> str:
    """Return what was asked as one word or few: NCT IDs, and the texts."""
    names = [study.nct_id or "draft" for study in query.studies]
    return " ".join(filter(None, (*names, query.text)))


def query_title(query: Query) -> str:
    """Return what was asked in one line: IDs and titles, words, what to keep away from."""
    names = [f"{study.nct_id or 'the draft'} {study.title}".strip() for study in query.studies]
    names += [f"“{one_line(text)}”" for text in query.texts]
    unlike = ", ".join(study.nct_id for study in query.unlike)
    return " and ".join(names) + (f", unlike {unlike}" if unlike else "")


def answer_repr(answer: Answer) -> str:
    """Return an answer as a short text: a line a neighbour."""
    lines = [line for each in answer for line in _repr_lines(each)] or [nothing_found(answer)]
    title = f"Studies most like {query_title(answer.query)}:"
    return "\n".join([title, *lines, *answer.notes, answer.facts.line])


def _repr_lines(neighbour: Neighbour) -> Iterator[str]:
    yield f"{neighbour.rank:>3}  {neighbour.nct_id}  {neighbour.similarity:.3f}  {neighbour.title}"
    for study in neighbour.folded:
        yield f"       and {study.nct_id}  {study.title}"


def nothing_found(answer: Answer) -> str:
    """Return why an answer has no neighbour."""
    if answer.min_percentile:
        return f"No neighbour reaches the percentile {answer.min_percentile:g}."
    return "No study passes the filters." if answer.filters else "There is no other study."


def answer_html(answer: Answer) -> str:
    """Return an answer as an HTML table for a notebook, with links, reasons and its date."""
    rows = "".join(_html_row(each) for each in answer)
    nothing = "" if len(answer) else f"<p>{html_safe(nothing_found(answer))}</p>"
    headings = "".join(
        f"<th style='text-align:left'>{name}</th>"
        for name in ("#", "NCT ID", "Title", "Status", "Similarity", "Percentile", "Why")
    )
    return (
        f"<div><p>Studies most like {html_safe(query_title(answer.query))}</p>"
        f"<table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table>{nothing}"
        f"{''.join(f'<p>{html_safe(note)}</p>' for note in answer.notes)}"
        f"<p><small>{html_safe(answer.facts.line)}</small></p></div>"
    )


def _html_row(neighbour: Neighbour) -> str:
    study = neighbour.study
    cells = (
        str(neighbour.rank),
        _html_link(study),
        "<br>".join([html_safe(study.title), *map(_html_folded, neighbour.folded)]),
        html_safe(status_label(study.status)),
        f"{neighbour.similarity:.3f}",
        percentile_label(neighbour.percentile),
        html_safe(neighbour.reason.line if neighbour.reason else ""),
    )
    return "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>"


def _html_folded(study: Study) -> str:
    return f"<small>and {_html_link(study)} {html_safe(study.title)}</small>"


def _html_link(study: Study) -> str:
    address, name = html_safe(study.url), html_safe(study.nct_id)
    return f'<a href="{address}" target="_blank" rel="noopener">{name}</a>'


def query_shape(query: Query) -> dict[str, Any]:
    """Return what was asked, as every JSON answer carries it."""
    alone = query.studies[0] if len(query.studies) == 1 else Study(nct_id="")
    return {
        "kind": query.kind,
        "text": query.text,
        **study_shape(alone),
        "studies": [study_shape(study) for study in query.studies],
        "unlike": [study_shape(study) for study in query.unlike],
    }
