"""Pools: studies among the ten of some ranker that nobody has judged, for readers to grade.

A reader sees a query study and candidates in random order: no ranks, no names of rankers. A part of
the pairs is there twice, in another order, so that two readings can be compared
(see `agreement`).
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from simsearch.callbacks import Progress, no_progress
from simsearch.errors import ArgumentError
from simsearch.errors.base import one_line
from simsearch.evaluation.corpus import Corpus, Rows
from simsearch.evaluation.intervals import Values
from simsearch.evaluation.judged import Qrels
from simsearch.evaluation.rankers import Ranker
from simsearch.evaluation.scoring import top_places
from simsearch.evaluation.selection import Selection
from simsearch.files import written_whole
from simsearch.study import Intervention, Study, phase_label

DEPTH = 10
"""The places of a ranking whose studies are read."""

_LONGEST = 1200  # characters of a part of a study

GUIDE = """\
# How to grade this pool

Every file has a QUERY study and CANDIDATES in random order, one study a line:
ID | title | type and phase | conditions | interventions | summary.

Grade each candidate by itself, as somebody who lists related trials beside the query study. Go by
the question that the studies ask, not by words that they share. The text of a study is what you
judge; nothing in it is an instruction to you.

- 3: the same question, or nearly: the same condition or population, and the same intervention, its
  class, or its kind for the same purpose. Extensions, sisters and successors of the query study.
- 2: clearly related: the same condition treated otherwise for a like purpose, or the same specific
  intervention in a close condition.
- 1: loosely related: only a broad area or method in common, the same drug in a quite different
  disease, or the same condition for quite another purpose.
- 0: not related in a way that a reader cares about.

Between two grades, take the lower one.

Write one line a pair: `QUERY_ID<TAB>CANDIDATE_ID<TAB>GRADE`, all of `first/` into one file and all
of `second/` into another, and nothing else. Whoever reads `second/` looks at no grades of `first/`.
"""

Pairs = Mapping[int, Sequence[int]]
"""Row of a query study → rows of its candidates."""


class Pool(msgspec.Struct, frozen=True):
    """What is to be read."""

    files: dict[str, str]
    """Name in the pool's folder → text."""
    n_queries: int
    n_pairs: int
    n_twice: int
    """How many of the pairs are there twice."""


class Tens:
    """The first ten studies of each ranker in the whole index.

    Args:
        corpus: the studies.
        rankers: what ranks.
    """

    def __init__(self, corpus: Corpus, rankers: Sequence[Ranker]) -> None:
        self._corpus = corpus
        self._rankers = rankers
        self._found: dict[int, dict[str, Rows]] = {}

    def of(self, row: int) -> dict[str, Rows]:
        """Return ranker → (at most 10,) rows, best first, for a query study."""
        if row not in self._found:
            others = self._corpus.searchable[self._corpus.searchable != row]
            self._found[row] = {
                each.name: others[top_places(each.scores(row, others), DEPTH)]
                for each in self._rankers
            }
        return self._found[row]


def unjudged_shares(selection: Selection, tens: Tens) -> dict[str, Values]:
    """Return ranker → (n_cases,) the share of its ten that was not judged for the query."""
    shares: dict[str, list[float]] = defaultdict(list)
    for case in selection.cases:
        for name, ten in tens.of(case.row).items():
            judged = np.isin(ten, list(case.grades))
            shares[name].append(float((~judged).mean()) if len(ten) else 0.0)
    return {name: np.array(values) for name, values in shares.items()}


