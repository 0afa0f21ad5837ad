"""What the tools for assistants answer: compact rows, with the data date and what is close."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from simsearch.design.rows import Design, design_of
from simsearch.diff.changes import compare as compare_generations
from simsearch.diff.watch import watched_change
from simsearch.errors import NoEarlierGenerationError, one_line
from simsearch.index.opened import OpenedIndex
from simsearch.output.diff_phrases import phrases
from simsearch.search.answer import Answer, ask
from simsearch.search.compare import compare
from simsearch.search.facts_of import with_facts
from simsearch.search.question import Question
from simsearch.study import phase_label, status_label
from simsearch.web.asking import Asked

_TITLE, _WHY, _SUMMARY, _TEXT = 110, 120, 900, 300
_MOST = 12


class Row(BaseModel):
    """A related study."""

    nct_id: str
    title: str
    status: str = ""
    phase: str = ""
    enrollment: int | None = None
    start: str = ""
    why: str = ""
    percentile: float = 0
    close: bool = False


class Related(BaseModel):
    """The related studies."""

    data_date: str
    closeness: str
    studies: list[Row]
    notes: list[str] = []


class StudyCard(BaseModel):
    """A study."""

    data_date: str
    study: dict[str, Any]


class Designs(BaseModel):
    """Designs side by side, and their benchmark."""

    data_date: str
    about: str
    benchmark: list[dict[str, Any]]
    shares: list[dict[str, Any]]
    designs: list[dict[str, Any]]
    notes: list[str] = []


class Changes(BaseModel):
    """What changed."""

    data_date: str
    since: str
    study: list[str]
    neighbours: list[dict[str, str]]


def related(index: OpenedIndex, asked: Asked) -> Related:
    """Return the studies most like what is asked about."""
    answer = ask(index, asked.question())
    return Related(
        data_date=index.facts.records_date,
        closeness=_closeness(answer),
        studies=[
            Row(
                nct_id=each.nct_id, title=_cut(each.title, _TITLE),
                status=status_label(each.study.status), phase=phase_label(each.study.phases),
                enrollment=each.study.enrollment, start=each.study.start_date,
                why=_cut(each.reason.line if each.reason else "", _WHY),
                percentile=each.percentile, close=each.percentile >= answer.close_percentile,
            )
            for each in answer
        ],
        notes=[_cut(note, _TEXT) for note in answer.notes],
    )  # fmt: skip


def study_card(index: OpenedIndex, nct_id: str, *, full: bool) -> StudyCard:
    """Return a study, with what its record gives of its design."""
    (study,) = with_facts(index, [index.study(nct_id)])
    card = _given(
        nct_id=study.nct_id, title=_cut(study.title, 300), status=status_label(study.status),
        phase=phase_label(study.phases), study_type=study.study_type,
        conditions=_several(study.conditions),
        interventions=_several(tuple(each.name for each in study.interventions)),
        sponsor=_cut(study.sponsor, _TITLE), enrollment=study.enrollment, start=study.start_date,
        completion=study.completion_date, last_update=study.last_update_date,
        has_results=study.has_results, countries=_several(study.countries),
        summary=_cut(study.summary, _SUMMARY), url=study.url,
    )  # fmt: skip
    card |= _design(design_of(study)) if study.facts else {}
    if full and study.facts:
        card |= _given(
            arms=[_cut(f"{each.label} ({each.type})", _TEXT) for each in study.facts.arms[:_MOST]],
            secondary_outcomes=[
                _cut(each.measure, _TEXT) for each in study.facts.secondary_outcomes[:_MOST]
            ],
            criteria=_cut(study.facts.criteria, 3000),
            other_numbers=[each.number for each in study.facts.other_numbers[:_MOST]],
        )
    return StudyCard(data_date=index.facts.records_date, study=card)


def designs(index: OpenedIndex, nct_ids: tuple[str, ...], k: int) -> Designs:
    """Return the designs of a study and its nearest, or of several studies; their benchmark."""
    question = Question(studies=nct_ids, k=k)
    found = compare(index, question, alone=len(nct_ids) > 1, groups=False)
    measures = [
        _given(
            name=each.name, unit=each.unit, n=each.n, median=each.median, lower=each.lower,
            upper=each.upper,
        )
        for each in found.benchmark.measures
        if each.n
    ]  # fmt: skip
    shares = [
        _given(name=each.name, count=each.count, n=each.n, percent=each.percent)
        for each in found.benchmark.shares
        if each.n
    ]
    far = f"; {found.n_far} that are not close are left out of the figures" if found.n_far else ""
    return Designs(
        data_date=index.facts.records_date,
        about=f"{found.benchmark.about}{far}",
        benchmark=measures,
        shares=shares,
        designs=[_design(each) for each in found.designs if each.nct_id],
        notes=[_cut(note, _TEXT) for note in found.notes],
    )


def changes(index: OpenedIndex, nct_id: str, k: int) -> Changes:
    """Return what changed in a study and among its nearest since the generation before."""
    study = index.study(nct_id)
    date = index.facts.records_date
    try:
        with compare_generations(index.path, new=index.facts.generation) as both:
            found = watched_change(both, study.nct_id, k)
            since = both.old.facts.records_date or both.old.facts.built
            fields = phrases(found.study.fields)
            if found.study.event == "added":
                fields = ["new in the index"]
            neighbours = [
                _given(
                    event=each.event, nct_id=each.neighbour.nct_id,
                    title=_cut(each.neighbour.title, _TITLE),
                    why=_cut("; ".join(filter(None, (each.why, *phrases(each.fields)))), _TEXT),
                )
                for each in found.neighbours
            ]  # fmt: skip
    except NoEarlierGenerationError:
        return Changes(
            data_date=date, since="", neighbours=[],
            study=["this index has no earlier generation to compare with"],
        )  # fmt: skip
    said = [_cut(each, _TEXT) for each in fields] or ["nothing changed in the study"]
    return Changes(data_date=date, since=since, study=said, neighbours=neighbours)


def _closeness(answer: Answer) -> str:
    """Return how many neighbours are close, in words."""
    if not len(answer):
        return "no study passes the filters"
    if not answer.n_close:
        return "nothing close: none of these is likely to be clearly related"
    return f"{answer.n_close} of {len(answer)} are close"


def _design(design: Design) -> dict[str, Any]:
    """Return the design of a study as far as it is given, in short."""
    return _given(
        nct_id=design.nct_id, title=_cut(design.title, _TITLE), status=status_label(design.status),
        why_stopped=_cut(design.why_stopped, _WHY), phase=phase_label(design.phases),
        allocation=design.allocation, masking=design.masking, model=design.intervention_model,
        n_arms=design.n_arms, comparators=list(design.comparators), enrollment=design.enrollment,
        months=design.months_to_completion, ages=_ages(design), sex=design.sex,
        n_sites=design.n_sites, sponsor_class=design.sponsor_class,
        primary_outcomes=[_cut(each.measure, _WHY) for each in design.primary_outcomes[:3]],
        has_results=design.has_results,
    )  # fmt: skip


def _ages(design: Design) -> str:
    return (
        " to ".join(filter(None, (design.minimum_age or "no limit", design.maximum_age)))
        if (design.minimum_age or design.maximum_age)
        else ""
    )


def _given(**fields: Any) -> dict[str, Any]:
    """Return the fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], ())}


def _several(names: tuple[str, ...]) -> list[str]:
    return [_cut(name, _TITLE) for name in names[:_MOST]]


def _cut(text: str, most: int) -> str:
    """Return a text in one line that can be seen, of at most so many characters."""
    plain = " ".join(one_line(text).split())
    return plain if len(plain) <= most else f"{plain[: most - 1].rstrip()}…"
