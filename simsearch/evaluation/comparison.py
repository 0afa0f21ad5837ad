"""A whole evaluation: judged sets, systems and an index → a report.

Every judged set is ranked by the same systems on the same texts. Judged studies that the index
lacks take part in qrels only: for groups, the studies of the index are ranked and no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.encode.encoders import Encoder
from simsearch.errors import ArgumentError, JudgedSetError
from simsearch.evaluation.agreement import Agreement
from simsearch.evaluation.baselines import BASELINES, ENCODER_TEXTS, baseline
from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.judged import Groups, Qrels
from simsearch.evaluation.label_free import Neighbourhoods, neighbourhoods
from simsearch.evaluation.measures import GRADED_MEASURES
from simsearch.evaluation.pool import Pool, Tens, pool_of, unjudged_pairs, unjudged_shares
from simsearch.evaluation.rankers import (
    OURS,
    LearnedRanker,
    OurRanker,
    Ranker,
    Similarities,
    is_learned,
    our_systems,
)
from simsearch.evaluation.scoring import Evaluation, evaluate
from simsearch.evaluation.selection import Selection, select_groups, select_qrels
from simsearch.evaluation.slices import slices
from simsearch.evaluation.trec import trec_run
from simsearch.index.directory import IndexFacts
from simsearch.index.opened import OpenedIndex
from simsearch.records import read_studies
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS


class Report(msgspec.Struct, frozen=True):
    """The result of a whole evaluation. It does not need the index any more."""

    facts: IndexFacts
    """Which index was evaluated."""
    weights: Mapping[str, float]
    """Signal name → weight in our own ranking."""
    evaluations: Sequence[tuple[Evaluation, Mapping[str, npt.NDArray[np.bool_]]]]
    """Each with its slices: name → (n_cases,) which cases belong to it."""
    neighbourhoods: Neighbourhoods | None = None
    """The figures without judgements, if studies were sampled."""
    agreements: Sequence[Agreement] = ()
    """How far readers agree on what they read twice."""
    beside: Mapping[str, IndexFacts] = {}
    """Name → facts of each index, where several are compared; the systems are the indexes then."""


class Comparison:
    """The systems to compare on an index.

    Args:
        index: the index.
        systems: their names; the others are compared with the first.
        weights: signal name → weight in our own ranking.
        encoder: the one that built the index; needed for studies that the index lacks.
        plain: the encoder of the baselines; needed if `needs_encoder(systems)`.
        progress: called during the work.

    Raises:
        ArgumentError: no system has one of these names.
    """

    def __init__(
        self,
        index: OpenedIndex,
        systems: Sequence[str],
        weights: Mapping[str, float] = DEFAULT_WEIGHTS,
        encoder: Encoder | None = None,
        plain: Encoder | None = None,
        progress: Progress = no_progress,
    ) -> None:
        self._index = index
        self._plain = plain
        self._weights = weights
        self._systems = tuple(dict.fromkeys(map(self._known, systems)))
        self._encoder = encoder
        self._progress = progress

    def run(
        self,
        groups: Sequence[Groups] = (),
        qrels: Sequence[Qrels] = (),
        extra: Sequence[Study] = (),
        n_sampled: int = 0,
        agreed: Sequence[Agreement] = (),
    ) -> Report:
        """Evaluate the systems on every judged set.

        Args:
            groups: judged sets of groups.
            qrels: judged sets of qrels.
            extra: judged studies that the index lacks, for the qrels.
            n_sampled: the number of studies to sample for the figures without judgements.
            agreed: how far readers agree, for the report.

        Raises:
            ArgumentError: no study can be sampled with these weights.
            JudgedSetError: there are judged sets, but not one query of them can be used.
        """
        corpus = Corpus(self._index)
        joined = Corpus(self._index, extra) if extra else corpus
        whole = [select_groups(each, corpus) for each in groups]
        judged = [
            select_qrels(each, joined, complete=complete)
            for each in qrels
            for complete in (True, False)
        ]
        _check_usable([*whole, *judged])
        found = self._evaluations(corpus, whole) + self._evaluations(joined, judged)
        sampled = None
        if n_sampled and len(corpus.searchable) > 1:
            sampled = neighbourhoods(
                corpus, Similarities(corpus), self._weights, n_sampled, progress=self._progress
            )
        parts = [(each, slices(joined, each.selection.cases)) for each in found]
        return Report(self._index.facts, self._weights, parts, sampled, agreed)

    def pool(self, sets: Sequence[Qrels], n_queries: int | None, twice: float, seed: int) -> Pool:
        """Return what is not judged among the first ten of the systems, for readers.

        Args:
            sets: what was judged.
            n_queries: at most this many query studies, drawn at random; None for all.
            twice: the share of the pairs that is read twice.
            seed: of the lot and the order.

        Raises:
            JudgedSetError: the index has no query of the sets.
        """
        corpus = Corpus(self._index)
        if not any(corpus.row_of(query) is not None for each in sets for query in each.grades):
            raise JudgedSetError(
                Path(sets[0].name), 0,
                "the index has none of its queries: use an index that has the judged studies",
            )  # fmt: skip
        tens = Tens(corpus, self._rankers(corpus, self._systems))
        pairs = unjudged_pairs(sets, corpus, tens, n_queries, seed, self._progress)
        return pool_of(pairs, corpus, twice, seed)

    def trec_run(
        self, judged: Groups | Qrels, system: str, extra: Sequence[Study] = ()
    ) -> Iterator[str]:
        """Return the lines of a TREC run: the rankings of one system for one judged set.

        Args:
            judged: the judged set.
            system: the name of the system.
            extra: judged studies that the index lacks.

        Raises:
            ArgumentError: no system has this name.
            JudgedSetError: no query of the judged set can be used.
        """
        self._known(system)
        corpus = Corpus(self._index, extra)
        if isinstance(judged, Groups):
            selection = select_groups(judged, corpus)
        else:
            selection = select_qrels(judged, corpus, complete=False)
        _check_usable([selection])
        (ranker,) = self._rankers(corpus, [system])
        return trec_run(selection, corpus, ranker, self._progress)

    def _known(self, system: str) -> str:
        known = system_names(self._weights)
        if system not in known:
            raise ArgumentError("system", system, f"one of {', '.join(known)}")
        return system

    def _evaluations(self, corpus: Corpus, selections: Sequence[Selection]) -> list[Evaluation]:
        rankers = self._rankers(corpus, self._systems) if selections else []
        tens = Tens(corpus, [each for each in rankers if each.name not in ENCODER_TEXTS])
        found = []
        for each in selections:
            shares = unjudged_shares(each, tens) if each.measures == GRADED_MEASURES else {}
            evaluation = evaluate(each, corpus, rankers, self._progress)
            found.append(msgspec.structs.replace(evaluation, unjudged=shares))
        return found

    def _rankers(self, corpus: Corpus, names: Sequence[str]) -> list[Ranker]:
        similarities, ours = Similarities(corpus, self._encoder), our_systems(self._weights)

        def ranker(name: str) -> Ranker:
            if name == OURS and is_learned(corpus, self._weights):
                return LearnedRanker(corpus, similarities)
            if name == OURS:
                return OurRanker(name, similarities, self._weights)
            if name in ours:
                return OurRanker(name, similarities, ours[name])
            return baseline(name, corpus, self._plain, self._progress)

        return list(map(ranker, names))


def _check_usable(selections: Sequence[Selection]) -> None:
    if selections and not any(each.cases for each in selections):
        last = selections[-1]
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in last.left_out.items())
        raise JudgedSetError(
            Path(last.name), 0,
            f"no query can be used ({reasons}): evaluate an index that has the judged studies",
        )  # fmt: skip


def system_names(
    weights: Mapping[str, float] = DEFAULT_WEIGHTS, *, baselines: bool = True
) -> list[str]:
    """Return the names of all systems: ours for these weights, then the baselines."""
    return [OURS, *our_systems(weights), *(BASELINES if baselines else ())]


def needs_encoder(systems: Iterable[str]) -> bool:
    """Return whether any of these systems encodes texts."""
    return not ENCODER_TEXTS.keys().isdisjoint(systems)


def judged_records(
    paths: Sequence[Path],
    qrels: Sequence[Qrels],
    index: OpenedIndex,
    progress: Progress = no_progress,
) -> list[Study]:
    """Return the judged studies that the index lacks, from records.

    Args:
        paths: files or folders of records; the first record of a study counts.
        qrels: the judged sets.
        index: the index.
        progress: called while the records are read.

    Raises:
        SourceError: the records cannot be read.
    """
    wanted = {
        nct_id
        for each in qrels
        for query, judged in each.grades.items()
        for nct_id in (query, *judged)
        if index.store.row_of(nct_id) is None
    }
    found: dict[str, Study] = {}
    reader = read_studies(*paths)
    for n, outcome in enumerate(reader):
        if n % 500 == 0:
            progress("reading", reader.bytes_read, reader.bytes_total, "bytes")
        if isinstance(outcome, Study) and wanted & {outcome.nct_id, *outcome.aliases}:
            found.setdefault(outcome.nct_id, outcome)
    progress("reading", reader.bytes_total, reader.bytes_total, "bytes")
    return list(found.values())
