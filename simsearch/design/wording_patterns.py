"""How records say that something is counted, and when: what `wording` takes away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_FLAGS = re.IGNORECASE | re.VERBOSE


def _any_of(words: str) -> str:
    """Return a pattern of any of the words or phrases between bars; a blank is white space."""
    phrases = (re.sub(r"\s+", r"\\s+", each.strip()) for each in words.split("|"))
    return f"(?:{'|'.join(phrases)})"


_THE = r"(?:the\s+)?"
_NUMBER = r"(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
_UNITS = _any_of(
    "days? | weeks? | months? | years? | hours? | hrs? | minutes? | mins? | wks? | visits?"
)
_MORE = rf"(?:\s*(?:,|and|to|-|\u2013|or)\s*(?:{_UNITS}\s*)?{_NUMBER})*"
_PEOPLE = _any_of(
    "participants? | patients? | subjects? | individuals | persons? | people | adults | children"
    "| infants | women | men | volunteers | cases | respondents | those"
)
_COUNTS = _any_of(
    "numbers? | percentages? | percent | % | proportions? | rates? | fraction | share | count"
    "| incidence | frequency | prevalence | occurrence"
)
_AIMS = _any_of(
    "evaluate | evaluation of | assess | assessment of | determine | determination of | measure"
    "| measurement of | measuring | compare | comparison of | investigate | describe | estimate"
    "| examine | analysis of | demonstrate | study | monitor | monitoring of"
)
_DONE = _any_of(
    "have | had | are | were | will | experienced? | develop(?:ed)? | achieved? | reach(?:ed)?"
    "| require[ds]? | need(?:ed)?"
)
_DOING = _any_of("experiencing | having | achieving | developing | requiring | reaching")
_AN = _any_of("be | been | at least one | at least 1 | an? | any")
_CHANGE = _any_of("changes? | differences? | reduction | improvements? | decrease | increase")
_WHEN = _any_of(
    "at | by | on | to | until | till | up to | through | within | after | during | over | for"
    "| in | of | from | following | post | between"
)
_EVENTS = _any_of(
    "treatment | randomi[sz]ation | enrol?lment | inclusion | admission | baseline | intervention"
    r"| surgery | (?:(?:last|first)\s+)?dose | start | study\s+entry | therapy"
)

PREAMBLES = tuple(
    re.compile(pattern, _FLAGS)
    for pattern in (
        rf"^(?:to\s+)?{_AIMS}\s+{_THE}",
        # The number of participants who had at least one …
        rf"""^{_THE}(?:(?:total|cumulative|overall)\s+)?{_COUNTS}\s*(?:\([^)]*\)\s*)?
        (?:and\s+(?:{_COUNTS}|severity)\s+)?(?:of|in)\s+{_THE}(?:\w+\s+){{0,2}}?{_PEOPLE}\s+
        (?:who\s+{_DONE}(?:\s+{_AN})*|with(?:\s+{_AN})?|{_DOING}(?:\s+{_AN})?)\s+""",
        # Incidence and severity of …
        rf"""^{_THE}(?:cumulative\s+)?{_COUNTS}\s+(?:rate\s+)?
        (?:and\s+(?:{_COUNTS}|severity|nature|type|intensity)\s+)?of\s+{_THE}""",
        # Mean change from baseline to week 12 in …
        rf"""^{_THE}(?:(?:mean|median|average|absolute|relative|{_COUNTS})\s*)?{_CHANGE}\s+
        (?:from\s+{_THE}(?:baseline|screening|day\s+\d+)
        (?:\s+(?:to|at|up\s+to|until)\s+(?:{_UNITS}|{_THE}end)\s*[\w-]*)?\s+)?
        (?:in|of|on|for)\s+{_THE}""",
        rf"^(?:mean|median|average)\s+{_THE}",
    )
)
"""What stands before the thing that is measured."""

TIMES = tuple(
    re.compile(pattern, _FLAGS)
    for pattern in (
        rf"\b{_WHEN}?\s*{_THE}(?:(?:first|end\s+of)\s+)?(?:study\s+)?{_UNITS}\s*{_NUMBER}{_MORE}\b",
        rf"""\b{_WHEN}?\s*{_THE}(?:(?:first|next)\s+)?{_NUMBER}{_MORE}[\s-]*(?:{_UNITS}|d|h)\b
        (?:\s+(?:after|post|of|from|following)\s+{_THE}{_EVENTS})*""",
        rf"""\b(?:from|at|since|versus|vs\.?|compared\s+(?:to|with)|relative\s+to)\s+baseline\b
        (?:\s+(?:to|until)\s+{_THE}(?:end\s+of\s+(?:study|treatment)|follow[- ]?up))?""",
        rf"""\b(?:at|until|through|by)\s+{_THE}
        (?:end\s+of\s+{_THE}(?:study|treatment|trial|follow[- ]?up)|study\s+completion)\b""",
    )
)
"""When it is measured: that is in the time frame."""

TAILS = tuple(
    re.compile(pattern, _FLAGS)
    for pattern in (
        r"""[\s,(]+(?:as\s+)?(?:measured|assessed|evaluated|determined|defined|graded|estimated
        |analy[sz]ed|calculated|recorded|reported)\s+
        (?:by|using|with|through|via|in|on|according\s+to|based\s+on|per)\b.*$""",
        rf"""\s+(?:of|in|for|among)\s+(?:(?:these|the|this|all|both|each|study)\s+)*{_PEOPLE}
        (?:\s+to\s+treatment)?$""",
        r"""\s+(?:before|after|following|during|in|between)\s+(?:the\s+)?(?:study\s+)?
        (?:intervention|treatment|therapy|study|trial|(?:two\s+|treatment\s+)?groups?|arms?)$""",
        r"\s+(?:rates?|scales?|scores?|levels?|assessments?|outcomes?|values?|measurements?)$",
    )
)
"""How it is measured, and in whom: what stands behind the thing that is measured."""

SAME = MappingProxyType(
    {
        re.compile(pattern): meant
        for pattern, meant in {
            r"\b(?:case )?fatality\b|\bdeaths?\b": "mortality",
            r"\b(?:all cause|overall|any cause) mortality\b"
            r"|\bmortality (?:from|of|due to) any cause\b": "mortality",
            r"^survival$": "overall survival",
            r"\b(?:length|duration) of (?:hospital stay|stay in hospital|hospitali[sz]ation|stay)\b"
            r"|\bhospital length of stay\b": "length of hospital stay",
            r"\badverse event\b": "adverse events",
            r"\bopiates?\b": "opioid",
            r"\bhospitalisation": "hospitalization",
        }.items()
    }
)
"""How the same is said in other words → one of them."""


def _sides(**patterns: str) -> Mapping[str, re.Pattern[str]]:
    return MappingProxyType({name: re.compile(rf"\b(?:{each})") for name, each in patterns.items()})


SIDES: Mapping[str, Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "pressure": _sides(systolic="systolic", diastolic="diastolic"),
        "aim": _sides(efficacy="efficacy|effectiveness", safety="safety"),
        "end": _sides(maximum="maxim", minimum="minim"),
        "way": _sides(increase="increas", decrease="decreas|reduc"),
        "antibody": _sides(
            neutralizing="neutrali[sz]", igg="igg", igm="igm", iga="iga", spike="spike|binding"
        ),
        "titer": _sides(seroconversion="seroconver", titer="tit(?:er|re)|geometric mean"),
        "solicited": _sides(solicited="solicited", unsolicited="unsolicited"),
        "place": _sides(local="local|injection site", systemic="systemic"),
        "receptor": _sides(agonist="agonist", antagonist="antagonist"),
        "sign": _sides(
            heart="heart rate|pulse", pressure="blood pressure", temperature="temperature",
            breath="respirat", saturation="oxygen saturation|oximetry", pupil="pupil",
        ),
        "habit": _sides(craving="craving", use="use$"),
        "end of care": _sides(
            mortality="mortality|died|surviv",
            hospital="hospital",
            icu="icu|intensive care|critical",
            ventilation="ventilat|intubat", infection="incidence|infection|documented",
            antibodies="antibod", work="absen",
        ),
        "test": _sides(
            sensitivity="sensitivity",
            specificity="specificity",
            positive="positive pred",
            negative="negative pred",
        ),
        "dose": _sides(tolerated="maximum tolerated", limiting="dose limiting"),
    }
)  # fmt: skip
"""Kind → what distinguishes wordings of nearly the same words."""
