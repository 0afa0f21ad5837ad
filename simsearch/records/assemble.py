"""The raw parts of a record of any form → a clean `Study`.

Every reader ends here, so that the same study read from two forms is equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import cast

from simsearch.errors import NctIdError
from simsearch.records import vocabulary
from simsearch.records.assemble_facts import RawFacts, assemble_facts
from simsearch.records.text import clean_name, clean_text
from simsearch.study import Intervention, Study, named_nct_ids, parse_nct_id

# The registry's code for an unknown enrollment.
_UNKNOWN_ENROLLMENT = 99_999_999
_IMPOSSIBLE_ENROLLMENT = 10**10  # more than the world's population

# A few studies list hundreds; the first ones show what a study measures.
_MAX_OUTCOMES = 30

# Names known to be clean: thousands of records share most of their names.
_CLEAN_NAMES: set[str | None] = set()
_MAX_CLEAN_NAMES = 2**17

RawIntervention = tuple[str | None, str | None, tuple[str | None, ...]]
"""Type, name, other names."""


def assemble_study(
    *,
    nct_id: str | None,
    draft: bool = False,
    aliases: Iterable[str] = (),
    title: str | None = None,
    official_title: str | None = None,
    acronym: str | None = None,
    summary: str | None = None,
    conditions: Iterable[str | None] = (),
    keywords: Iterable[str | None] = (),
    interventions: Iterable[RawIntervention] = (),
    condition_mesh: Iterable[str | None] = (),
    intervention_mesh: Iterable[str | None] = (),
    status: str | None = None,
    last_known_status: str | None = None,
    study_type: str | None = None,
    phases: Iterable[str] = (),
    sponsor: str | None = None,
    countries: Iterable[str | None] = (),
    start_date: str | None = None,
    completion_date: str | None = None,
    last_update_date: str | None = None,
    outcomes: Iterable[str | None] = (),
    searched: Iterable[str | None] = (),
    enrollment: int | None = None,
    has_results: bool | None = None,
    data_version: str | None = None,
    facts: RawFacts | None = None,
) -> Study:
    """Return a clean study from its raw parts, which are named like the fields of `Study`.

    Texts may have entities and irregular white space; only the summary may have Markdown
    escapes. Vocabulary and dates may be those of any form. `outcomes` are the measures, primary
    before secondary. `searched` are further texts and numbers of the record: only the NCT IDs
    that they name are kept. `facts` are what is shown and compared. With `draft`, the NCT ID may
    be missing.

    Raises:
        NctIdError: the NCT ID is missing or malformed.
    """
    own_id = _nct_id(nct_id, draft=draft)
    own_aliases = _aliases(aliases, own_id) if aliases else ()
    own_interventions = _interventions(interventions) if interventions else ()
    return Study(
        nct_id=own_id,
        aliases=own_aliases,
        title=clean_text(title),
        official_title=clean_text(official_title),
        acronym=clean_text(acronym),
        summary=clean_text(summary, markup=True),
        conditions=_distinct(conditions) if conditions else (),
        keywords=_distinct(keywords) if keywords else (),
        interventions=own_interventions,
        condition_mesh=_distinct(condition_mesh) if condition_mesh else (),
        intervention_mesh=_distinct(intervention_mesh) if intervention_mesh else (),
        status=vocabulary.status(status or ""),
        last_known_status=vocabulary.status(last_known_status) if last_known_status else "",
        study_type=vocabulary.study_type(study_type or ""),
        phases=_phases(tuple(phases)) if phases else (),
        sponsor=clean_name(sponsor),
        countries=_countries(countries) if countries else (),
        start_date=vocabulary.date(start_date or ""),
        completion_date=vocabulary.date(completion_date or ""),
        last_update_date=vocabulary.date(last_update_date or ""),
        outcomes=_outcomes(outcomes) if outcomes else (),
        mentions=_mentions((title, official_title, summary, *searched), own_id, own_aliases),
        enrollment=_count(enrollment),
        has_results=has_results,
        data_version=vocabulary.date(data_version or ""),
        facts=(assemble_facts(facts, own_interventions, (own_id, *own_aliases)) if facts else None),
    )


def _count(enrollment: int | None) -> int | None:
    """Return a plausible count; None for any other and for the registry's code for unknown."""
    if enrollment is None or not 0 <= enrollment < _IMPOSSIBLE_ENROLLMENT:
        return None
    return None if enrollment == _UNKNOWN_ENROLLMENT else enrollment


