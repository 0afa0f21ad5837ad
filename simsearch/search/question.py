"""What is asked: studies, a draft or words, what to keep away from, and how to answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from simsearch.errors import ArgumentError, NothingToCompareError
from simsearch.search.filters import NO_FILTERS, Filters, as_names
from simsearch.search.nearest import MAX_K
from simsearch.search.second_stage import Ranking
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS

GroupBy = Literal["sponsor"]
"""What neighbours may be grouped by."""

DEFAULT_K = 20
"""How many neighbours a comparison has."""

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
    texts: tuple[str, ...] = ()
    """Words, in English; a plain string is one text."""
    literal: bool = False
    """Take texts as they are: no corrections, no other names, no filters or studies in them."""
    drafts: tuple[Study, ...] = ()
    """Studies that need not be in the index; a `Study` by itself is one."""
    unlike: tuple[str, ...] = ()
    """NCT IDs of studies to keep away from."""
    filters: Filters = NO_FILTERS
    """What a neighbour must be."""
    competing: bool = False
    """Only trials that compete for the same participants now (see `competing`)."""
    hide_same_sponsor: bool = False
    """Leave out the studies of the query studies' lead sponsors."""
    weights: Mapping[str, float] = DEFAULT_WEIGHTS
    """Signal name → weight."""
    ranking: Ranking = "learned"
    """How candidates are put in order: `learned` where it can answer, or `linear`, the weighted
    sum."""
    k: int = 10
    """How many neighbours, 1 to `MAX_K`; with `fold`, `diverse` or `group_by` to `MAX_VARIED`."""
    fold: bool = False
    """Put near-duplicates under the best of them."""
    diverse: float | None = None
    """Diversify: 1 = ranking only, 0 = diversity only; None does not."""
    group_by: GroupBy | None = None
    """Put the studies of one sponsor under the best of them."""
    min_percentile: float = 0
    """Leave out neighbours below this percentile, 0 to 100."""
    explain: bool = True
    """Whether to say for each neighbour why it is one."""
    facts: bool = False
    """Whether each study carries its facts: sites, other numbers, dates, …"""

    def __post_init__(self) -> None:
        for name in ("studies", "unlike"):
            names = as_names(name, getattr(self, name), "an NCT ID, or a list of them")
            msgspec.structs.force_setattr(self, name, names)
        texts = as_names("text", self.texts, "words, or a list of texts")
        msgspec.structs.force_setattr(self, "texts", texts)
        drafts = (self.drafts,) if isinstance(self.drafts, Study) else self.drafts
        if not isinstance(drafts, list | tuple) or not all(isinstance(e, Study) for e in drafts):
            raise ArgumentError("draft", self.drafts, "a Study, or a list of them")
        msgspec.structs.force_setattr(self, "drafts", tuple(drafts))
        if not (self.studies or self.texts or self.drafts):
            raise NothingToCompareError("the question", "it names no study, text or draft")
        self._check_types()
        most, when = (
            (MAX_VARIED, " with fold, diverse or group_by") if self.is_varied else (MAX_K, "")
        )
        if not 1 <= self.k <= most:
            raise ArgumentError("k", self.k, f"from 1 to {most:,}{when}")
        if not 0 <= self.min_percentile <= 100:  # noqa: PLR2004 - per cent
            raise ArgumentError("min_percentile", self.min_percentile, "from 0 to 100")
        if self.diverse is not None and not 0 <= self.diverse <= 1:
            raise ArgumentError("diverse", self.diverse, "from 0 to 1")

    def _check_types(self) -> None:
        if not isinstance(self.k, int) or isinstance(self.k, bool):
            raise ArgumentError("k", self.k, "a whole number")
        if not isinstance(self.weights, Mapping):
            raise ArgumentError("weights", self.weights, "numbers by signal, like {'lexical': 0.5}")
        for name in ("diverse", "min_percentile"):
            given = getattr(self, name)
            optional = name == "diverse" and given is None
            if isinstance(given, bool) or not (optional or isinstance(given, int | float)):
                raise ArgumentError(name, given, "a number")
        for name in ("competing", "hide_same_sponsor", "fold", "explain", "facts", "literal"):
            if not isinstance(getattr(self, name), bool):
                raise ArgumentError(name, getattr(self, name), "True or False")
        if not (self.group_by is None or self.group_by == "sponsor"):
            raise ArgumentError("group_by", self.group_by, "'sponsor'")
        if self.ranking not in get_args(Ranking):
            raise ArgumentError("ranking", self.ranking, "'learned' or 'linear'")

    @property
    def is_varied(self) -> bool:
        """Whether the answer is more than the plain ranking."""
        return self.fold or self.diverse is not None or self.group_by is not None


class Query(msgspec.Struct, frozen=True):
    """What a question turned out to be about."""

    studies: tuple[Study, ...] = ()
    """The query studies and the draft, as registered."""
    texts: tuple[str, ...] = ()
    unlike: tuple[Study, ...] = ()
    n_drafts: int = 0
    """How many of the studies, the last ones, are drafts, given as records."""

    @property
    def kind(self) -> str:
        """`study`, `draft` or `text`; `several` for more than one of them."""
        if len(self.studies) + len(self.texts) + len(self.unlike) != 1:
            return "several"
        if self.texts:
            return "text"
        return "draft" if self.n_drafts else "study"

    @property
    def text(self) -> str:
        """The texts in one line."""
        return "; ".join(self.texts)

    @property
    def sponsors(self) -> tuple[str, ...]:
        """The lead sponsors of the query studies, each once."""
        return tuple(dict.fromkeys(study.sponsor for study in self.studies if study.sponsor))
