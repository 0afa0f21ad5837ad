"""The learned ranking: a small net over the features of a pair, taught by graded pairs.

The net says how likely a reader would call a candidate clearly related to the query study (grade
2 or 3 of docs/second-stage.md). Candidates with a chance of at least `LEAST_CHANCE` come first, by
that chance, which is their similarity. The others follow in the order of the weighted sum of the
signals, which is scaled to lie below. So a similarity is of the pair alone.

The net is `second_stage.json` beside this file, and numpy is all it needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from simsearch.index.opened import OpenedIndex
from simsearch.search.features import FEATURES, Floats, Ints, asked, features
from simsearch.search.query_parts import QueryPart
from simsearch.vectors import DEFAULT_WEIGHTS, SIGNALS, total, weights_for

Ranking = Literal["learned", "linear"]
"""How candidates are put in order: by the net where it can, or by the weighted sum of signals."""

NET_FILE = Path(__file__).with_name("second_stage.json")
"""The net in the package."""

LEAST_CHANCE = 0.4
"""From this chance on a candidate is ranked by it, below by the weighted sum."""

_LIMIT = 4.0  # standard deviations that a feature may be from its mean
_BELOW = 1 - 1e-6  # the greatest weighted sum, so that it stays below the least chance
_BLOCK = 4096  # pairs scored at once
_SIGNALS = [FEATURES.index("words" if name == "lexical" else name) for name in SIGNALS]


class Net(msgspec.Struct, frozen=True, kw_only=True):
    """A net of one hidden layer, as its file holds it; `score` is what it computes."""

    schema: str
    fingerprint: str
    """SHA-256 of the numbers, 16 digits."""
    encoder: str
    """Fingerprint of the encoder whose vectors it was taught on."""
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    """(n_features,) the mean and the standard deviation of each feature."""
    missing: tuple[str, ...]
    """The features whose absence is an input too."""
    hidden: tuple[tuple[float, ...], ...]
    """(n_inputs, n_units) weights."""
    bias: tuple[float, ...]
    out: tuple[float, ...]
    """(n_units,) weights of what is added up."""
    offset: float
    recipe: Mapping[str, object]
    """How it was taught, and on what."""


class _Arrays(msgspec.Struct, frozen=True):
    mean: Floats
    scale: Floats
    missing: Ints
    hidden: Floats
    bias: Floats
    out: Floats
    offset: float
    encoder: str
    fingerprint: str


def scores(table: Floats, net: _Arrays) -> Floats:
    """Return (n,) the log odds that each pair is clearly related.

    Args:
        table: (n, n_features) features, NaN where a record does not give one.
        net: the net.
    """
    inputs = np.clip((table - net.mean) / net.scale, -_LIMIT, _LIMIT)
    gone = np.isnan(inputs)
    inputs[gone] = 0
    inputs = np.concatenate([inputs, gone[:, net.missing]], axis=1)
    found: Floats = np.tanh(inputs @ net.hidden + net.bias) @ net.out + net.offset
    return found


def arrays_of(net: Net) -> _Arrays:
    """Return a net as arrays.

    Raises:
        ValueError: it was taught on other features.
    """
    if net.features != FEATURES:
        raise ValueError("the net of the learned ranking knows other features")
    return _Arrays(
        np.array(net.mean), np.array(net.scale),
        np.array([FEATURES.index(name) for name in net.missing], dtype=np.int64),
        np.array(net.hidden), np.array(net.bias), np.array(net.out), net.offset,
        net.encoder, net.fingerprint,
    )  # fmt: skip


@lru_cache(maxsize=1)
def packaged_net() -> _Arrays:
    """Return the net of the package."""
    return arrays_of(msgspec.json.decode(NET_FILE.read_bytes(), type=Net))


def is_served(index: OpenedIndex, parts: Sequence[QueryPart], weights: Mapping[str, float]) -> bool:
    """Report whether the learned ranking can answer a query.

    It can for studies and drafts, in an index that was built for this net. It cannot for texts,
    for weights of one's own, and where something is to be kept away from.
    """
    return (
        all(part.profile is not None and not part.away for part in parts)
        and dict(weights) == dict(DEFAULT_WEIGHTS)
        and index.ranking == packaged_net().fingerprint
    )


def similarities(
    index: OpenedIndex,
    parts: Sequence[QueryPart],
    rows: Ints,
    lexical: Floats | None = None,
    *,
    hold_nearest: bool,
) -> Floats:
    """Return (n,) the similarity of each study to the parts.

    Args:
        index: where the studies are.
        parts: studies or drafts (see `is_served`).
        rows: (n,) rows of the others.
        lexical: (n_studies,) the lexical signal of the only part, times its share; None computes
            it.
        hold_nearest: whether the ten nearest by text of the index are among them.
    """
    hold_nearest = hold_nearest and len(parts) == 1 and len(rows) <= _BLOCK
    if len(parts) > 1:
        lexical = None
    found = [_of_part(index, part, rows, lexical, hold_nearest=hold_nearest) for part in parts]
    chances, sums = (total(each) / len(parts) for each in zip(*found, strict=True))
    return joined(chances, sums)


def joined(chances: Floats, sums: Floats) -> Floats:
    """Return (n,) similarities, given chances and weighted sums of signals."""
    return np.where(chances >= LEAST_CHANCE, chances, LEAST_CHANCE * sums.clip(0, _BELOW))


def _of_part(
    index: OpenedIndex,
    part: QueryPart,
    rows: Ints,
    lexical: Floats | None,
    *,
    hold_nearest: bool,
) -> tuple[Floats, Floats]:
    """Return (n,) the chances and the weighted sums of one part."""
    shares = weights_for(DEFAULT_WEIGHTS, part.present)
    if lexical is None:
        words = index.lexical.signal(part.terms)
    else:
        words = lexical / (shares["lexical"] or 1)
    query, net = asked(index, part, words, look=not hold_nearest), packaged_net()
    chances, sums = [], []
    for block in np.array_split(rows, max(1, -(-len(rows) // _BLOCK))):
        table = features(index, query, block, words[block])
        chances.append(chance_of(scores(table, net)))
        signals = np.nan_to_num(table[:, _SIGNALS])
        sums.append(
            total(shares[name] * each for name, each in zip(SIGNALS, signals.T, strict=True))
        )
    return np.concatenate(chances), np.concatenate(sums)


def chance_of(logits: Floats) -> Floats:
    """Return (n,) log odds as chances from 0 to 1."""
    found: Floats = 1 / (1 + np.exp(-logits))
    return found
