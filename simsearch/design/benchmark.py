"""The benchmark of a design: what the close neighbours did, and where the query stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from simsearch.design.measures import Measure, Reading, Share, measured, shared
from simsearch.design.rows import Design
from simsearch.study import phase_label

STOPPED = ("TERMINATED", "WITHDRAWN", "SUSPENDED")
"""The statuses of studies that stopped before their planned end."""

_ENDED = ("COMPLETED", *STOPPED)
_ADULT = 18
_ESTIMATED = "ESTIMATED"


class Stopped(msgspec.Struct, frozen=True):
    """A study that stopped early, and why, as registered."""

    nct_id: str
    status: str
    why: str


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """The summary of some studies' design facts."""

    n: int
    """How many studies it sums up."""
    about: str
    """What they are, in words: `close trials, phases 2 to 4`."""
    measures: tuple[Measure, ...]
    shares: tuple[Share, ...]
    stopped: tuple[Stopped, ...]

    @property
    def headline(self) -> str:
        """How many studies of which kind: `14 close trials, phases 2 to 4`."""
        return f"{self.n:,} {self.about}"

    def measure(self, name: str) -> Measure:
        """Return a measure by its name."""
        return next(each for each in self.measures if each.name == name)

    def share(self, name: str) -> Share:
        """Return a share by its name."""
        return next(each for each in self.shares if each.name == name)


def benchmark(
    designs: Sequence[Design], asked: Sequence[Design] = (), adjective: str = "close"
) -> Benchmark:
    """Return the benchmark of some designs.

    Args:
        designs: the studies to sum up, the query studies not among them.
        asked: the query studies.
        adjective: what the studies are, in a word, or empty.
    """
    return Benchmark(
        n=len(designs),
        about=described(designs, adjective),
        measures=(
            *_enrollments(designs, asked),
            *_durations(designs, asked),
            *_counts(designs, asked),
        ),
        shares=tuple(shared(name, designs, asked, is_one) for name, is_one in _YES.items()),
        stopped=tuple(
            Stopped(each.nct_id, each.status, each.why_stopped)
            for each in designs
            if each.status in STOPPED
        ),
    )


def described(designs: Sequence[Design], adjective: str = "") -> str:
    """Return what some studies are: `close trials, phases 2 to 4`."""
    types = {each.study_type for each in designs}
    noun = {"INTERVENTIONAL": "trial", "OBSERVATIONAL": "observational study"}.get(
        next(iter(types)) if len(types) == 1 else "", "study"
    )
    if len(designs) != 1:
        noun = noun.removesuffix("y") + ("ies" if noun.endswith("y") else "s")
    labels = sorted({phase_label([phase]) for each in designs for phase in each.phases} - {"n/a"})
    if len(labels) > 1:
        phases = f", phases {labels[0]} to {labels[-1]}"
        if "early 1" in labels:
            phases = f", phases early 1 to {labels[-2]}"
    else:
        phases = f", phase {labels[0]}" if labels else ""
    return f"{adjective} {noun}".strip() + phases


def _enrollments(designs: Sequence[Design], asked: Sequence[Design]) -> Iterator[Measure]:
    """Yield the actual enrollments apart from the planned ones, and from those of neither type."""
    names = {
        "ACTUAL": "enrollment, actual",
        _ESTIMATED: "enrollment, planned",
        "": "enrollment, not said which",
    }
    its: dict[str, list[Design]] = {kind: [] for kind in names}
    for each in designs:
        known = each.enrollment is not None and each.enrollment_type in its
        its[
            each.enrollment_type if known else "" if each.enrollment is not None else "ACTUAL"
        ].append(each)
    for kind, name in names.items():
        if its[kind] or kind == "ACTUAL":
            yield measured(
                name, "participants", _enrolled(its[kind]), _enrolled(asked),
                is_odd=lambda value: value <= 0, why_odd="nobody was enrolled",
            )  # fmt: skip


def _enrolled(designs: Sequence[Design]) -> list[Reading]:
    return [
        Reading(each.nct_id, each.enrollment, each.enrollment_type == _ESTIMATED)
        for each in designs
    ]


def _durations(designs: Sequence[Design], asked: Sequence[Design]) -> Iterator[Measure]:
    for name, end in (("to primary completion", "primary"), ("to completion", "completion")):
        field = f"months_to_{end}"
        of_designs, of_asked = (
            [
                Reading(
                    each.nct_id, getattr(each, field), getattr(each, f"{field}_type") == _ESTIMATED
                )
                for each in some
            ]
            for some in (designs, asked)
        )
        yield measured(f"months {name}", "months", of_designs, of_asked)


_COUNTS: Mapping[str, tuple[str, Callable[[Design], float | None]]] = MappingProxyType(
    {
        "arms": ("arms", lambda each: each.n_arms),
        "sites": ("sites", lambda each: each.n_sites),
        "countries": ("countries", lambda each: each.n_countries),
        "primary outcomes": ("outcomes", lambda each: len(each.primary_outcomes) or None),
        "minimum age": ("years", lambda each: each.minimum_years),
        "maximum age": ("years", lambda each: each.maximum_years),
    }
)


def _counts(designs: Sequence[Design], asked: Sequence[Design]) -> Iterator[Measure]:
    for name, (unit, value_of) in _COUNTS.items():
        of_designs, of_asked = (
            [
                Reading(each.nct_id, value)
                for each in some
                if (value := value_of(each)) is not None or not _has_no_limit(name, each)
            ]
            for some in (designs, asked)
        )
        yield measured(name, unit, of_designs, of_asked)


def _has_no_limit(name: str, design: Design) -> bool:
    """Report whether an age that is not there means that there is no limit."""
    return name.endswith(" age") and design.has_eligibility


_Yes = Callable[[Design], bool | None]


def _said(value: str, is_so: Callable[[str], bool]) -> bool | None:
    return is_so(value) if value else None


def _compared(kind: str) -> _Yes:
    return lambda each: kind in each.comparators if each.comparators else None


_YES: Mapping[str, _Yes] = MappingProxyType(
    {
        "randomised": lambda each: _said(each.allocation, lambda it: it == "RANDOMIZED"),
        "masked": lambda each: _said(each.masking, lambda it: it != "NONE"),
        "placebo-controlled": _compared("placebo"),
        "sham-controlled": _compared("sham"),
        "active comparator": _compared("active"),
        "no-treatment arm": _compared("no treatment"),
        "doses compared": _compared("dose"),
        "no comparator": _compared("none"),
        "stopped early, of those that ended": lambda each: (
            each.status in STOPPED if each.status in _ENDED else None
        ),
        "results posted": lambda each: each.has_results,
        "open to under 18": lambda each: (
            each.minimum_years is None or each.minimum_years < _ADULT
            if each.has_eligibility
            else None
        ),
        "no upper age limit": lambda each: not each.maximum_age if each.has_eligibility else None,
        "one sex only": lambda each: _said(each.sex, lambda it: it != "ALL"),
        "healthy volunteers": lambda each: each.healthy_volunteers,
    }
)
