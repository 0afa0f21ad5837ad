"""What readers of a pool give back: it joins a judged set, and two readings are compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from simsearch.errors import JudgedSetError
from simsearch.evaluation.judged import Qrels
from simsearch.evaluation.measures import CLEARLY_RELATED

GRADES = (0, 1, 2, 3)
"""The grades of a pool."""


class Agreement(msgspec.Struct, frozen=True):
    """How far two readings agree on the pairs that both have."""

    one: str
    other: str
    n_pairs: int
    equal: float
    """Share of the pairs with the same grade."""
    equal_clear: float
    """Share of the pairs that both put at grade 2 or more, or both below."""
    kappa: float | None
    """Cohen's kappa with quadratic weights; None if both give all pairs one and the same grade."""


def agreements(sets: Sequence[Qrels], readings: Sequence[Qrels]) -> list[Agreement]:
    """Compare each reading with each judged set and each other reading.

    Args:
        sets: the judged sets, as they were before readings were added.
        readings: what readers gave back.

    Returns:
        One for each two that have a pair in common.

    Raises:
        JudgedSetError: a reading has a grade that a pool does not have.
    """
    for each in readings:
        _check_grades(each)
    found = []
    for place, other in enumerate(readings):
        for one in (*sets, *readings[:place]):
            grades = [
                (one.grades[query][study], grade)
                for query, judged in other.grades.items()
                for study, grade in judged.items()
                if study in one.grades.get(query, ())
            ]
            if grades and all(grade in GRADES for grade, _ in grades):
                found.append(_agreement(one.name, other.name, grades))
    return found


def enlarged(sets: Sequence[Qrels], readings: Sequence[Qrels]) -> list[Qrels]:
    """Add readings to the sets that ask for the same studies.

    A pair keeps the grade of the set; else the first reading that has it counts.

    Args:
        sets: the judged sets, of graded pools.
        readings: what readers gave back.

    Raises:
        JudgedSetError: a grade is not one of a pool, or no set has a query of a reading.
    """
    for reading in readings:
        _check_grades(reading)
        for query in reading.grades:
            if not any(query in each.grades for each in sets):
                raise JudgedSetError(
                    Path(reading.name), 0, f"judges {query}, which is a query of no --qrels"
                )
    return [_with(each, readings) for each in sets]


def _with(judged: Qrels, readings: Sequence[Qrels]) -> Qrels:
    grades = {query: dict(each) for query, each in judged.grades.items()}
    for reading in readings:
        for query in reading.grades.keys() & grades.keys():
            grades[query] = {**reading.grades[query], **grades[query]}
    n_added = _n_pairs(grades.values()) - _n_pairs(judged.grades.values())
    if not n_added:
        return judged
    _check_grades(judged)
    return Qrels(f"{judged.name} and {n_added:,} more judgements", grades)


def _n_pairs(judged: Iterable[dict[str, int]]) -> int:
    return sum(map(len, judged))


def _check_grades(judged: Qrels) -> None:
    for query, each in judged.grades.items():
        for study, grade in each.items():
            if grade not in GRADES:
                raise JudgedSetError(
                    Path(judged.name), 0,
                    f"gives {study} grade {grade} for {query}: readers of a pool grade 0 to 3",
                )  # fmt: skip


def _agreement(one: str, other: str, pairs: Sequence[tuple[int, int]]) -> Agreement:
    first, second = np.array(pairs).T
    clear = (first >= CLEARLY_RELATED) == (second >= CLEARLY_RELATED)
    return Agreement(
        one, other, len(pairs), float((first == second).mean()), float(clear.mean()),
        _kappa(first, second),
    )  # fmt: skip


def _kappa(first: np.ndarray, second: np.ndarray) -> float | None:
    if len(set(first.tolist()) | set(second.tolist())) == 1:
        return None
    from sklearn.metrics import cohen_kappa_score

    # All grades, or the distance of 0 and 3 would shrink where nobody gave 1 or 2.
    kappa = float(cohen_kappa_score(first, second, labels=list(GRADES), weights="quadratic"))
    return kappa if math.isfinite(kappa) else None
