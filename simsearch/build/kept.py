"""What a build takes over from the current generation: its fit, and the level of details.

A fit is what the corpus as a whole says: term weights, and for the learned ranking mean vectors and
the scale of percentiles. All of it drifts slowly, and would move every similarity a little with
every change.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import cast, get_args

import msgspec

from simsearch.errors import IndexReadError
from simsearch.index.directory import open_generation
from simsearch.index.facts_blobs import Details
from simsearch.index.generation_files import FIT_FILES
from simsearch.index.manifest import Recipe
from simsearch.index.terms import Fit, read_fit

MAX_DRIFT = 0.05
"""A corpus is fitted again if the number of studies has changed by a larger share."""


class KeptFit(msgspec.Struct, frozen=True):
    """The fit of an earlier generation, and the corpus that it was made of."""

    fit: Fit
    generation: str
    n_studies: int
    path: Path
    recipe: Recipe
    ranking: str

    def keeps_scale(self, recipe: Recipe, ranking: str) -> bool:
        """Report whether mean vectors and scale suit an index of this recipe and ranking."""
        return (self.recipe.digest, self.ranking) == (recipe.digest, ranking)

    def copy_scale(self, folder: Path) -> None:
        """Copy mean vectors and scale into the folder of a new generation.

        Raises:
            OSError: a write failed.
        """
        for name in FIT_FILES:
            shutil.copyfile(self.path / name, folder / name)


def kept_fit(index: Path, n_studies: int) -> KeptFit | None:
    """Return the fit that the current generation uses; None if it no longer suits.

    Args:
        index: the folder.
        n_studies: how many studies the new generation has. The fit suits as long as they differ
            by no more than `MAX_DRIFT` from those that it was fitted to.
    """
    try:
        generation = open_generation(index)
        manifest = generation.manifest
        fit = read_fit(generation.path, manifest.mean_terms)
    except IndexReadError:
        return None
    n_fitted = manifest.n_fitted or manifest.n_studies
    if abs(n_studies - n_fitted) > MAX_DRIFT * n_fitted:
        return None
    return KeptFit(
        fit, manifest.fitted or manifest.generation, n_fitted, generation.path, manifest.recipe,
        manifest.ranking,
    )  # fmt: skip


def kept_details(index: Path) -> Details | None:
    """Return how much of the facts the current generation keeps; None if there is none."""
    try:
        details = open_generation(index).manifest.details
    except IndexReadError:
        return None
    return cast("Details", details) if details in get_args(Details) else None
