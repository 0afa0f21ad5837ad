"""What reference managers and screening tools take of an answer or a diff: studies as citations."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

import msgspec

from simsearch.diff.changes import StudyChange
from simsearch.diff.neighbours import NeighbourChange
from simsearch.errors import one_line
from simsearch.facts import OtherNumber
from simsearch.index.directory import IndexFacts
from simsearch.output.diff import Bulletin
from simsearch.output.diff_phrases import phrases
from simsearch.search.answer import Answer
from simsearch.search.compare import Compared, Comparison
from simsearch.search.facts_of import with_facts
from simsearch.search.neighbour import Neighbour
from simsearch.search.question import Query
from simsearch.search.shape import percentile_label, query_name
from simsearch.study import Study, phase_label, status_label

_LONGEST_QUERY = 200  # characters of it in a note
_SHOWN_OUTCOMES = 5


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A study as a reference; every text is one line."""

    study: Study
    records_date: str
    """Date of the registry's data, `2025-05-08`, or `""`."""
    is_query: bool = False
    """Whether it was asked about: a study that is known to be relevant."""
    label: str = ""
    """`1` or `0` where a person decided that it is relevant or not."""
    notes: tuple[str, ...] = ()
    """Why it is here, and what dates that."""

    @property
    def title(self) -> str:
        """The title; the NCT ID of a study that has none."""
        return plain(self.study.title or self.study.official_title) or self.study.nct_id

    @property
    def abstract(self) -> str:
        """Summary, conditions, interventions and the first outcomes: what a study is screened by.

        Tools that learn from titles and abstracts see nothing else of it.
        """
        study = self.study
        parts = {
            "": [study.summary],
            "Conditions: ": study.conditions,
            "Interventions: ": [each.name for each in study.interventions],
            "Outcomes: ": study.outcomes[:_SHOWN_OUTCOMES],
        }
        said = [f"{name}{'; '.join(texts)}" for name, texts in parts.items() if any(texts)]
        return " ".join(
            text if text.endswith((".", "?", "!")) else f"{text}." for text in map(plain, said)
        )

    @property
    def keywords(self) -> tuple[str, ...]:
        """Conditions, interventions and keywords, each once."""
        study = self.study
        words = (*study.conditions, *(each.name for each in study.interventions), *study.keywords)
        return tuple(
            {word.casefold(): word for word in map(plain, reversed(words)) if word}.values()
        )[::-1]

    @property
    def publisher(self) -> str:
        """The lead sponsor."""
        return plain(self.study.sponsor)

    @property
    def date(self) -> str:
        """When the study was first posted, or else started: `2018`, `2018-06` or `2018-06-10`."""
        posted = self.study.facts.first_posted_date if self.study.facts else ""
        return posted or self.study.start_date

    @property
    def other_numbers(self) -> tuple[OtherNumber, ...]:
        """The study's numbers elsewhere, where its facts are known."""
        return self.study.facts.other_numbers if self.study.facts else ()


def plain(text: str) -> str:
    """Return a text in one line, without control and other invisible characters."""
    return " ".join(one_line(text).split())


def answer_citations(answer: Answer, *, with_query: bool = False) -> Iterator[Citation]:
    """Yield the neighbours of an answer; with `with_query` the query studies before them."""
    yield from _cited(answer.query, answer, answer.facts, with_query=with_query)


def comparison_citations(comparison: Comparison, *, with_query: bool = False) -> Iterator[Citation]:
    """Yield the studies that are compared; with `with_query` the query studies before them."""
    studies, facts = comparison.studies, comparison.facts
    yield from _cited(comparison.query, studies, facts, with_query=with_query)


