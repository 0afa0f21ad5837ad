"""Short texts → rows to group them by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from simsearch.encode.minilm import MiniLM
from simsearch.index.terms import terms_of
from simsearch.vectors import unit_rows


def embed_outcomes(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return (n_texts, dimension) float32 unit rows: meaning by the packaged model, and words."""
    return np.hstack([MiniLM().encode(texts) * np.sqrt(0.7), embed_criteria(texts) * np.sqrt(0.3)])


def embed_criteria(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return (n_texts, n_terms) float32 unit rows of words, rare ones weighing more."""
    bags = [frozenset(terms_of(text)) for text in texts]
    terms = sorted(frozenset().union(*bags))
    places = {term: place for place, term in enumerate(terms)}
    counts = np.zeros((len(texts), len(terms) + len(texts)), dtype=np.float32)
    for number, bag in enumerate(bags):
        counts[number, [places[term] for term in bag] or [len(terms) + number]] = 1
    rarity = np.log((1 + len(texts)) / (1 + counts.sum(axis=0))) + 1
    return unit_rows(counts * rarity)
