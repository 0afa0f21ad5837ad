"""Records in API v2 layout in which a fact has a wrong type: they are read without that fact.

Only what is shown and compared may be left out so. What a search needs (titles, conditions,
countries, dates, …) must have the type that the registry gives it, or the record is rejected: a
new layout must not empty an index.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from simsearch.records.json_shapes import lenient_json
from simsearch.records.registry_parts import Record

_FACT = re.compile(
    r"identificationModule\.(?:orgStudyIdInfo|secondaryIdInfos)\b"
    r"|statusModule\.(?:whyStopped|(?:primaryCompletion|studyFirstPost|resultsFirstPost)DateStruct"
    r"|(?:start|completion)DateStruct\.type)\b"
    r"|sponsorCollaboratorsModule\.(?:collaborators|leadSponsor\.class)\b"
    r"|descriptionModule\.detailedDescription$"
    r"|designModule\.(?:designInfo|patientRegistry|enrollmentInfo\.type)\b"
    r"|armsInterventionsModule\.(?:armGroups|interventions\[\d+\]\.(?:description|armGroupLabels))\b"
    r"|outcomesModule\.(?:otherOutcomes|\w+\[\d+\]\.(?:timeFrame|description))\b"
    r"|eligibilityModule\b"
    r"|contactsLocationsModule\.locations\[\d+\]\.(?:facility|status|city|state|zip|geoPoint)\b"
    r"|referencesModule\b"
)
_WRONG = re.compile(r"(.+) - at `\$\.protocolSection\.(.+)`")
_STEP = re.compile(r"\.?(\w+)|\[(\d+)\]")
_MOST = 100  # facts left out of one record


def without_odd_facts(
    body: bytes | msgspec.Raw | dict[str, Any], error: msgspec.ValidationError
) -> tuple[Record, dict[str, str]]:
    """Return a record without the facts that have a wrong type.

    Args:
        body: the record as JSON or decoded.
        error: what its validation raised.

    Returns:
        The record; fact (`eligibilityModule.sex`) → what is wrong with it, for each left out.

    Raises:
        msgspec.ValidationError: something else has a wrong type, or too much.
        ValueError: the JSON is broken.
    """
    document = body if isinstance(body, dict) else lenient_json(bytes(body))
    wrong: dict[str, str] = {}
    for _ in range(_MOST):
        fault = _WRONG.match(str(error))
        if not (fault and _FACT.match(fault[2])):
            break
        reason, path = fault.groups()
        wrong[re.sub(r"\[\d+\]", "", path)] = reason
        _remove(document["protocolSection"], path)
        try:
            return msgspec.convert(document, Record), wrong
        except msgspec.ValidationError as another:
            error = another
    raise error


def _remove(section: Any, path: str) -> None:
    """Remove the value at a path (`a.b[0].c`) from decoded JSON."""
    steps = [name or int(number) for name, number in _STEP.findall(path)]
    for step in steps[:-1]:
        section = section[step]
    del section[steps[-1]]
