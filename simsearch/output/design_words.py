"""A design in words: what a table, a page and a sheet show of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from simsearch.design.benchmark import Benchmark
from simsearch.design.measures import Measure, Share, Standing
from simsearch.design.rows import Design
from simsearch.facts import Outcome
from simsearch.study import phase_label, status_label

NOT_GIVEN = "not given"
NOT_APPLICABLE = "n/a"

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "RANDOMIZED": "randomised", "NON_RANDOMIZED": "not randomised", "NA": "n/a",
        "SINGLE_GROUP": "single group", "NONE": "open label", "SINGLE": "single-blind",
        "DOUBLE": "double-blind", "TRIPLE": "triple-blind", "QUADRUPLE": "quadruple-blind",
        "NIH": "NIH", "FED": "US federal agency", "INDIV": "individual", "OTHER_GOV": "government",
        "ALL": "all", "ECT": "educational, counselling or training",
        "NO_INTERVENTION": "no intervention",
    }
)  # fmt: skip


def words(value: str) -> str:
    """Return an enumeration of the registry in words: `double-blind`, `active comparator`."""
    return _WORDS.get(value, value.replace("_", " ").lower())


def number(value: float | None) -> str:
    """Return a number as people write it: `1,000,000`, `7.5`; `n/a` for none."""
    if value is None:
        return NOT_APPLICABLE
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def plural(n: float, noun: str) -> str:
    """Return a number with its noun: `1 site`, `2 sites`, `2 countries`, `2 studies`."""
    if n == 1:
        return f"{number(n)} {noun}"
    many = f"{noun[:-1]}ies" if noun.endswith(("ntry", "udy")) else f"{noun}s"
    return f"{number(n)} {many}"


def _one(noun: str) -> str:
    """Return the singular of a noun."""
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")


def kind_of_date(value: str) -> str:
    """Return what a registered type says: `planned` or nothing."""
    return "planned" if value == "ESTIMATED" else ""


def cells(design: Design) -> dict[str, str]:
    """Return the columns of a design, heading → words; `not given` where the record lacks it."""
    is_trial = design.study_type in ("", "INTERVENTIONAL")
    of_trials = NOT_GIVEN if is_trial else NOT_APPLICABLE
    return {
        "Status": _stopped(design),
        "Phase": phase_label(design.phases) or of_trials,
        "Allocation": words(design.allocation) or of_trials,
        "Masking": words(design.masking) or of_trials,
        "Arms": _arms(design),
        "Comparator": ", ".join(design.comparators) or of_trials,
        "Participants": participants(design),
        "Months to primary completion": months(
            design.months_to_primary, design.months_to_primary_type
        ),
        "Months to completion": months(
            design.months_to_completion, design.months_to_completion_type
        ),
        "Ages": ages(design),
        "Sex": words(design.sex) or NOT_GIVEN,
        "Healthy volunteers": yes_or_no(design.healthy_volunteers),
        "Primary outcomes": "; ".join(map(outcome, design.primary_outcomes)) or NOT_GIVEN,
        "Sites": sites(design),
        "Sponsor": words(design.sponsor_class) or NOT_GIVEN,
        "Results": yes_or_no(design.has_results),
    }


def participants(design: Design) -> str:
    """Return the enrollment: `120`, `120 planned`."""
    if design.enrollment is None:
        return NOT_GIVEN
    return f"{number(design.enrollment)} {kind_of_date(design.enrollment_type)}".strip()


def months(value: float | None, kind: str) -> str:
    """Return a duration: `24`, `24 planned`, `-3 (as registered)`."""
    if value is None:
        return NOT_GIVEN
    if value < 0:
        return f"{number(value)} (as registered)"
    return f"{number(value)} {kind_of_date(kind)}".strip()


def ages(design: Design) -> str:
    """Return the ages of those who are taken (see `age_range`)."""
    if not design.has_eligibility:
        return NOT_GIVEN
    return age_range(design.minimum_age, design.maximum_age)


def age_range(minimum: str, maximum: str) -> str:
    """Return ages as registered: `18–75 years`, `6 months to 5 years`, `18 years or more`."""
    least, most = minimum.lower(), maximum.lower()
    if not least and not most:
        return "no limit"
    if not most:
        return f"{least} or more"
    if not least:
        return f"up to {most}"
    one, _, unit = least.partition(" ")
    other, _, same = most.partition(" ")
    return f"{one}\u2013{other} {same}" if unit == same else f"{least} to {most}"


def sites(design: Design) -> str:
    """Return `12 sites in 3 countries`, `1 site in China`."""
    where = (
        design.countries[0]
        if design.n_countries == 1
        else plural(design.n_countries, "country")
        if design.n_countries
        else ""
    )
    if design.n_sites is None:
        return where or NOT_GIVEN
    return plural(design.n_sites, "site") + (f" in {where}" if where else "")


def outcome(each: Outcome) -> str:
    """Return an outcome with its time frame in brackets."""
    return f"{each.measure} [{each.time_frame}]" if each.time_frame else each.measure


def yes_or_no(value: bool | None) -> str:  # noqa: FBT001 - the value is what is asked
    """Return `yes`, `no` or `not given`."""
    return NOT_GIVEN if value is None else "yes" if value else "no"


def _stopped(design: Design) -> str:
    label = status_label(design.status) or NOT_GIVEN
    return f"{label}: {design.why_stopped}" if design.why_stopped else label


def _arms(design: Design) -> str:
    if design.n_arms is None:
        return NOT_GIVEN
    kinds = Counter(words(each) for each in design.arm_types if each)
    named = ", ".join(f"{n} {kind}" if n > 1 else kind for kind, n in kinds.items())
    return f"{design.n_arms}: {named}" if named else str(design.n_arms)


def standing_sentence(standing: Standing, measure: Measure, bench: Benchmark) -> str:
    """Return where a query study stands: `30 participants: below the lower quartile, 43, of …`."""
    value = plural(standing.value, _one(measure.unit))
    if standing.planned:
        value += " (planned)"
    what = "" if measure.unit == "participants" and "," not in measure.name else measure.name
    what = what.removeprefix("enrollment, ") if what.startswith("enrollment") else what
    of = f"{measure.n} {bench.about}" + (f" ({what})" if what else "")
    if standing.place is None:
        few = {0: "none of the studies gives", 1: "only one study gives"}.get(
            measure.n, f"only {measure.n} studies give"
        )
        return f"{value}: not placed, {few} it" + (f" ({what})" if what else "")
    where = {
        "below all": f"less than any of {of}, which have {number(measure.least)} or more",
        "below": f"below the lower quartile, {number(measure.lower)}, of {of}",
        "within": f"within the middle half, {number(measure.lower)} to {number(measure.upper)}, "
        f"of {of}",
        "above": f"above the upper quartile, {number(measure.upper)}, of {of}",
        "above all": f"more than any of {of}, which have {number(measure.greatest)} or less",
    }
    return f"{value}: {where[standing.place]}"


def share_words(share: Share) -> str:
    """Return a share: `11 of 14 (79 %)`; `2 of 2` where they are too few for a percentage."""
    if not share.n:
        return NOT_APPLICABLE
    percent = "" if share.percent is None else f" ({share.percent:.0f} %)"
    return f"{share.count} of {share.n}{percent}"


def measure_notes(measure: Measure) -> list[str]:
    """Return what a person should know of a measure: what is planned, missing or left out."""
    found = counted_notes(measure)
    if measure.n_missing:
        found.append(f"{measure.n_missing} not given")
    if measure.n > 0 and measure.median is None:
        found.append("too few for quartiles")
    return found


def counted_notes(measure: Measure) -> list[str]:
    """Return what a person should know of the values that are counted, and of those left out."""
    found = []
    if measure.n_planned and "planned" not in measure.name:
        found.append(f"{measure.n_planned} planned")
    if measure.left_out:
        found.append(f"{len(measure.left_out)} left out, {measure.why_left_out}")
    return found


def counted_words(n_close: int, n_far: int, *, named: bool) -> str:
    """Return how many of the studies the benchmark leaves out, in a sentence."""
    if named:
        return "All of the studies that were given."
    if not n_far:
        return "All of these studies are close."
    those = "is not close, and" if n_far == 1 else "are not close, and"
    return f"{n_far} of these {n_close + n_far} studies {those} left out."
