"""Several indexes on the same judged sets: which model, or which way to build, ranks better.

One system ranks with each index. What is compared are queries whose judged studies are the same in
every index, so that the differences are paired; a table of an evaluation has indexes in place of
systems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from simsearch.callbacks import Progress, no_progress
from simsearch.errors import ArgumentError, JudgedSetError
from simsearch.evaluation.agreement import Agreement
from simsearch.evaluation.comparison import Comparison, Report
from simsearch.evaluation.judged import Groups, Qrels
from simsearch.evaluation.rankers import OURS, our_systems
from simsearch.evaluation.scoring import Evaluation
from simsearch.evaluation.selection import Case
from simsearch.index.opened import opened_index
from simsearch.vectors import DEFAULT_WEIGHTS

DIFFERS = "judged studies differ between the indexes"

_Weights = Mapping[str, float]


class _Ranked(msgspec.Struct, frozen=True):
    """What one index gave."""

    report: Report
    keys: Sequence[Sequence[object]]
    """For each judged set and case what must be the same in every index."""


def side_by_side(
    paths: Sequence[Path | None],
    groups: Sequence[Groups] = (),
    qrels: Sequence[Qrels] = (),
    *,
    system: str = OURS,
    weights: _Weights = DEFAULT_WEIGHTS,
    agreed: Sequence[Agreement] = (),
    progress: Progress = no_progress,
) -> Report:
    """Evaluate one system with several indexes.

    Args:
        paths: the folders of the indexes; the others are compared with the first, which may be
            None for the index that a query would take.
        groups: judged sets of groups.
        qrels: judged sets of qrels.
        system: ours, or a signal of it alone.
        weights: signal name → weight in our own ranking.
        agreed: how far readers agree, for the report.
        progress: called during the work.

    Returns:
        A report whose systems are the indexes, each named by the end of its path.

    Raises:
        ArgumentError: no system of ours has this name, or an index is given twice.
        JudgedSetError: not one query can be used with every index.
        IndexReadError: an index cannot be read.
    """
    known = [OURS, *our_systems(weights)]
    if system not in known:
        raise ArgumentError("system", system, f"one of {', '.join(known)}, to compare indexes")
    names = _short_names([_path_of(path) for path in paths])
    ranked = [_ranked(path, groups, qrels, system, weights, agreed, progress) for path in paths]
    evaluations = [
        _joined(names, ranked, place, system) for place in range(len(ranked[0].report.evaluations))
    ]
    if not any(each.selection.cases for each in evaluations):
        last = evaluations[-1].selection.name
        raise JudgedSetError(Path(last), 0, "no query has the same judged studies in every index")
    first = ranked[0].report
    return msgspec.structs.replace(
        first,
        evaluations=[(each, {}) for each in evaluations],
        beside={
            name: each.report.facts for name, each in zip(names, ranked, strict=True)
        },
    )  # fmt: skip


def _path_of(path: Path | None) -> str:
    with opened_index(path) as opened:
        return opened.facts.path


def _ranked(
    path: Path | None,
    groups: Sequence[Groups],
    qrels: Sequence[Qrels],
    system: str,
    weights: _Weights,
    agreed: Sequence[Agreement],
    progress: Progress,
) -> _Ranked:
    with opened_index(path) as opened:
        comparison = Comparison(opened, [system], weights, progress=progress)
        report = comparison.run(groups, qrels, agreed=agreed)
        ids = opened.store.nct_ids()
        keys = [
            [_key(case, ids) for case in evaluation.selection.cases]
            for evaluation, _ in report.evaluations
        ]
    return _Ranked(report, keys)


def _key(case: Case, ids: Sequence[str]) -> object:
    """Return what makes a case the same in two indexes."""
    return case.unit, case.query, frozenset((ids[row], n) for row, n in case.grades.items())


def _joined(names: Sequence[str], ranked: Sequence[_Ranked], place: int, system: str) -> Evaluation:
    """Return one evaluation of a judged set, with the indexes as its systems."""
    found = [each.report.evaluations[place][0] for each in ranked]
    place_of = [{key: number for number, key in enumerate(each.keys[place])} for each in ranked]
    common = [key for key in place_of[0] if all(key in known for known in place_of)]
    chosen = [np.array([known[key] for key in common], dtype=np.int64) for known in place_of]
    first, rows = found[0], chosen[0]
    selection = first.selection
    left_out = dict(selection.left_out)
    if len(common) < len(selection.cases):
        left_out[DIFFERS] = len(selection.cases) - len(common)
    of_index = list(zip(names, found, chosen, strict=True))
    return Evaluation(
        msgspec.structs.replace(
            selection,
            protocol=f"{selection.protocol}, by {system} of each index",
            cases=tuple(selection.cases[row] for row in rows.tolist()),
            left_out=left_out,
        ),
        {name: each.values[system][places] for name, each, places in of_index},
        (),
        first.ceiling[rows],
        first.chance[rows],
        {
            name: each.unjudged[system][places]
            for name, each, places in of_index if system in each.unjudged
        },
    )  # fmt: skip


def _short_names(paths: Sequence[str]) -> list[str]:
    """Return the shortest ends of paths that differ."""
    parts = [Path(path).absolute().parts for path in paths]
    for n, each in enumerate(parts):
        if each in parts[:n]:
            raise ArgumentError("against", paths[n], "another index than the others")
    n = 1
    while len({each[-n:] for each in parts}) < len(parts):
        n += 1
    return [str(Path(*each[-n:])) for each in parts]
