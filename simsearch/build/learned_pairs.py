"""The scale of the learned ranking's percentiles: its similarities of random pairs of studies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.index.generation_files import LEARNED_PAIRS_FILE
from simsearch.index.opened import OpenedIndex
from simsearch.search.nearest import rounded
from simsearch.search.query_parts import study_part
from simsearch.search.second_stage import packaged_net, similarities

_QUERIES = 1000  # of whose signals the scales are looked up
_OTHERS = 50  # for each


def write_learned_pairs(folder: Path, similarities: npt.NDArray[np.floating]) -> None:
    """Write (n_pairs,) similarities by the learned ranking into a generation.

    Raises:
        OSError: the write failed.
    """
    np.save(folder / LEARNED_PAIRS_FILE, np.sort(similarities.astype("<f4")))


def ranking_for(fingerprint: str) -> str:
    """Return the fingerprint of the net that ranks an index of an encoder, or `""` for none."""
    net = packaged_net()
    return net.fingerprint if fingerprint == net.encoder else ""


def learned_pairs(index: OpenedIndex, progress: Progress = no_progress) -> npt.NDArray[np.float64]:
    """Return (n_pairs,) similarities of random pairs, at most 50 for each of 1,000 studies.

    The same index gives the same pairs.
    """
    rows = np.flatnonzero(index.has_text)
    chance = np.random.default_rng(0)
    queries = chance.choice(rows, min(_QUERIES, len(rows)), replace=False)
    found = [np.zeros(0)]
    for done, row in enumerate(np.sort(queries).tolist()):
        if done % _OTHERS == 0:
            progress("pairing", done, len(queries), "studies")
        others = rows[rows != row]
        if not len(others):
            continue
        drawn = np.sort(chance.choice(others, min(_OTHERS, len(others)), replace=False))
        part = study_part(index, row)
        found.append(rounded(similarities(index, [part], drawn, hold_nearest=False)))
    progress("pairing", len(queries), len(queries), "studies")
    return np.concatenate(found)
