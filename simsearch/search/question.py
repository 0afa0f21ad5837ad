"""What is asked: studies, a draft or words, what to keep away from, and how to answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from simsearch.errors import ArgumentError, NothingToCompareError
from simsearch.search.filters import NO_FILTERS, Filters, as_names
from simsearch.search.nearest import MAX_K
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS

GroupBy = Literal["sponsor"]
"""What neighbours may be grouped by."""

MAX_VARIED = 200
"""The most neighbours of a folded, grouped or diverse answer: each is compared with every other."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question to an index: at least one study, a draft or a text.

    Several of them count alike: neighbours are near to their mean.

    Raises:
        ArgumentError: a value is out of its range or of another type.
        NothingToCompareError: neither a study nor a text nor a draft is named.
    """

    studies: tuple[str, ...] = ()
    """NCT IDs in any spelling, or addresses of studies' pages; a plain string is one."""
    text: str | None = None
    """Words, in English."""
    draft: Study | None = None
    """A study that need not be in the index."""
    unlike: tuple[str, ...] = ()
    """NCT IDs of studies to keep away from."""
    filters: Filters = NO_FILTERS
    """What a neighbour must be."""
    hide_same_sponsor: bool = False
    """Leave out the studies of the query studies' lead sponsors."""
    weights: Mapping[str, float] = DEFAULT_WEIGHTS
    """Signal name → weight."""
    k: int = 10
    """How many neighbours, 1 to `MAX_K`; with `fold`, `diverse` or `group_by` to `MAX_VARIED`."""
    fold: bool = False
    """Put near-duplicates under the best of them."""
    diverse: float | None = None
    """Diversify: 1 = ranking only, 0 = diversity only; None does not."""
    group_by: GroupBy | None = None
    """Put the studies of one sponsor under the best of them."""
    explain: bool = True
    """Whether to say for each neighbour why it is one."""

    def __post_init__(self) -> None:
        for name in ("studies", "unlike"):
            names = as_names(name, getattr(self, name), "an NCT ID, or a list of them")
            msgspec.structs.force_setattr(self, name, names)
        if not (self.studies or self.text is not None or self.draft):
            raise NothingToCompareError("the question", "it names no study, text or draft")
        if not isinstance(self.text, str | None):
            raise ArgumentError("text", self.text, "words")
        if not isinstance(self.draft, Study | None):
            raise ArgumentError("draft", self.draft, "a Study")
        if not isinstance(self.k, int) or isinstance(self.k, bool):
            raise ArgumentError("k", self.k, "a whole number")
        most, when = (
            (MAX_VARIED, " with fold, diverse or group_by") if self.is_varied else (MAX_K, "")
        )
        if not 1 <= self.k <= most:
            raise ArgumentError("k", self.k, f"from 1 to {most:,}{when}")
        if self.diverse is not None and not 0 <= self.diverse <= 1:
            raise ArgumentError("diverse", self.diverse, "from 0 to 1")
        if self.group_by not in {None, "sponsor"}:
            raise ArgumentError("group_by", self.group_by, "'sponsor'")

    @property
    def is_varied(self) -> bool:
        """Whether the answer is more than the plain ranking."""
        return self.fold or self.diverse is not None or self.group_by is not None


class Query(msgspec.Struct, frozen=True):
    """What a question turned out to be about."""

    studies: tuple[Study, ...] = ()
    """The query studies and the draft, as registered."""
    text: str = ""
    unlike: tuple[Study, ...] = ()
    draft: bool = False
    """Whether the last of the studies is a draft, given as a record."""

    @property
    def kind(self) -> str:
        """`study`, `draft` or `text`; `several` for more than one of them."""
        if len(self.studies) + bool(self.text) + len(self.unlike) != 1:
            return "several"
        if self.text:
            return "text"
        return "draft" if self.draft else "study"

    @property
    def sponsors(self) -> tuple[str, ...]:
        """The lead sponsors of the query studies, each once."""
        return tuple(dict.fromkeys(study.sponsor for study in self.studies if study.sponsor))
