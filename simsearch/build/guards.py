"""The guards: a build that differs too much from the current index is not published.

There are three: too many studies are lost; too many studies lack a field that they had; a fixed
sample of studies, the canary, gets other neighbours. Each can be switched off by an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np

from simsearch.errors import (
    EmptyFieldError,
    IndexNotFoundError,
    IndexReadError,
    MovedError,
    RecipeError,
    ShrinkError,
)
from simsearch.index.directory import Generation, open_generation, published_studies
from simsearch.index.generation_files import STORE_FILE
from simsearch.index.opened import OpenedIndex
from simsearch.index.studies import StudyStore
from simsearch.search.nearest import MAX_K, ranked
from simsearch.search.query_parts import study_part

MAX_LOST_SHARE = 0.02
"""A build fails if it would lose a larger share of the published studies."""

MAX_EMPTY_RISE = 0.02
"""A build fails if the share of studies without some field rises by more than this."""

MIN_KEPT_SHARE = 0.9
"""A build fails if the canary keeps a smaller share of its neighbours (see DECISIONS.md)."""

_FEW = 5  # so many studies may lose a field, even in a small index
_SAMPLE = 100
_NEIGHBOURS = 10
_DAMAGED = "the previous index is damaged"


class Canary(msgspec.Struct, frozen=True):
    """The share of its ten neighbours that a fixed sample of studies keeps in a new build."""

    n_studies: int
    kept_share: float
    """Mean over the sample, from 0 to 1."""
    skipped: str = ""
    """Why it was not measured, or empty."""

    def __str__(self) -> str:
        if self.skipped:
            return f"not checked: {self.skipped}"
        return f"{self.n_studies:,} sample studies keep {self.kept_share:.1%} of their neighbours"


class Guards:
    """Compares a new generation with the current one before it is published.

    Args:
        index: the folder of the index.
        allow_shrink: publish even if many studies would be lost.
        allow_empty: publish even if many more studies would lack a field.
        allow_moved: publish even if the canary loses many neighbours.
    """

    def __init__(
        self, index: Path, *, allow_shrink: bool, allow_empty: bool, allow_moved: bool
    ) -> None:
        self._index = index
        self._allow_shrink = allow_shrink
        self._allow_empty = allow_empty
        self._allow_moved = allow_moved
        self._current: Generation | None = None
        self._unread = ""
        try:
            self._current = open_generation(index)
        except IndexNotFoundError:
            self._unread = "nothing was published before"
        except RecipeError:
            self._unread = "another version of simsearch built the previous index"
        except IndexReadError:
            self._unread = _DAMAGED

    def check_lost(self, nct_ids: Collection[str]) -> None:
        """Check that few studies are lost.

        Args:
            nct_ids: of all studies in the new index, including the obsolete ones.

        Raises:
            ShrinkError: too many are.
        """
        if self._allow_shrink:
            return
        before = self._current_ids()
        n_before, n_lost = len(before), len(before.difference(nct_ids))
        if not before:  # their number may still be known
            n_before = published_studies(self._index)
            n_lost = n_before - len(nct_ids)
        if n_lost > MAX_LOST_SHARE * n_before:
            raise ShrinkError(self._index, n_before, n_lost)

    def _current_ids(self) -> set[str]:
        """Return the NCT IDs of the current generation; none if they cannot be read."""
        if not self._current:
            return set()
        try:
            with closing(StudyStore(self._current.path / STORE_FILE)) as store:
                return set(store.nct_ids())
        except IndexReadError:
            return set()

    def check_empty(self, n_studies: int, coverage: Mapping[str, int]) -> None:
        """Check that not many more studies lack a field than in the current generation.

        Args:
            n_studies: how many studies the new index has.
            coverage: field name → how many of them have text in it.

        Raises:
            EmptyFieldError: many more do.
        """
        if self._allow_empty or not self._current:
            return
        manifest = self._current.manifest
        for field, n_with in coverage.items():
            before = 1 - manifest.field_coverage.get(field, 0) / manifest.n_studies
            n_empty = n_studies - n_with
            if n_empty - before * n_studies > max(MAX_EMPTY_RISE * n_studies, _FEW):
                raise EmptyFieldError(self._index, field, before, n_empty / n_studies, n_empty)

    def check_moved(self, built: OpenedIndex) -> Canary:
        """Check that the canary keeps most of its neighbours.

        Args:
            built: the new index, not yet published.

        Returns:
            How many it keeps, or why that was not measured.

        Raises:
            MovedError: it keeps too few.
        """
        if not self._current:
            return Canary(0, 0.0, self._unread)
        if self._current.manifest.recipe.digest != built.generation.manifest.recipe.digest:
            return Canary(0, 0.0, "the recipe changed")
        if self._current.manifest.files == built.generation.manifest.files:
            return Canary(0, 1.0, "nothing has changed")
        try:
            with OpenedIndex(self._index, self._current) as current:
                canary = measure(current, built)
        except IndexReadError:
            return Canary(0, 0.0, _DAMAGED)
        if canary.n_studies and canary.kept_share < MIN_KEPT_SHARE and not self._allow_moved:
            raise MovedError(self._index, canary.n_studies, canary.kept_share, MIN_KEPT_SHARE)
        return canary


def measure(before: OpenedIndex, now: OpenedIndex, n_studies: int = _SAMPLE) -> Canary:
    """Return the share of its ten neighbours that the canary keeps.

    Only studies that are in both indexes count as neighbours: new studies and lost ones do not
    displace any.

    Args:
        before: an index.
        now: another one, of the same recipe.
        n_studies: size of the sample, if the indexes have as many studies with text in common.
    """
    held_before, held_now = before.store.nct_ids(), now.store.nct_ids()
    both = set(held_before).intersection(held_now)
    shares: list[float] = []
    for nct_id in canary_sample(both, 2 * n_studies):
        if len(shares) == n_studies:
            break
        expected = _nearest(before, held_before, nct_id, both)
        found = _nearest(now, held_now, nct_id, both)
        if expected and found:
            shares.append(len(expected & found) / len(expected))
    return Canary(len(shares), float(np.mean(shares)) if shares else 1.0)


def canary_sample(nct_ids: Collection[str], n: int) -> list[str]:
    """Return the n NCT IDs of lowest hash: new studies hardly change this sample."""
    return sorted(nct_ids, key=lambda each: hashlib.sha256(each.encode()).digest())[:n]


def _nearest(index: OpenedIndex, held: list[str], nct_id: str, among: Collection[str]) -> set[str]:
    """Return the ten nearest of a study that are in `among`; none if it has no text.

    Args:
        index: the index.
        held: NCT IDs of all its studies, by row.
        nct_id: of the study.
        among: the studies that count.
    """
    row = index.row_of(nct_id)
    if not index.vectors(row)["text"].any():
        return set()
    k = 2 * _NEIGHBOURS
    while True:
        rows = ranked(index, [study_part(index, row)], k, ranking="linear").rows.tolist()
        found = [held[each] for each in rows if held[each] in among][:_NEIGHBOURS]
        if len(found) == _NEIGHBOURS or len(rows) < k or k == MAX_K:
            return set(found)
        k = min(4 * k, MAX_K)
