"""Numbers and shares of some studies, each with how many studies it rests on.

Quartiles are those of linear interpolation between the sorted values (type 7 of Hyndman and Fan,
"Sample quantiles in statistical packages", 1996; numpy's default).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import numpy as np

from simsearch.design.rows import Design

LEAST = 3
"""The fewest studies that a median or a share is given of."""

Place = Literal["below all", "below", "within", "above", "above all"]
"""Where a value stands: below the lower quartile, within the middle half, above the upper one."""


class Standing(msgspec.Struct, frozen=True):
    """Where a query study stands among the others; `place` is None where they are too few."""

    nct_id: str
    value: float
    place: Place | None
    planned: bool = False


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A number of each study, and how it is distributed."""

    name: str
    unit: str
    values: tuple[tuple[str, float], ...]
    """NCT ID and value, the least first."""
    n_planned: int = 0
    """How many of the values are planned or expected, not actual."""
    n_missing: int = 0
    """How many of the studies do not give it."""
    left_out: tuple[str, ...] = ()
    """NCT IDs of studies whose value is not counted: below zero, or nobody was enrolled."""
    why_left_out: str = ""
    least: float | None = None
    lower: float | None = None
    """The lower quartile; None, as all five, where fewer than `LEAST` studies give a value."""
    median: float | None = None
    upper: float | None = None
    greatest: float | None = None
    standings: tuple[Standing, ...] = ()

    @property
    def n(self) -> int:
        """How many studies it rests on."""
        return len(self.values)


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the studies are something."""

    name: str
    count: int
    n: int
    """How many of the studies say whether they are."""
    n_missing: int
    percent: float | None
    """None where fewer than `LEAST` say."""
    nct_ids: tuple[str, ...]
    """Those that are."""
    asked: tuple[tuple[str, bool | None], ...] = ()
    """NCT ID of each query study, and whether it is; None where it does not say."""


class Reading(msgspec.Struct, frozen=True):
    """A value of a study, and whether it is planned."""

    nct_id: str
    value: float | None
    planned: bool = False


def measured(
    name: str,
    unit: str,
    readings: Sequence[Reading],
    asked: Sequence[Reading] = (),
    *,
    is_odd: Callable[[float], bool] = lambda value: value < 0,
    why_odd: str = "below zero, as registered",
) -> Measure:
    """Return how some values are distributed, and where those of the query studies stand.

    Args:
        name: what is measured.
        unit: in the plural.
        readings: one of each study.
        asked: one of each query study.
        is_odd: which values are named and not counted.
        why_odd: what is odd about them.
    """
    given = [(each, each.value) for each in readings if each.value is not None]
    counted = sorted((value, each.nct_id) for each, value in given if not is_odd(value))
    odd = tuple(each.nct_id for each, value in given if is_odd(value))
    values = [value for value, _ in counted]
    five: list[float | None] = [None] * 5
    if len(values) >= LEAST:
        five = [round(float(each), 2) for each in np.percentile(values, (0, 25, 50, 75, 100))]
    return Measure(
        name=name,
        unit=unit,
        values=tuple((nct_id, value) for value, nct_id in counted),
        n_planned=sum(each.planned for each, value in given if not is_odd(value)),
        n_missing=len(readings) - len(given),
        left_out=odd,
        why_left_out=why_odd if odd else "",
        least=five[0], lower=five[1], median=five[2], upper=five[3], greatest=five[4],
        standings=tuple(
            Standing(each.nct_id, each.value, _place(each.value, five), each.planned)
            for each in asked
            if each.value is not None
        ),
    )  # fmt: skip


def _place(value: float, five: Sequence[float | None]) -> Place | None:
    least, lower, _, upper, greatest = five
    if least is None or lower is None or upper is None or greatest is None:
        return None
    if value < lower:
        return "below all" if value < least else "below"
    if value > upper:
        return "above all" if value > greatest else "above"
    return "within"


def shared(
    name: str,
    designs: Sequence[Design],
    asked: Sequence[Design],
    is_one: Callable[[Design], bool | None],
) -> Share:
    """Return how many designs are something; `is_one` returns None where a record does not say."""
    said = [(each.nct_id, is_one(each)) for each in designs]
    those = tuple(nct_id for nct_id, yes in said if yes)
    n = sum(yes is not None for _, yes in said)
    return Share(
        name=name,
        count=len(those),
        n=n,
        n_missing=len(said) - n,
        percent=round(100 * len(those) / n, 1) if n >= LEAST else None,
        nct_ids=those,
        asked=tuple((each.nct_id, is_one(each)) for each in asked),
    )
