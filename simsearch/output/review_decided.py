"""The decided studies of a review as CSV, RIS, ASReview's CSV or bare IDs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from types import MappingProxyType

from simsearch.output.citations import Citation
from simsearch.output.exports import citations_asreview, citations_ris
from simsearch.output.formats import View
from simsearch.review import SUPPLEMENT
from simsearch.review.decided import Decided, DecidedStudy

_COLUMNS = ("nct_id", "decision", "date", "by", "list", "title", "status", "url", "note")
_LABELS = MappingProxyType({"include": "1", "exclude": "0", "undecided": ""})


def review_csv(decided: Decided, view: View) -> Iterator[str]:
    """Yield a CSV with a header, a study a row; `simsearch review import` reads it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_COLUMNS), lineterminator="\n")
    writer.writeheader()
    for each in decided.studies:
        decision = each.decision
        row = {
            "nct_id": each.study.nct_id,
            "decision": decision.decision,
            "date": decision.date,
            "by": decision.by,
            "list": decision.batch or "",
            "title": each.study.title,
            "status": each.study.status,
            "url": each.study.url,
            "note": decision.note,
        }
        writer.writerow(view.csv_row(row))
    yield view.csv_start + text.getvalue()


def review_ids(decided: Decided, _: View) -> Iterator[str]:
    """Yield the NCT IDs of the included studies, one a line."""
    for each in decided.studies:
        if each.decision.decision == "include":
            yield f"{each.study.nct_id}\n"


def review_ris(decided: Decided, _: View) -> Iterator[str]:
    """Yield all decided studies as RIS; the decision is a note."""
    return citations_ris(_citation(decided, each) for each in decided.studies)


def review_asreview(decided: Decided, view: View) -> Iterator[str]:
    """Yield the CSV that ASReview opens; `included` is 1 or 0."""
    return citations_asreview((_citation(decided, each) for each in decided.studies), view)


def _citation(decided: Decided, each: DecidedStudy) -> Citation:
    facts = decided.status.facts
    decision = each.decision
    by = f" by {decision.by}" if decision.by else ""
    return Citation(
        study=each.study,
        records_date=facts.records_date,
        label=_LABELS[decision.decision],
        notes=(
            f"Decision: {decision.decision} on {decision.date}{by}",
            f"Source: ClinicalTrials.gov, records to {facts.records_date}; {facts.generation}",
            SUPPLEMENT,
        ),
    )
