"""Records whose every text is an attack: markup, formulas, tags of RIS, letters nobody sees."""

from __future__ import annotations

from typing import Any

from conftest import record

ONE, OTHER = "NCT00000301", "NCT00000302"

TITLE = '<script>alert(1)</script> \u202eevil\u202c "quoted" \x07bell'
UNSEEN = "\u202e\u2066\u200b\x00\x07\x1b[31m\x85\u2028\ufeff\U000e0041"
"""Turns others around, cannot be seen, steers a terminal, or ends a line."""


def evil(name: str, start: str = "") -> str:
    """Return a text that is dangerous wherever it is not taken for text."""
    return (
        f"{start}{name} aplasia <script>alert('{name}')</script><img src=x onerror=alert(1)>"
        f"\"'></title></textarea></svg><svg onload=alert(2)>{UNSEEN}\r\nTY  - JOUR\nTI  - {name}"
        f"\nER  - \n@misc{{x, title={{y}}}} {{{{ 7*7 }}}} ${{7*7}} &lt;b&gt; ]]><b>bold</b>"
    )


def _hostile() -> dict[str, Any]:
    whole = record(
        ONE,
        TITLE,
        ['=cmd|"/c calc"!A1', evil("condition", "+"), "Aplasia"],
        [("DRUG", evil("drug", "@")), ("DRUG", "<b>bold</b>")],
        "A summary of aplasia with <iframe src=//evil.example></iframe> & marrow {{ 7*7 }}. "
        + evil("summary"),
        status="TERMINATED",
    )
    section = whole["protocolSection"]
    section["identificationModule"] |= {
        "officialTitle": evil("official", "="),
        "acronym": evil("acronym", "-"),
        "orgStudyIdInfo": {"id": "=1+1<script>alert(4)</script>"},
        "secondaryIdInfos": [{"id": evil("number")[:90], "domain": evil("registry")[:90]}],
    }
    section["statusModule"] |= {
        "whyStopped": evil("why", "="),
        "completionDateStruct": {"date": "2021-06", "type": "ACTUAL"},
    }
    section["sponsorCollaboratorsModule"] = {
        "leadSponsor": {"name": evil("</title>sponsor", "=")},
        "collaborators": [{"name": evil("collaborator", "=")}],
    }
    section["descriptionModule"]["detailedDescription"] = evil("description", "=")
    section["conditionsModule"]["keywords"] = [evil("keyword", "=")]
    section["designModule"]["designInfo"] = {"allocation": "RANDOMIZED"}
    section["armsInterventionsModule"]["armGroups"] = [
        {
            "label": evil("arm", "="), "type": "EXPERIMENTAL", "description": evil("armed"),
            "interventionNames": [evil("named")],
        },
        {"label": "Placebo", "type": "PLACEBO_COMPARATOR"},
    ]  # fmt: skip
    section["armsInterventionsModule"]["interventions"][0] |= {
        "description": evil("drug described"), "otherNames": [evil("other name")],
    }  # fmt: skip
    section["outcomesModule"] = {
        f"{kind}Outcomes": [
            {"measure": evil(f"{kind}", "="), "timeFrame": evil("frame", "="),
             "description": evil("outcome described")}
        ]
        for kind in ("primary", "secondary", "other")
    }  # fmt: skip
    section["eligibilityModule"] = {
        "eligibilityCriteria": f"Inclusion Criteria:\n\n* {evil('inclusion')}\n\n"
        f"Exclusion Criteria:\n\n* {evil('exclusion')}",
        "minimumAge": "18 Years", "sex": "ALL", "studyPopulation": evil("population"),
    }  # fmt: skip
    section["contactsLocationsModule"]["locations"] = [
        {"facility": evil("facility", "="), "city": evil("city", "="), "state": evil("state", "="),
         "country": evil("country", "=")},
        {"facility": "A Hospital", "city": "Lyon", "country": "France"},
    ]  # fmt: skip
    section["referencesModule"] = {
        "references": [{"pmid": '1"><script>', "type": "BACKGROUND", "citation": evil("cited")}]
    }
    return whole


HOSTILE = _hostile()
"""The record `ONE`."""

NEAR = record(OTHER, "Aplasia & marrow", ["Aplasia"], [], "Aplasia, marrow.")
"""A harmless neighbour of it, `OTHER`."""
