"""A study as plain values by column: what every export writes of a record."""

from __future__ import annotations

from typing import Any

from simsearch.export.tables import STUDY
from simsearch.study import Study


def flat_study(study: Study) -> dict[str, Any]:
    """Return column of the table `study` → its value; `""`, `()` or None where it is missing."""
    own = {
        "interventions": [each.name for each in study.interventions],
        "intervention_types": [each.type for each in study.interventions],
    }
    return {name: own[name] if name in own else getattr(study, name) for name in STUDY.names}
