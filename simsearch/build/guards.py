"""What a build refuses to publish, for it differs too much from the index that answers.

Three guards: studies are lost; studies lack a field that they had; a fixed sample of
studies, the canary, gets other neighbours. Each has an option that says it is meant.
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
from simsearch.search.nearest import MAX_K, ranked
from simsearch.search.query_parts import study_part
from simsearch.index.opened import STORE_FILE
from simsearch.index.opened import OpenedIndex
from simsearch.index.directory import Generation, open_generation, published_studies
from simsearch.index.studies import StudyStore

MAX_LOST_SHARE = 0.02
"""A build that would lose a larger share of the studies published before fails."""

MAX_EMPTY_RISE = 0.02
"""So does one in which the share of studies without a field is greater by more than this."""

MIN_KEPT_SHARE = 0.9
"""So does one in which the canary keeps a smaller share of its neighbours (see DECISIONS.md)."""

_FEW = 5  # studies whose field may go empty in however small an index
_SAMPLE = 100
_NEIGHBOURS = 10


class Canary(msgspec.Struct, frozen=True):
    """How many of its ten neighbours a fixed sample of studies keeps between two builds."""

    n_studies: int
    kept_share: float
    """From 0 to 1."""
    skipped: str = ""
    """Why it was not measured, or empty."""

    def __str__(self) -> str:
        if self.skipped:
            return f"not checked: {self.skipped}"
        return f"{self.n_studies:,} sample studies keep {self.kept_share:.1%} of their neighbours"


class Guards:
    """What stands between a build and its publication.

    Args:
        index: the folder; the generation that answers there is what is compared with.
        allow_shrink: publish although many studies would be lost.
        allow_empty: publish although many more studies would lack a field.
        allow_moved: publish although the canary moves.
    """

    def __init__(
        self, index: Path, *, allow_shrink: bool, allow_empty: bool, allow_moved: bool
    ) -> None:
        self._index = index
        self._allow_shrink = allow_shrink
        self._allow_empty = allow_empty
        self._allow_moved = allow_moved
        self._before: Generation | None = None
        self._unread = ""
        try:
            self._before = open_generation(index)
        except IndexNotFoundError:
            self._unread = "nothing was published before"
        except RecipeError:
            self._unread = "another version of simsearch built the index before"
        except IndexReadError:
            self._unread = "the index before is damaged"

    def check_lost(self, nct_ids: Collection[str]) -> None:
        """Refuse a build that would lose many studies.

        Args:
            nct_ids: of all studies of the new index, obsolete numbers among them.

        Raises:
            ShrinkError: it would.
        """
        if self._allow_shrink:
            return
        before = self._ids_before()
        n_before, n_lost = len(before), len(before.difference(nct_ids))
        if not before:  # how many there were may still be known
            n_before = published_studies(self._index)
            n_lost = n_before - len(nct_ids)
        if n_lost > MAX_LOST_SHARE * n_before:
            raise ShrinkError(self._index, n_before, n_lost)

    def _ids_before(self) -> set[str]:
        """Return the NCT IDs of the studies published before; none where they are not known."""
        if not self._before:
            return set()
        try:
            with closing(StudyStore(self._before.path / STORE_FILE)) as store:
                return set(store.nct_ids())
        except IndexReadError:
            return set()

    def check_empty(self, n_studies: int, coverage: Mapping[str, int]) -> None:
        """Refuse a build in which far more studies than before lack a field.

        Args:
            n_studies: of the new index.
            coverage: field name → how many of them have text in it.

        Raises:
            EmptyFieldError: they do.
        """
        if self._allow_empty or not self._before:
            return
        manifest = self._before.manifest
        for field, n_with in coverage.items():
            before = 1 - manifest.field_coverage.get(field, 0) / manifest.n_studies
            n_empty = n_studies - n_with
            if n_empty - before * n_studies > max(MAX_EMPTY_RISE * n_studies, _FEW):
                raise EmptyFieldError(self._index, field, before, n_empty / n_studies, n_empty)

    def check_moved(self, built: OpenedIndex) -> Canary:
        """Refuse a build in which the canary loses its neighbours; return what it keeps.

        Args:
            built: the new index, not yet published.

        Raises:
            MovedError: it keeps too few.
        """
        if not self._before:
            return Canary(0, 0.0, self._unread)
        if self._before.manifest.recipe.digest != built.generation.manifest.recipe.digest:
            return Canary(0, 0.0, "the recipe changed")
        if self._before.manifest.files == built.generation.manifest.files:
            return Canary(0, 1.0, "nothing has changed")
        try:
            with OpenedIndex(self._index, self._before) as before:
                canary = measure(before, built)
        except IndexReadError:
            return Canary(0, 0.0, "the index before is damaged")
        if canary.n_studies and canary.kept_share < MIN_KEPT_SHARE and not self._allow_moved:
            raise MovedError(self._index, canary.n_studies, canary.kept_share, MIN_KEPT_SHARE)
        return canary


def measure(before: OpenedIndex, now: OpenedIndex, n_studies: int = _SAMPLE) -> Canary:
    """Return which share of its ten neighbours the canary keeps.

    Neighbours are counted among the studies that both indexes hold: those that have come or
    gone push none aside.

    Args:
        before: an index.
        now: another, of the same recipe.
        n_studies: size of the sample; fewer where both hold fewer with a text.
    """
    held_before, held_now = before.store.nct_ids(), now.store.nct_ids()
    both = set(held_before).intersection(held_now)
    shares: list[float] = []
    for nct_id in _sample(both, 2 * n_studies):
        if len(shares) == n_studies:
            break
        expected = _nearest(before, held_before, nct_id, both)
        found = _nearest(now, held_now, nct_id, both)
        if expected and found:
            shares.append(len(expected & found) / len(expected))
    return Canary(len(shares), float(np.mean(shares)) if shares else 1.0)


def _sample(nct_ids: Collection[str], n: int) -> list[str]:
    """Return the n of least hash: the same ones for years, whatever comes beside them."""
    return sorted(nct_ids, key=lambda each: hashlib.sha256(each.encode()).digest())[:n]


def _nearest(index: OpenedIndex, held: list[str], nct_id: str, among: Collection[str]) -> set[str]:
    """Return the ten nearest of a study that are among some; none for one without a text."""
    row = index.row_of(nct_id)
    if not index.vectors(row)["text"].any():
        return set()
    k = 2 * _NEIGHBOURS
    while True:
        rows = ranked(index, [study_part(index, row)], k).rows.tolist()
        found = [held[each] for each in rows if held[each] in among][:_NEIGHBOURS]
        if len(found) == _NEIGHBOURS or len(rows) < k or k == MAX_K:
            return set(found)
        k = min(4 * k, MAX_K)
