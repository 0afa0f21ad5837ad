"""When screening may stop: two published rules, and how many relevant studies may be left.

Knee: G. V. Cormack and M. R. Grossman, "Engineering Quality and Reliability in Technology-Assisted
Review", SIGIR 2016: the gain curve (relevant found by studies screened) bends at a knee; stop when
its slope before the knee is many times the slope after it.

Run of irrelevant studies: J. Boetje and R. van de Schoot, "The SAFE procedure: a practical
stopping heuristic for active learning-based screening in systematic reviews and meta-analyses",
Systematic Reviews 13:81, 2024: among its conditions, 50 studies in a row that are not relevant.

Neither knows what it has not seen: a rule that is met is a reason to think of stopping, never a
promise that nothing is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

RUN = 50
"""So many irrelevant studies in a row meet the rule of a run."""

_BOUND, _MOST = 156, 150  # of the slope ratio: 156 - min(relevant found, 150)
_WINDOW = 50  # the last so many studies tell what the next as many may hold
_LEAST = 20  # so few say nothing
_CONFIDENCE = 0.95


class Rule(msgspec.Struct, frozen=True):
    """What a stopping rule says; `value` and `bound` are the figures that it compares."""

    name: str
    met: bool
    value: float
    bound: float
    line: str


class Left(msgspec.Struct, frozen=True):
    """How many of the next studies of the list may be relevant, with 95 % confidence.

    `n` is how many studies that is, 0 where too few were screened; `most` the upper end of the
    interval; `line` says it. The lower end is always 0: the rate falls as the list goes on.
    """

    n: int
    most: int
    line: str


def rules(labels: Sequence[bool]) -> tuple[Rule, ...]:
    """Return what the two rules say of a screening.

    Args:
        labels: for each study screened, in order, whether it was relevant.
    """
    return (run_rule(labels), knee_rule(labels))


def run_rule(labels: Sequence[bool]) -> Rule:
    """Return whether the last studies were irrelevant, `RUN` or more in a row."""
    run = next((n for n, relevant in enumerate(reversed(labels)) if relevant), len(labels))
    met = run >= RUN
    verdict = "met" if met else "not met"
    line = f"{verdict}: {run:,} in a row without one to keep, {RUN} needed (SAFE, 2024)"
    return Rule("run", met, float(run), float(RUN), line)


def knee_rule(labels: Sequence[bool]) -> Rule:
    """Return whether the gain curve has a knee sharp enough, by Cormack and Grossman's bound."""
    found = [0]
    for relevant in labels:
        found.append(found[-1] + relevant)
    n = len(labels)
    bound = float(_BOUND - min(found[-1], _MOST))
    ratio = _slope_ratio(found, _knee(found), n) if n else 0.0
    met = ratio >= bound
    verdict = "met" if met else "not met"
    line = f"{verdict}: slope ratio {ratio:.1f}, {bound:.0f} needed (Cormack and Grossman, 2016)"
    return Rule("knee", met, ratio, bound, line)


def left(labels: Sequence[bool]) -> Left:
    """Return how many of the next studies may be relevant, from the rate of the last ones.

    That is the upper end of Clopper and Pearson's interval for the rate among the last 50 (or
    all) screened. As the list goes on the rate falls, so that it is on the safe side; of what the
    ranking does not bring up it says nothing.
    """
    window = labels[-_WINDOW:]
    n, kept = len(window), sum(window)
    if n < _LEAST:
        return Left(0, 0, f"unknown before {_LEAST} studies are screened")
    most = math.ceil(clopper_pearson(kept, n)[1] * n)
    line = (
        f"of the next {n:,} studies of the list, 0 to {most:,} may be relevant "
        f"({_CONFIDENCE:.0%} interval, from {kept:,} of the last {n:,})"
    )
    return Left(n, most, line)


def clopper_pearson(k: int, n: int, confidence: float = _CONFIDENCE) -> tuple[float, float]:
    """Return the exact interval of a share, by Clopper and Pearson (1934).

    Args:
        k: successes.
        n: trials, at least one.
        confidence: of the interval.
    """
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else _solved(lambda p: 1 - _at_most(k - 1, n, p), tail, rising=True)
    high = 1.0 if k == n else _solved(lambda p: _at_most(k, n, p), tail, rising=False)
    return low, high


def _knee(found: Sequence[int]) -> int:
    """Return the number of studies at which the gain curve is farthest above its chord."""
    n, total = len(found) - 1, found[-1]
    return max(range(1, n + 1), key=lambda at: (found[at] * n - total * at, -at))


def _slope_ratio(found: Sequence[int], knee: int, n: int) -> float:
    before = found[knee] / knee
    after = (found[n] - found[knee] + 1) / max(1, n - knee)
    return before / after


def _at_most(k: int, n: int, p: float) -> float:
    """Return the probability of at most k successes in n trials."""
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


def _solved(of: Callable[[float], float], target: float, *, rising: bool) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if (of(middle) < target) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2
