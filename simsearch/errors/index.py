"""Errors about an index on disk: reading it, writing it, refusing to publish it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from simsearch.errors.base import NOT_PUBLISHED, TRY_LATER, SimsearchError


class IndexReadError(SimsearchError):
    """Base of the errors that reading an index raises."""


class IndexNotFoundError(IndexReadError):
    """There is no index where one was expected."""

    path: Path

    def _message(self) -> str:
        return f"{self.path} does not hold an index"


class IndexClosedError(IndexReadError):
    """A closed index was used."""

    path: Path

    def _message(self) -> str:
        return f"the index {self.path} is closed: open it again"


class GenerationNameError(IndexReadError):
    """A name that matches no generation of an index, or several.

    Attributes:
        path: the index.
        name: the name, or the start of one, that was given.
        there: all generations of the index.
        meant: those that the name matches.
    """

    path: Path
    name: str
    there: Sequence[str]
    meant: Sequence[str] = ()

    def _message(self) -> str:
        if self.meant:
            found = f"matches {len(self.meant)} generations: {', '.join(self.meant)}"
            return f"{self.name[:60]!r} {found}; give more of the name"
        there = ", ".join(self.there) or "none"
        return f"{self.name[:60]!r} matches no generation of {self.path}, which has {there}"


class NoEarlierGenerationError(GenerationNameError):
    """A generation with no earlier one; `there` are the others, all of them later."""

    is_demo: bool = False

    def _message(self) -> str:
        return f"{self.path} has no generation before {self.name} to compare with"


class IndexCorruptError(IndexReadError):
    """A file of the index (`path`) is missing, damaged or foreign."""

    path: Path
    reason: str

    def _message(self) -> str:
        return f"{self.path}: {self.reason}; build the index again"


class RecipeError(IndexReadError):
    """The index and the code, or the model, do not have the same recipe.

    Attributes:
        path: the index, or its manifest.
        field: the part of the recipe that differs.
        expected: its value in the code or the model.
        found: its value in the index.
        hint: what to do about it.
    """

    path: Path
    field: str
    expected: object
    found: object
    hint: str

    def _message(self) -> str:
        differs = f"{self.field} is {self.found!r} where {self.expected!r} is needed"
        return f"{self.path}: {differs}: {self.hint}"


class BuildError(SimsearchError):
    """Base of the errors that writing an index raises."""


class ForeignFolderError(BuildError):
    """The folder to publish in must not be written to; `reason` completes "PATH …"."""

    path: Path
    reason: str

    def _message(self) -> str:
        return f"{self.path} {self.reason}"


class IndexBusyError(BuildError):
    """Another process (`owner`, where known) is writing to the same index."""

    path: Path
    owner: str
    exit_code = TRY_LATER

    def _message(self) -> str:
        return f"{self.path} is being written by {self.owner or 'another process'}"


class GenerationError(BuildError):
    """There is no earlier generation to roll back to; `there` are the other ones."""

    path: Path
    there: Sequence[str]

    def _message(self) -> str:
        others = f"name one of {', '.join(self.there)}" if self.there else "it is the only one"
        return f"{self.path} has no generation before the current one: {others}"


class PublishError(BuildError):
    """A write to the disk failed; the index published before is untouched."""

    path: Path
    reason: str

    def _message(self) -> str:
        kept = "the index published before is untouched"
        return f"cannot write the index in {self.path}: {self.reason}; {kept}"


class NoRoomError(BuildError):
    """The disk has less free space (`free`, bytes) than a build needs (`needed`, bytes)."""

    path: Path
    needed: int
    free: int

    def _message(self) -> str:
        needed, free = (f"{size / 1e9:.1f} GB" for size in (self.needed, self.free))
        return f"{self.path}: a build needs up to {needed} while it runs, and {free} is free"


class VerificationError(BuildError):
    """An index fails its own check; a build that fails it is not published."""

    check: str
    found: str

    def _message(self) -> str:
        return f"the index fails its check of {self.check}: {self.found}; do not use it"


class GuardError(BuildError):
    """Base of the refusals to publish an index that differs too much from the current one."""

    exit_code = NOT_PUBLISHED
    allowed_by: ClassVar[str]
    """The argument of `build_index` that publishes it anyway."""


class ShrinkError(GuardError):
    """The new index would lose more studies (`n_lost`) than a build accepts by default."""

    path: Path
    n_before: int
    n_lost: int
    allowed_by = "allow_shrink"

    def _message(self) -> str:
        lost = f"would lose {self.n_lost:,} of its {self.n_before:,} studies, more than 2 %"
        other = "; a rebuild replaces the index: name all sources together"
        all_named = other if 2 * self.n_lost > self.n_before else ""
        return f"{self.path} {lost}: nothing was published{all_named}"


class EmptyFieldError(GuardError):
    """Far more studies than before would lack a field.

    Attributes:
        path: the index.
        field: the field.
        before: the share of studies without it in the current index, from 0 to 1.
        now: the same share in the new index.
        n_empty: the number of studies without it in the new index.
    """

    path: Path
    field: str
    before: float
    now: float
    n_empty: int
    allowed_by = "allow_empty"

    def _message(self) -> str:
        empty = f"would have no {self.field} for {self.n_empty:,} studies"
        risen = f"{self.now:.1%} where it was {self.before:.1%}"
        return f"{self.path} {empty}, {risen}: nothing was published; check the records"


class MovedError(GuardError):
    """A sample of studies would keep too few of their neighbours.

    Attributes:
        path: the index.
        n_studies: the size of the sample.
        kept: the share of their ten neighbours that they would keep, from 0 to 1.
        least: the smallest share that a build accepts by default.
    """

    path: Path
    n_studies: int
    kept: float
    least: float
    allowed_by = "allow_moved"

    def _message(self) -> str:
        kept = f"would keep {self.kept:.0%} of their ten neighbours, less than {self.least:.0%}"
        return f"{self.path}: {self.n_studies:,} sample studies {kept}: nothing was published"
