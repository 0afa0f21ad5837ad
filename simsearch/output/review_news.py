"""What is new for a review: text, JSON, RIS or a feed."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from simsearch.diff.changes import StudyChange
from simsearch.files import pretty_json
from simsearch.output.citations import Citation, plain
from simsearch.output.exports import citations_ris
from simsearch.output.feed import Entry, feed
from simsearch.output.formats import View
from simsearch.output.review import suggestion_row, twin_line
from simsearch.review import SUPPLEMENT
from simsearch.review.news import ReviewNews
from simsearch.review.upcoming import Suggestion
from simsearch.search.shape import percentile_label
from simsearch.study import status_label

NEWS_SCHEMA = "simsearch.review.news/1"


def news_table(news: ReviewNews, view: View) -> Iterator[str]:
    """Yield the news as plain text, for a terminal or a mail; nothing if quiet and nothing new."""
    if view.quiet and not news:
        return
    if not view.quiet:
        yield f"{_head(news)}\n\n"
    if news.added:
        yield f"New and close: {len(news.added):,}\n"
    for each in news.added:
        yield f"\n{each.study.nct_id}  {plain(each.study.title)}\n    {_why(each)}\n"
        yield f"    {each.study.url}\n"
    if news.changed:
        yield f"\nChanges in included studies: {len(news.changed):,}\n"
    for change in news.changed:
        yield f"\n{change.study.nct_id}  {plain(change.study.title)}\n    {_change(change)}\n"
    if not news:
        yield "Nothing new.\n"
    if not view.quiet:
        yield "\n" + "".join(f"{note}\n" for note in (*news.notes, SUPPLEMENT, news.new.line))


def news_json(news: ReviewNews, _: View) -> Iterator[str]:
    """Yield the news as one JSON object."""
    yield pretty_json(
        {
            "schema": NEWS_SCHEMA,
            "review": news.review,
            "added": [suggestion_row(each) for each in news.added],
            "changed": [
                {
                    "nct_id": change.study.nct_id,
                    "title": change.study.title,
                    "event": change.event,
                    "kinds": list(change.kinds),
                    "what": _change(change),
                }
                for change in news.changed
            ],
            "looked_at": news.n_looked_at,
            "notes": [*news.notes, SUPPLEMENT],
            "old": msgspec.to_builtins(news.old),
            "index": msgspec.to_builtins(news.new),
        }
    )


def news_ris(news: ReviewNews, _: View) -> Iterator[str]:
    """Yield the new studies as RIS."""
    facts = news.new
    source = f"Source: ClinicalTrials.gov, records to {facts.records_date}; {facts.generation}"
    return citations_ris(
        Citation(
            study=each.study,
            records_date=facts.records_date,
            notes=(f"New for review {news.review}: {_why(each)}", source, SUPPLEMENT),
        )
        for each in news.added
    )


def news_ids(news: ReviewNews, _: View) -> Iterator[str]:
    """Yield the NCT IDs of the new studies, one a line."""
    for each in news.added:
        yield f"{each.study.nct_id}\n"


def news_atom(news: ReviewNews, _: View) -> Iterator[str]:
    """Yield the news as a feed: new studies, then changes in included ones."""
    generation = news.new.generation
    entries = [
        *(
            Entry(
                f"new {each.study.nct_id} {generation}",
                f"{each.study.nct_id}: {each.study.title}",
                each.study.url,
                _why(each),
            )
            for each in news.added
        ),
        *(
            Entry(
                f"changed {change.study.nct_id} {generation}",
                f"{change.study.nct_id} changed: {change.study.title}",
                change.study.url,
                _change(change),
            )
            for change in news.changed
        ),
    ]
    yield feed(f"Review {news.review}: new studies", news.new.built, entries)


def _head(news: ReviewNews) -> str:
    old, new = (each.records_date or each.generation for each in (news.old, news.new))
    return (
        f"Review {news.review}: records to {old} and to {new}; {news.n_looked_at:,} studies came "
        "or have other texts"
    )


def _why(each: Suggestion) -> str:
    twin = f"; {twin_line(each.decided_twin)}" if each.decided_twin else ""
    return (
        f"most like {each.nearest.nct_id} (similarity {each.similarity:.3f}, pctl. "
        f"{percentile_label(each.percentile)}): {plain(each.reason.line)}{twin}"
    )


def _change(change: StudyChange) -> str:
    if change.event == "gone":
        became = f"; it is {change.became} now" if change.became else ""
        return f"left the index{became}"
    said = []
    for field in change.fields:
        if field.name == "status":
            said.append(f"status: {status_label(field.old)} → {status_label(field.new)}")
        elif field.name == "has_results" and field.new:
            said.append("results were posted")
        else:
            said.append(field.name.replace("_", " "))
    return ", ".join(said) or "came into the index"
