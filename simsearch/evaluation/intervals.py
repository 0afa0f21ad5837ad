"""Means and ratios with 95 % intervals, by bootstrap over groups or queries."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
"""(m,) one value for each group or query, or (m, n) one for each of n measures as well."""

BOOTSTRAP_SAMPLES = 5000

_DRAWN_AT_ONCE = 1_000_000  # numbers; bounds the memory


class Estimate(msgspec.Struct, frozen=True):
    """A mean or a ratio with its 95 % interval; not a number where there is no value."""

    mean: float
    low: float
    high: float


def estimate(values: Values, seed: int = 0) -> Estimate:
    """Return the mean of (m,) values with its interval.

    Args:
        values: one for each group or query. For a paired comparison, give the differences.
        seed: of the draws; for the same seed and m, the same groups or queries are drawn.
    """
    return Estimate(_mean(values), *_percentiles(_resampled_means(values, seed)))


def mean_of_sets(sets: Sequence[Values], seed: int = 0) -> Estimate:
    """Return the mean of the means of several sets with its interval, drawn within each set.

    Args:
        sets: (m,) values of each, one for each of its groups or queries.
        seed: of the draws.
    """
    means = [_resampled_means(values, seed) for values in sets]
    whole = np.mean([np.resize(each, BOOTSTRAP_SAMPLES) for each in means], axis=0)
    return Estimate(float(np.mean([_mean(each) for each in sets])), *_percentiles(whole))


def ratio_estimate(above: Values, below: Values, seed: int = 0) -> Estimate:
    """Return the ratio of two means with its interval.

    Args:
        above: (m,) the values of the dividend, one for each group or query.
        below: (m,) those of the divisor, for the same groups or queries.
        seed: of the draws; each draws the same groups or queries for both means.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.divide(_mean(above), _mean(below))
        ratios = _resampled_means(above, seed) / _resampled_means(below, seed)
    return Estimate(float(ratio), *_percentiles(ratios))


def _mean(values: Values) -> float:
    return float(values.mean()) if len(values) else np.nan


def _resampled_means(values: Values, seed: int) -> Values:
    """Return the means of `BOOTSTRAP_SAMPLES` samples of (m,) values.

    What is drawn depends on the seed and m alone, so the samples of two systems are paired.
    """
    if len(values) < 2:  # noqa: PLR2004 - nothing to draw, and scipy refuses it
        return values
    from scipy import stats

    drawn = stats.bootstrap(
        (values,), np.mean, n_resamples=BOOTSTRAP_SAMPLES, method="percentile",
        batch=max(1, _DRAWN_AT_ONCE // len(values)), random_state=np.random.default_rng(seed),
    )  # fmt: skip
    means: Values = drawn.bootstrap_distribution
    return means


def _percentiles(means: Values) -> tuple[float, float]:
    """Return the percentiles 2.5 and 97.5 of the finite ones; a ratio to 0 is not."""
    finite = means[np.isfinite(means)]
    if not len(finite):
        return np.nan, np.nan
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)
