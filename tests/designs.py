"""Hand-written records with a design, in the registry's form."""

from __future__ import annotations

from typing import Any

from conftest import record

CRITERIA = (
    "Inclusion Criteria:\n\n* Adults with aplasia\n* Written informed consent\n\n"
    "Exclusion Criteria:\n\n* Pregnancy or breastfeeding\n* Iron overload"
)


def detailed(number: int, title: str, **given: Any) -> dict[str, Any]:
    """Return a record of a trial of aplasia with arms, outcomes, eligibility and a site."""
    nct_id = f"NCT{number:08d}"
    summary = f"Adults with aplasia: {title}."
    whole = record(nct_id, title, ["Aplasia"], [("DRUG", "Pills")], summary, **given)
    section = whole["protocolSection"]
    section["statusModule"] |= {
        "primaryCompletionDateStruct": {"date": given.get("primary", "2020-06"), "type": "ACTUAL"},
        "completionDateStruct": {"date": "2021-06", "type": "ACTUAL"},
    }
    if "why" in given:
        section["statusModule"]["whyStopped"] = given["why"]
    section["designModule"] |= {
        "designInfo": {
            "allocation": "RANDOMIZED",
            "interventionModel": "PARALLEL",
            "maskingInfo": {"masking": "DOUBLE", "whoMasked": ["PARTICIPANT", "INVESTIGATOR"]},
        },
        "enrollmentInfo": {},
    }
    if (count := given.get("enrollment", 30)) is not None:
        enrolled = {"count": count, "type": given.get("kind", "ACTUAL")}
        section["designModule"]["enrollmentInfo"] = enrolled
    section["armsInterventionsModule"]["armGroups"] = [
        {"label": "Pills", "type": "EXPERIMENTAL", "interventionNames": ["Drug: Pills"]},
        {"label": "Placebo", "type": "PLACEBO_COMPARATOR"},
    ]
    section["outcomesModule"] = {
        "primaryOutcomes": [{"measure": each, "timeFrame": "6 months"}
                            for each in given.get("outcomes", ["Overall survival (OS)"])]
    }  # fmt: skip
    section["eligibilityModule"] = {
        "eligibilityCriteria": given.get("criteria", CRITERIA),
        "minimumAge": given.get("minimum", "18 Years"),
        "sex": "ALL",
        "healthyVolunteers": False,
    }
    section["contactsLocationsModule"]["locations"] = [
        {"facility": "A Hospital", "city": "Lyon", "country": each}
        for each in given.get("countries", ["France"])
    ]
    return whole


TRIALS = [
    detailed(201, "Pills for aplasia", enrollment=20, kind="ESTIMATED", phases=["PHASE2"]),
    detailed(202, "Pills and drops for aplasia", enrollment=40, outcomes=["OS"]),
    detailed(203, "Pills twice a day for aplasia", enrollment=60, status="TERMINATED",
             why="slow accrual"),
    detailed(204, "Pills in the evening for aplasia", enrollment=80, minimum="6 Months",
             outcomes=["Overall survival at 2 years", "Fever"]),
    detailed(205, "Pills in the morning for aplasia", enrollment=100, primary="2019-01",
             countries=["South Korea", "France"]),
    detailed(206, "Pills at noon for aplasia", enrollment=None),
]  # fmt: skip