def _nct_id(text: str | None, *, draft: bool) -> str:
    if text and text.strip():
        return parse_nct_id(text)
    if draft:
        return ""
    raise NctIdError("", "is not an NCT ID")


def _aliases(texts: Iterable[str], nct_id: str) -> tuple[str, ...]:
    """Return the well-formed obsolete IDs in order, without the study's own."""
    aliases: list[str] = []
    for text in texts:
        try:
            aliases.append(parse_nct_id(text))
        except NctIdError:
            continue
    return tuple(alias for alias in dict.fromkeys(aliases) if alias != nct_id)


def _distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Return the clean texts without empty ones and repeats, in order of first appearance."""
    named = texts if isinstance(texts, list) else list(texts)
    if not _CLEAN_NAMES.issuperset(named):
        named = [name for name in map(clean_name, named) if name]
        if len(_CLEAN_NAMES) < _MAX_CLEAN_NAMES:
            _CLEAN_NAMES.update(named)
    clean = cast("list[str]", named)
    return tuple(dict.fromkeys(clean)) if len(clean) > 1 else tuple(clean)


def _interventions(parts: Iterable[RawIntervention]) -> tuple[Intervention, ...]:
    """Return the interventions that have a name; repeats are merged, with all their names."""
    named = [each for part in parts if (each := _intervention(*part)).name]
    if len(named) < 2 or len({(each.name, each.type) for each in named}) == len(named):  # noqa: PLR2004 - a single one has no repeat
        return tuple(named)
    merged: dict[tuple[str, str], Intervention] = {}
    for each in named:
        before = merged.setdefault((each.name, each.type), each)
        others = _other_names(each.name, before.other_names + each.other_names)
        merged[each.name, each.type] = Intervention(each.name, each.type, others)
    return tuple(merged.values())


@lru_cache(maxsize=2**17)
def _intervention(
    kind: str | None, text: str | None, others: tuple[str | None, ...]
) -> Intervention:
    name = clean_name(text)
    return Intervention(
        name, vocabulary.intervention_type(kind or ""), _other_names(name, others) if others else ()
    )


def _other_names(name: str, texts: tuple[str | None, ...]) -> tuple[str, ...]:
    """Return the clean names that differ from `name` and from each other in more than case."""
    found = {name.casefold(): name}
    for text in map(clean_name, texts):
        if text:
            found.setdefault(text.casefold(), text)
    return tuple(found.values())[1:]


def _outcomes(measures: Iterable[str | None]) -> tuple[str, ...]:
    """Return the first clean measures, without empty ones and repeats."""
    clean = [text for measure in measures if (text := clean_text(measure))]
    return tuple(dict.fromkeys(clean))[:_MAX_OUTCOMES] if len(clean) > 1 else tuple(clean)


def _mentions(
    texts: Iterable[str | None], nct_id: str, aliases: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the NCT IDs named in `texts`, sorted, without the study's own."""
    naming = [text for text in texts if text and "NCT" in text]
    if not naming:
        return ()
    found = set().union(*map(named_nct_ids, naming))
    return tuple(sorted(found - {nct_id, *aliases}))


def _countries(names: Iterable[str | None]) -> tuple[str, ...]:
    """Return the distinct countries of the sites, in order of first appearance."""
    found = dict.fromkeys(map(_country, dict.fromkeys(names)))
    found.pop("", None)
    return tuple(found)


@lru_cache(maxsize=2**10)
def _phases(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(phase for text in texts for phase in vocabulary.phases(text))


@lru_cache(maxsize=2**10)
def _country(text: str | None) -> str:
    return vocabulary.country(clean_name(text))
