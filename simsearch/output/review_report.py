"""How a review was done, as Markdown or JSON: a method that can be written down and repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from simsearch import __version__
from simsearch.files import pretty_json
from simsearch.output.formats import View
from simsearch.output.render import markdown_cell
from simsearch.review import SUPPLEMENT
from simsearch.review.decided import Decided, DecidedStudy
from simsearch.review.ranking import GREATEST_SHARE, PUSH, PUSHING, RANKING

REPORT_SCHEMA = "simsearch.review.report/1"


def report_markdown(decided: Decided, _: View) -> Iterator[str]:
    """Yield the report as Markdown."""
    status = decided.status
    yield f"# Review update: {markdown_cell(status.name)}\n\n"
    if status.question:
        yield f"Question: {markdown_cell(status.question)}\n\n"
    yield f"{SUPPLEMENT}\n\n"
    yield from _method(decided)
    yield from _lists(decided)
    yield "## Counts\n\nAs PRISMA 2020 asks for registers.\n\n| | studies |\n|---|---:|\n"
    yield "".join(f"| {name} | {n:,} |\n" for name, n in counts(decided).items())
    yield "\n## When to stop\n\n"
    yield "".join(f"- {rule.name.capitalize()}: {rule.line}.\n" for rule in status.rules)
    yield f"- Left: {status.left.line}.\n\n"
    yield "These are estimates from what was screened, not promises.\n\n"
    for title, verdict in (
        ("Included", "include"), ("Undecided", "undecided"), ("Excluded", "exclude"),
    ):  # fmt: skip
        chosen = [each for each in decided.studies if each.decision.decision == verdict]
        yield from _table(title, chosen)
    if status.notes:
        yield "## Notes\n\n" + "".join(f"- {markdown_cell(note)}\n" for note in status.notes) + "\n"
    yield f"{status.facts.line}. simsearch {__version__}.\n"


def report_json(decided: Decided, _: View) -> Iterator[str]:
    """Yield the same as JSON."""
    status = decided.status
    shape: dict[str, Any] = {
        "schema": REPORT_SCHEMA,
        "review": status.name,
        "question": status.question,
        "begun": status.begun,
        "ranking": RANKING,
        "counts": counts(decided),
        "lists": msgspec.to_builtins(decided.asked),
        "rules": msgspec.to_builtins(status.rules),
        "left": msgspec.to_builtins(status.left),
        "studies": [
            {
                "nct_id": each.study.nct_id,
                "title": each.study.title,
                "known": each.known,
                **{
                    name: value
                    for name, value in msgspec.to_builtins(each.decision).items()
                    if name != "study"
                },
            }
            for each in decided.studies
        ],
        "notes": [*status.notes, SUPPLEMENT],
        "index": msgspec.to_builtins(status.facts),
    }
    yield pretty_json(shape)


def counts(decided: Decided) -> dict[str, int]:
    """Return the counts that PRISMA 2020 asks for registers, and what was known before."""
    status = decided.status
    listed = {nct_id for each in decided.asked for nct_id in each.shown}
    of_lists = [each for each in decided.studies if not each.known]
    undecided = sum(each.decision.decision == "undecided" for each in of_lists)
    return {
        "Studies known before, included": status.n_known_included,
        "Studies known before, excluded or undecided": status.n_known - status.n_known_included,
        "Studies in the register searched (ClinicalTrials.gov, this index)": status.facts.n_studies,
        "Studies identified from the register (listed)": len(listed),
        "Studies listed and not screened yet": len(listed) - len(of_lists),
        "Studies screened": len(of_lists) - undecided,
        "Studies excluded": status.n_screened - status.n_kept,
        "Studies set aside as undecided": undecided,
        "Studies newly included": status.n_kept,
        "Studies included in all": status.n_included,
    }


def _method(decided: Decided) -> Iterator[str]:
    status = decided.status
    share = f"{GREATEST_SHARE:.0%}"
    yield (
        "## Method\n\n"
        f"The review was begun on {status.begun} from {status.n_known_included:,} included "
        "studies. The studies of a local copy of ClinicalTrials.gov were ranked by their "
        f"similarity to the included ones ({share} the greatest similarity to one of them, the "
        f"rest the mean over all), less {PUSH:g} times the mean similarity to the {PUSHING} "
        "excluded studies most like each; the ranking was made anew for every list, from the "
        f"decisions of that day (simsearch {__version__}, ranking {RANKING}). "
        "Lists show the studies without a decision, best first; entries of one trial are "
        "folded.\n\n"
    )


def _lists(decided: Decided) -> Iterator[str]:
    if not decided.asked:
        return
    yield "## Lists\n\n| # | date | records to | studies | generation | by | listed |\n"
    yield "|--:|---|---|--:|---|---|--:|\n"
    for n, each in enumerate(decided.asked, start=1):
        by = f"{each.n_included:,} included, {each.n_excluded:,} excluded"
        yield (
            f"| {n} | {each.date} | {each.records_date} | {each.n_studies:,} | {each.generation} "
            f"| {by} | {len(each.shown):,} |\n"
        )
    yield "\n"


def _table(title: str, studies: Sequence[DecidedStudy]) -> Iterator[str]:
    if not studies:
        return
    yield f"## {title}\n\n| NCT ID | Title | decided | by | list |\n|---|---|---|---|--:|\n"
    for each in studies:
        study, decision = each.study, each.decision
        where = "known before" if each.known else str(decision.batch or "–")
        yield (
            f"| [{study.nct_id}]({study.url}) | {markdown_cell(study.title)} | {decision.date} "
            f"| {markdown_cell(decision.by)} | {where} |\n"
        )
    yield "\n"
