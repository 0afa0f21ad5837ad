"""The facts of a study of which several records were read.

A build takes each study from its newest record. That one may be a table or a cut-down download
that has no more than titles and dates, while an older one is complete: then it would be a loss to
forget the older one's design, sites and criteria. So what the newest record's form does not give
is taken from the newest record that gives it, whole groups of facts at a time; a complete record
is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from simsearch.facts import Facts
from simsearch.study import Study

_STOPPED = ("TERMINATED", "WITHDRAWN", "SUSPENDED")


def _any(*names: str) -> Callable[[Facts], bool]:
    return lambda facts: any(getattr(facts, name) not in ("", (), None) for name in names)


_DATES = (
    "start_date_type", "primary_completion_date", "primary_completion_date_type",
    "completion_date_type", "enrollment_type",
)  # fmt: skip
_DESIGN = (
    "allocation", "intervention_model", "primary_purpose", "masking", "who_masked",
    "observational_model", "time_perspective", "patient_registry",
)  # fmt: skip
_OUTCOMES = ("primary_outcomes", "secondary_outcomes", "other_outcomes")
_ELIGIBILITY = (
    "criteria", "minimum_age", "maximum_age", "sex", "healthy_volunteers", "study_population",
    "sampling_method",
)  # fmt: skip

# Facts that belong together, and whether a record gives them in earnest: a table's outcomes have
# no time frames, its sites no names, its eligibility no ages.
_GROUPS: tuple[tuple[tuple[str, ...], Callable[[Facts], bool]], ...] = (
    (("why_stopped",), _any("why_stopped")),
    (_DATES, _any(*_DATES)),
    (("first_posted_date",), _any("first_posted_date")),
    (("results_first_posted_date",), _any("results_first_posted_date")),
    (("description",), _any("description")),
    (_DESIGN, _any(*_DESIGN)),
    (("arms", "n_arms"), _any("arms")),
    (("intervention_descriptions",), _any("intervention_descriptions")),
    (_OUTCOMES, lambda facts: any(
        each.time_frame for name in _OUTCOMES for each in getattr(facts, name))),
    (_ELIGIBILITY, _any("criteria", "minimum_age", "maximum_age")),
    (("sponsor_class", "collaborators"), _any("sponsor_class")),
    (("sites",), lambda facts: any(each.city for each in facts.sites)),
    (("references",), _any("references")),
    (("other_numbers",), _any("other_numbers")),
)  # fmt: skip


def is_complete(facts: Facts) -> bool:
    """Return whether facts are of a whole record: those have criteria and the sex."""
    return bool(facts.criteria and facts.sex)


def merged_facts(records: Sequence[Facts], study: Study) -> Facts:
    """Return the facts of a study.

    Args:
        records: the facts of its records, the newest first; at least one.
        study: the newest record; if it goes on, it is not said to have stopped, and descriptions
            are those of its interventions or none.
    """
    newest, *older = records
    if not older or is_complete(newest):
        return newest
    taken: dict[str, Any] = {}
    for names, gives in _GROUPS:
        if names == ("why_stopped",) and study.status not in _STOPPED:
            continue
        source = next((each for each in records if gives(each)), None)
        source = source or next((each for each in records if _any(*names)(each)), newest)
        taken |= {name: getattr(source, name) for name in names}
    if len(taken["intervention_descriptions"]) != len(study.interventions):
        taken["intervention_descriptions"] = ()
    return msgspec.structs.replace(newest, **taken)
