"""Several judged sets in one figure: the mean over sets, paired intervals, a split-half check.

Sets weigh alike, however many queries they have. The check asks whether a choice holds: on a random
half of each set the best of our systems and the best baseline are chosen, and compared on the
other half. What is chosen for its luck on one half loses it on the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from simsearch.evaluation.intervals import Estimate, Values, mean_of_sets
from simsearch.evaluation.scoring import Evaluation

SPLITS = 200
MEASURE = "nDCG@10"
"""The main measure of the sets that count: groups, and graded pools."""

Main = Mapping[str, Values]
"""System → (n_units,) its main measure for each group or query of a set."""


class SplitHalves(msgspec.Struct, frozen=True):
    """What became of choices made on one half of each set, on the other half."""

    n: int
    """How many times the sets were split."""
    chosen: dict[str, int]
    """Our system → how often it was the best on the first half."""
    gain: Estimate
    """By how much the chosen one exceeds the baseline chosen on the same half, on the other half:
    the mean and the middle 95 % of the splits."""


class Summary(msgspec.Struct, frozen=True):
    """The main measures of all sets: nDCG of groups and pools alike."""

    sets: tuple[str, ...]
    means: dict[str, Estimate]
    """System → the mean over sets."""
    less_the_first: dict[str, Estimate]
    """Other system → its mean less that of the first."""
    halves: SplitHalves | None
    """None where there is no baseline."""


def summary_of(evaluations: Sequence[Evaluation]) -> Summary | None:
    """Return the figures over several sets; None if there are fewer than two with queries.

    Those of pairs, measured otherwise, are left out. A set that was evaluated in two ways counts
    once, as in the last.
    """
    usable = {
        each.selection.name: each
        for each in evaluations
        if each.selection.cases and each.selection.measures[0].name == MEASURE
    }
    if len(usable) < 2:  # noqa: PLR2004 - several
        return None
    sets = [_main(each) for each in usable.values()]
    first, *others = next(iter(usable.values())).systems
    baselines = next(iter(usable.values())).baselines
    return Summary(
        tuple(usable),
        {name: mean_of_sets([each[name] for each in sets]) for name in (first, *others)},
        {name: mean_of_sets([each[name] - each[first] for each in sets]) for name in others},
        split_halves(sets, [first, *others], baselines) if baselines else None,
    )


def split_halves(
    sets: Sequence[Main], systems: Sequence[str], baselines: Sequence[str], n: int = SPLITS
) -> SplitHalves:
    """Choose on one half of each set and measure on the other, n times.

    Args:
        sets: the values of each set.
        systems: the names of all systems.
        baselines: those of them that are baselines, at least one.
        n: how many splits.
    """
    ours = [name for name in systems if name not in baselines]
    chance = np.random.default_rng(0)
    chosen: Counter[str] = Counter()
    gains = []
    for _ in range(n):
        halves = [_halves(chance, len(next(iter(each.values())))) for each in sets]
        one, other = (
            {
                name: np.mean([
                    each[name][half[side]].mean()
                    for each, half in zip(sets, halves, strict=True)
                    if len(half[side])
                ])
                for name in systems
            }
            for side in (0, 1)
        )  # fmt: skip
        best = max(ours, key=one.__getitem__)
        chosen[best] += 1
        gains.append(other[best] - other[max(baselines, key=one.__getitem__)])
    low, high = np.percentile(gains, [2.5, 97.5])
    return SplitHalves(
        n, dict(chosen.most_common()), Estimate(float(np.mean(gains)), float(low), float(high))
    )


def _halves(chance: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    order = chance.permutation(n)
    return order[: n // 2], order[n // 2 :]


def _main(evaluation: Evaluation) -> Main:
    return {name: evaluation.unit_means(values)[:, 0] for name, values in evaluation.values.items()}
