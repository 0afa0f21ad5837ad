"""The index as a Python user sees it: open it, ask it, close it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from simsearch.errors import NctIdError
from simsearch.index.directory import IndexFacts
from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.search.answer import Answer, ask
from simsearch.search.filters import Filters, as_names
from simsearch.search.question import DEFAULT_K, GroupBy, Question
from simsearch.search.second_stage import Ranking
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS

if TYPE_CHECKING:  # loaded when they are asked for
    from simsearch.search.compare import Comparison
    from simsearch.search.show import Shown


class Index:
    """An index, open for questions. Open one with `open_index`.

    `len(index)` is its number of studies; `"NCT03540472" in index` says whether it holds one, by
    any spelling of its number or an obsolete one. It stays with its generation when a new one
    is published: open again for that. Threads may share it. `with open_index() as index: ...`
    closes it.
    """

    def __init__(self, opened: OpenedIndex) -> None:
        self._opened = opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._opened.n_studies

    def __contains__(self, nct_id: object) -> bool:
        try:
            return isinstance(nct_id, str) and self._opened.holds(nct_id)
        except NctIdError:
            return False

    def __repr__(self) -> str:
        return repr(self._opened)

    def __reduce__(self) -> NoReturn:
        self._opened.__reduce__()

    def close(self) -> None:
        """Close the files; whatever is asked afterwards raises `IndexClosedError`."""
        self._opened.close()

    @property
    def facts(self) -> IndexFacts:
        """What dates and identifies the index: generation, date of the records, recipe."""
        return self._opened.facts

    def study(self, nct_id: str) -> Study:
        """Return a study by any spelling of its NCT ID, or by an obsolete number of it.

        Raises:
            NctIdError, UnknownStudyError: no such ID, or not in this index.
        """
        return self._opened.study(nct_id)

    def related(
        self,
        studies: str | Sequence[str] = (),
        *,
        text: str | Sequence[str] = (),
        draft: Study | Sequence[Study] = (),
        unlike: str | Sequence[str] = (),
        k: int = 10,
        weights: Mapping[str, float] = DEFAULT_WEIGHTS,
        competing: bool = False,
        ranking: Ranking = "learned",
        hide_same_sponsor: bool = False,
        fold: bool = False,
        diverse: float | None = None,
        group_by: GroupBy | None = None,
        min_percentile: float = 0,
        explain: bool = True,
        facts: bool = False,
        literal: bool = False,
        **filters: Any,
    ) -> Answer:
        """Return the studies most like one, several, a text or a draft, nearest first.

        Args:
            studies: NCT IDs in any spelling, or addresses of studies' pages; neighbours are near
                to the mean of all that is asked about.
            text: words, in English, or several texts.
            draft: a study that need not be in the index (`read_draft` reads one), or several.
            unlike: NCT IDs of studies to keep away from.
            k: how many neighbours, 1 to 10,000 (200 with `fold`, `diverse` or `group_by`).
            weights: signal name → weight; a signal that is not named counts nothing.
            competing: only trials that compete for the same participants: recruiting or about to,
                with a condition in common, and in a country of the query studies, or at the
                place that `near`, `country`, `state`, `city` or `facility` name.
            ranking: `learned` puts candidates in the order of the learned ranking where it can
                answer (studies and drafts, without weights of your own); `linear` never does.
            hide_same_sponsor: leave out the studies of the query studies' lead sponsors.
            fold: put near-duplicates under the best of them.
            diverse: diversify: 1 = ranking only, 0 = diversity only.
            group_by: `"sponsor"` puts the studies of one sponsor under the best of them.
            min_percentile: leave out neighbours below this percentile.
            explain: say for each neighbour why it is one; False saves the time.
            facts: give each study its facts (sites, other numbers, …).
            literal: take the text as it is: no corrections, other names, filters or studies in it.
            **filters: what a neighbour must be, as `Filters` takes it: `status="recruiting"`,
                `phase=["2", "3"]`, `country`, `city`, `state`,
                `facility`, `near`, `radius_km`, `sponsor`, `study_type`, `intervention_type`,
                `other_sponsor`, `start_after`, `start_before`, `min_enrollment`, `has_results`,
                `same_intervention`, `same_condition`, `or_unknown`,
                `exclude` (NCT IDs of studies to leave out).

        Raises:
            ArgumentError: a value is out of its range or of another type.
            FilterError: a filter has a value that no study can have.
            NctIdError, UnknownStudyError: no such ID, or not in this index.
            NothingToCompareError: nothing is asked about, or it holds no word to compare.
            EncoderError: the model that built the index cannot be loaded (text and draft).
            IndexClosedError, IndexCorruptError: the index is closed, or a file is damaged.
            TypeError: there is no filter of that name.
        """
        question = Question(
            studies=studies,  # type: ignore[arg-type] # a plain string or a list will do
            texts=text,  # type: ignore[arg-type]
            drafts=draft,  # type: ignore[arg-type]
            unlike=unlike,  # type: ignore[arg-type]
            filters=Filters(**filters),
            competing=competing,
            hide_same_sponsor=hide_same_sponsor,
            weights=weights,
            ranking=ranking,
            k=k,
            fold=fold,
            diverse=diverse,
            group_by=group_by,
            min_percentile=min_percentile,
            explain=explain,
            facts=facts,
            literal=literal,
        )
        return ask(self._opened, question)

    def show(self, nct_id: str, *, k: int = 10) -> Shown:
        """Return a study in full, and the studies most like it.

        Args:
            nct_id: any spelling of its NCT ID, or an obsolete number of it.
            k: how many related studies; 0 for none.

        Raises:
            NctIdError, UnknownStudyError: no such ID, or not in this index.
            ArgumentError: k is out of its range.
        """
        from simsearch.search.show import show

        return show(self._opened, nct_id, k)

    def compare(
        self,
        studies: str | Sequence[str] = (),
        *,
        text: str | Sequence[str] = (),
        draft: Study | Sequence[Study] = (),
        with_: str | Sequence[str] = (),
        k: int | None = None,
        groups: bool = True,
        weights: Mapping[str, float] = DEFAULT_WEIGHTS,
        competing: bool = False,
        hide_same_sponsor: bool = False,
        min_percentile: float = 0,
        **filters: Any,
    ) -> Comparison:
        """Return the designs of a study and of those most like it, and their benchmark.

        Several NCT IDs and nothing else are compared with each other.

        Args:
            studies: NCT IDs in any spelling, or addresses of studies' pages.
            text: words, in English, or several texts.
            draft: a study that need not be in the index (`read_draft` reads one), or several.
            with_: NCT IDs of the studies to compare with, in place of the nearest.
            k: how many of the nearest; 20 if not given, and none if several studies are named.
            groups: whether to group outcomes and criteria by meaning, which loads the packaged
                model.
            weights: signal name → weight; a signal that is not named counts nothing.
            competing: only trials that compete for the same participants, as in `related`.
            hide_same_sponsor: leave out the studies of the query studies' lead sponsors.
            min_percentile: leave out neighbours below this percentile.
            **filters: what a neighbour must be, as in `related`.

        Raises:
            ArgumentError: a value is out of its range or of another type, or filters beside
                `with_`.
            SimsearchError: what `related` raises.
        """
        from simsearch.search.compare import compare

        question = Question(
            studies=studies,  # type: ignore[arg-type] # a plain string or a list will do
            texts=text,  # type: ignore[arg-type]
            drafts=draft,  # type: ignore[arg-type]
            filters=Filters(**filters),
            competing=competing,
            hide_same_sponsor=hide_same_sponsor,
            weights=weights,
            k=DEFAULT_K if k is None else k,
            min_percentile=min_percentile,
        )
        others = as_names("with_", with_, "an NCT ID, or a list of them")
        return compare(self._opened, question, others=others, alone=k is None, groups=groups)


def open_index(path: Path | str | None = None) -> Index:
    """Open an index.

    Args:
        path: its folder; None takes `index` in the current folder where that holds one,
            else the one in the user's data folder, else the demo index.

    Raises:
        IndexNotFoundError: the folder holds no index.
        IndexCorruptError: a file of it is missing, damaged or foreign.
        RecipeError: another version of simsearch built it.
    """
    return Index(opened_index(path))
