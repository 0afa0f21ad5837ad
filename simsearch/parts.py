"""What is asked with: parts, each a study or a text, and their weighted sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.fields import FIELDS
from simsearch.lexical import TermWeights, combined
from simsearch.vectors import total, weights_for

SIGNALS = (*FIELDS, "lexical")
"""The signals, in the order of the columns of `search.PAIRS_FILE`."""


class QueryPart(msgspec.Struct, frozen=True):
    """One study or text of a query, as what the index compares.

    `vectors` maps each dense field to (dimension,) float32, unit, or zero where it has none;
    `terms` is the row of its terms; `rows` are its own in the index, none of which is a
    neighbour. A part that is `away` is one that neighbours shall be unlike.
    """

    vectors: Mapping[str, npt.NDArray[np.float32]]
    terms: TermWeights
    rows: tuple[int, ...] = ()
    away: bool = False

    @property
    def present(self) -> dict[str, bool]:
        """Signal → whether this part can be compared by it."""
        dense = {field: bool(vector.any()) for field, vector in self.vectors.items()}
        return {**dense, "lexical": bool(self.terms)}


class Mix(msgspec.Struct, frozen=True):
    """A weighted sum of query parts: one vector and one row of terms stand for all of them."""

    shares: dict[str, float]
    vectors: Mapping[str, npt.NDArray[np.floating]]
    terms: TermWeights


def mixes(parts: Sequence[QueryPart], weights: Mapping[str, float]) -> tuple[Mix, Mix | None]:
    """Return the mean of the parts to be near to, and of those to keep away from."""
    near = [part for part in parts if not part.away]
    away = [part for part in parts if part.away]
    return _mix(near, weights), _mix(away, weights) if away else None


def _mix(parts: Sequence[QueryPart], weights: Mapping[str, float]) -> Mix:
    """Return the mean of parts, each with its own shares: a signal that it lacks moves."""
    shares = [weights_for(weights, part.present) for part in parts]
    mean = 1 / len(parts)
    return Mix(
        {name: mean * sum(each[name] for each in shares) for name in SIGNALS},
        {
            field: mean
            * total(
                share[field] * part.vectors[field].astype(np.float64)
                for share, part in zip(shares, parts, strict=True)
            )
            for field in FIELDS
        },
        combined(
            [
                (mean * share["lexical"], part.terms)
                for share, part in zip(shares, parts, strict=True)
            ]
        ),
    )
