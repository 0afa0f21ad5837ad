"""The raw parts of a record, from whichever form → one clean `Study`.

Every reader ends here, so that the same study read from two forms is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import cast

from simsearch.errors import NctIdError
from simsearch.records import vocabulary
from simsearch.records.text import clean_name, clean_text
from simsearch.study import Intervention, Study, parse_nct_id

# The registry's stand-in for "unknown" in enrollment counts.
_UNKNOWN_ENROLLMENT = 99_999_999
_IMPOSSIBLE_ENROLLMENT = 10**10  # more people than there are

# Names seen to be clean: most names of a record are names of thousands of others.
_CLEAN_NAMES: set[str | None] = set()
_MAX_CLEAN_NAMES = 2**17


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
    interventions: Iterable[tuple[str | None, str | None]] = (),
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
    enrollment: int | None = None,
    has_results: bool | None = None,
    data_version: str | None = None,
) -> Study:
    """Return the clean study of raw parts, named as the fields of `Study`.

    Texts may carry entities and odd white space; only the summary carries Markdown
    escapes. `interventions` are (type, name). Vocabulary may be of any form, dates too.
    A `draft` may lack its NCT ID.

    Raises:
        NctIdError: there is no NCT ID, or a malformed one.
    """
    own_id = _nct_id(nct_id, draft=draft)
    return Study(
        nct_id=own_id,
        aliases=_aliases(aliases, own_id) if aliases else (),
        title=clean_text(title),
        official_title=clean_text(official_title),
        acronym=clean_text(acronym),
        summary=clean_text(summary, markup=True),
        conditions=_distinct(conditions) if conditions else (),
        keywords=_distinct(keywords) if keywords else (),
        interventions=_interventions(interventions) if interventions else (),
        condition_mesh=_distinct(condition_mesh) if condition_mesh else (),
        intervention_mesh=_distinct(intervention_mesh) if intervention_mesh else (),
        status=vocabulary.status(status or ""),
        last_known_status=vocabulary.status(last_known_status or ""),
        study_type=vocabulary.study_type(study_type or ""),
        phases=_phases(tuple(phases)),
        sponsor=clean_name(sponsor),
        countries=_distinct(map(_country, countries)) if countries else (),
        start_date=vocabulary.date(start_date or ""),
        completion_date=vocabulary.date(completion_date or ""),
        last_update_date=vocabulary.date(last_update_date or ""),
        enrollment=_count(enrollment),
        has_results=has_results,
        data_version=vocabulary.date(data_version or ""),
    )


def _count(enrollment: int | None) -> int | None:
    """Return a count that can be one, without the registry's stand-in for unknown."""
    if enrollment is None or not 0 <= enrollment < _IMPOSSIBLE_ENROLLMENT:
        return None
    return None if enrollment == _UNKNOWN_ENROLLMENT else enrollment


def _nct_id(text: str | None, *, draft: bool) -> str:
    if text and text.strip():
        return parse_nct_id(text)
    if draft:
        return ""
    raise NctIdError("", "is no NCT ID")


def _aliases(texts: Iterable[str], nct_id: str) -> tuple[str, ...]:
    """Return the obsolete IDs that are IDs, in order, without the study's own."""
    aliases: list[str] = []
    for text in texts:
        try:
            aliases.append(parse_nct_id(text))
        except NctIdError:
            continue
    return tuple(alias for alias in dict.fromkeys(aliases) if alias != nct_id)


def _distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Return the clean texts that say something, each once, in their first order."""
    named = texts if isinstance(texts, list) else list(texts)
    if not _CLEAN_NAMES.issuperset(named):
        named = [name for name in map(clean_name, named) if name]
        if len(_CLEAN_NAMES) < _MAX_CLEAN_NAMES:
            _CLEAN_NAMES.update(named)
    clean = cast("list[str]", named)
    return tuple(dict.fromkeys(clean)) if len(clean) > 1 else tuple(clean)


def _interventions(pairs: Iterable[tuple[str | None, str | None]]) -> tuple[Intervention, ...]:
    named = [each for kind, text in pairs if (each := _intervention(kind, text)).name]
    return tuple(dict.fromkeys(named)) if len(named) > 1 else tuple(named)


@lru_cache(maxsize=2**17)
def _intervention(kind: str | None, text: str | None) -> Intervention:
    return Intervention(clean_name(text), vocabulary.intervention_type(kind or ""))


@lru_cache(maxsize=2**10)
def _phases(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(phase for text in texts for phase in vocabulary.phases(text))


@lru_cache(maxsize=2**10)
def _country(text: str | None) -> str:
    return vocabulary.country(clean_name(text))