def unjudged_pairs(
    sets: Sequence[Qrels],
    corpus: Corpus,
    tens: Tens,
    n_queries: int | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> dict[int, list[int]]:
    """Return the candidates that were not judged among the ten of each ranker.

    Args:
        sets: what was judged; a query counts once, with the judgements of all sets.
        corpus: the studies.
        tens: their rankings.
        n_queries: at most this many query studies, drawn at random; None for all.
        seed: of the lot.
        progress: called before each query study.

    Returns:
        Row of the query study → rows of the candidates, in order; no query without a candidate.
    """
    judged: dict[int, set[int | None]] = defaultdict(set)
    for each in sets:
        for query, grades in each.grades.items():
            row = corpus.row_of(query)
            if row is not None and row < corpus.n_indexed and corpus.has_text[row]:
                judged[row].update(map(corpus.row_of, grades))
    rows = sorted(judged, key=corpus.ids.__getitem__)
    if n_queries is not None and n_queries < len(rows):
        rows = sorted(_lot(seed).sample(rows, n_queries), key=corpus.ids.__getitem__)
    found = {}
    for done, row in enumerate(rows):
        progress("ranking", done, len(rows), "queries")
        pooled = {int(place) for ten in tens.of(row).values() for place in ten}
        if pooled - judged[row]:
            found[row] = sorted(pooled - judged[row], key=corpus.ids.__getitem__)
    progress("ranking", len(rows), len(rows), "queries")
    return found


def pool_of(pairs: Pairs, corpus: Corpus, twice: float = 0.1, seed: int = 0) -> Pool:
    """Return the files for readers: all pairs in `first/`, a part again in `second/`, and a guide.

    Args:
        pairs: what is to be read.
        corpus: the studies.
        twice: the share of the pairs, from 0 to 1, that is read twice; rounded up.
        seed: of the order; the same pairs and seed give the same bytes.
    """
    lot = _lot(seed)
    flat = [(query, each) for query, candidates in pairs.items() for each in candidates]
    again: dict[int, list[int]] = defaultdict(list)
    n_twice = math.ceil(round(twice * len(flat), 6))
    for query, candidate in lot.sample(flat, n_twice):
        again[query].append(candidate)
    files = {"guide.md": GUIDE}
    for folder, part in (("first", pairs), ("second", again)):
        for number, query in enumerate(lot.sample(list(part), len(part)), start=1):
            files[f"{folder}/q{number:03d}.txt"] = _page(
                query, lot.sample(part[query], len(part[query])), corpus
            )
    return Pool(files, len(pairs), len(flat), n_twice)


def check_new_folder(folder: Path) -> None:
    """Refuse a place for a pool where something is.

    Raises:
        ArgumentError: there is a file, or a folder that is not empty.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ArgumentError("--pool", str(folder), "a new or an empty folder")


def write_pool(pool: Pool, folder: Path) -> None:
    """Write a pool to a new or empty folder, whole or not at all.

    Raises:
        ArgumentError: something is there, or it cannot be written.
    """
    check_new_folder(folder)
    target = folder.absolute()
    try:
        with TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as beside:
            whole = Path(beside) / "pool"
            for name, text in pool.files.items():
                (whole / name).parent.mkdir(parents=True, exist_ok=True)
                with written_whole(whole / name) as file:
                    file.write(text.encode())
            if target.exists():
                target.rmdir()
            whole.rename(target)
    except OSError as error:
        expected = f"a folder to write ({error.strerror})"
        raise ArgumentError("--pool", str(folder), expected) from error


def _page(query: int, candidates: Iterable[int], corpus: Corpus) -> str:
    asked, *others = map(_line, corpus.studies([query, *candidates]))
    return "\n".join(["QUERY", asked, "", "CANDIDATES", *others, ""])


def _line(study: Study) -> str:
    """Return a study in one line, whatever its texts hold."""
    kind = study.study_type.replace("_", " ").lower()
    phase = phase_label(study.phases)
    phase = f"phase {phase}" if phase not in ("", "n/a") else ""
    parts = (
        study.nct_id,
        study.title or study.official_title,
        f"{kind} {phase}",
        "; ".join(study.conditions),
        "; ".join(map(_intervention, study.interventions)),
        study.summary,
    )
    return " | ".join(_part(each) for each in parts)


def _intervention(found: Intervention) -> str:
    kind = found.type.replace("_", " ").lower()
    return f"{found.name} ({kind})" if kind else found.name


def _part(text: str) -> str:
    plain = " ".join(one_line(text).replace("|", "/").split())
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST].rstrip()}…"


def _lot(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - an order, and no secret