def _cited(
    query: Query, found: Iterable[Neighbour | Compared], facts: IndexFacts, *, with_query: bool
) -> Iterator[Citation]:
    date, source = facts.records_date, _source(facts)
    for study in query.studies if with_query else ():
        yield Citation(study=study, records_date=date, is_query=True, notes=("Query study", source))
    name = textwrap.shorten(plain(query_name(query)), _LONGEST_QUERY, placeholder=" …")
    for each in found:
        notes = (*_neighbour_notes(each, name), source)
        yield Citation(study=each.study, records_date=date, notes=notes)


def diff_citations(bulletin: Bulletin, *, with_query: bool = False) -> Iterator[Citation]:
    """Yield the studies added or changed, or the new neighbours of watched ones, each once.

    With `with_query` the watched studies come before them.
    """
    index, seen = bulletin.both.new, set[str]()
    facts = index.facts
    for bare, is_query, notes in _of_bulletin(bulletin):
        if bare.nct_id in seen or (is_query and not with_query):
            continue
        seen |= {bare.nct_id} - {""}  # drafts have none
        (study,) = with_facts(index, [bare])
        yield Citation(
            study=study,
            records_date=facts.records_date,
            is_query=is_query,
            notes=(*notes, _source(facts)),
        )


def _of_bulletin(bulletin: Bulletin) -> Iterator[tuple[Study, bool, tuple[str, ...]]]:
    """Yield studies, whether each is watched, and why it is reported."""
    if not bulletin.k:
        for change in bulletin.both.studies():
            if change.event in {"added", "changed"}:
                yield change.study, False, (_change_note(change, bulletin),)
    for watched in bulletin.watched:
        if watched.text:
            continue
        yield watched.study.study, True, ("Watched study",)
    for watched in bulletin.watched:
        for new in watched.neighbours:
            if new.event == "new":
                yield new.neighbour.study, False, _new_notes(new, plain(watched.name))


def _neighbour_notes(neighbour: Neighbour | Compared, query: str) -> tuple[str, ...]:
    """Return how near a neighbour is, why, and what a person looks for first."""
    study = neighbour.study
    phase = phase_label(study.phases)
    facts = (
        status_label(study.status),
        f"phase {phase}" if phase else "",
        f"{study.enrollment:,} participants" if study.enrollment is not None else "",
        f"start {study.start_date}" if study.start_date else "",
    )
    if isinstance(neighbour, Neighbour):
        reason = neighbour.reason.line if neighbour.reason else ""
        folded = [each.nct_id for each in neighbour.folded]
    else:
        reason, folded = neighbour.relation, []
    lines = (
        _nearness(neighbour, query),
        f"Reason: {plain(reason)}" if reason else "",
        "Registered: " + ", ".join(filter(None, facts)) if any(facts) else "",
        "Near-duplicates: " + ", ".join(folded) if folded else "",
    )
    return tuple(filter(None, lines))


def _nearness(neighbour: Neighbour | Compared, query: str) -> str:
    """Return rank, similarity and percentile; `""` for a study that was named, not found."""
    if not (query and neighbour.rank and neighbour.similarity is not None):
        return ""
    near = f"Neighbour {neighbour.rank} of {query}: similarity {neighbour.similarity:.3f}"
    if neighbour.percentile is None:
        return near
    return f"{near}, percentile {percentile_label(neighbour.percentile)}"


def _new_notes(change: NeighbourChange, watched: str) -> tuple[str, ...]:
    near = _neighbour_notes(change.neighbour, watched)
    why = [f"New: {plain(change.why)}"] if change.why else []
    reason = [f"Reason: {plain(change.reason)}"] if change.reason else []
    return (*near, *why, *reason)


def _change_note(change: StudyChange, bulletin: Bulletin) -> str:
    since = bulletin.both.old.facts.records_date or bulletin.both.old.facts.generation
    if change.event == "added":
        return f"Added since {since}"
    return f"Changed since {since}: {plain('; '.join(phrases(change.fields)))}"


def _source(facts: IndexFacts) -> str:
    """Return where the data is from, and its date."""
    return f"Source: ClinicalTrials.gov{facts.dated}; index {facts.generation}"
