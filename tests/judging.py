"""Studies, judged sets and a ranker with known scores, for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from simsearch import read_studies
from simsearch.study import Study

APLASIA = ("NCT00000101", "NCT00000102", "NCT00000103")
KNEE = ("NCT00000105", "NCT00000106")
ABSENT = "NCT00000999"


class TableRanker:
    """Ranks by a table: row → its scores with all rows."""

    is_baseline = False

    def __init__(self, scores: dict[int, list[float]], name: str = "table") -> None:
        self._scores = scores
        self.name = name

    def prepare(self, rows: np.ndarray) -> None:
        pass

    def scores(self, row: int, rows: np.ndarray) -> np.ndarray:
        return np.array(self._scores[row], dtype=float)[rows]


def studies(
    write: Callable[..., Path], records: Iterable[dict], name: str = "extra.jsonl"
) -> list[Study]:
    """Return the studies of records."""
    return [each for each in read_studies(write(records, name)) if isinstance(each, Study)]
