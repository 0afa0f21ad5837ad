"""What the learned ranking compares of a query study and another one: named numbers of a pair.

A feature is of the two studies and of the index, never of the other candidates, so a pair has
the same value whatever is filtered, and scoring every study is well defined. A number that one
of the two records does not give is NaN.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import FIELDS
from simsearch.index.opened import OpenedIndex
from simsearch.index.profiles import TERM_FIELDS, Profile
from simsearch.search.query_parts import QueryPart
from simsearch.vectors import cosines, greatest, unit_rows

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEATURES = (
    "text", "text above the mean",
    "conditions", "conditions above the mean",
    "interventions", "interventions above the mean",
    "tenth by text", "words", "tenth by words",
    *(f"words of {field}" for field in TERM_FIELDS),
    *(f"words of {field} found" for field in TERM_FIELDS),
    *(f"its words of {field} found" for field in TERM_FIELDS),
    "same study type", "phases apart", "only one has a phase", "same sponsor",
    "kinds of intervention", "a drug is asked about", "an observation is asked about",
    "a phase is asked about",
)  # fmt: skip
"""The features, in the order of columns."""

_TENTH = 10
_BY_TEXT = 24  # rows fetched to learn the tenth greatest cosine, its own among them
_N_FIELDS = len(TERM_FIELDS)


class Asked(msgspec.Struct, frozen=True):
    """One query study, as features need it."""

    part: QueryPart
    profile: Profile
    tenth_text: float | None
    """The tenth greatest cosine of its text with others of the index; None where the rows that
    features are asked for hold the nearest."""
    tenth_words: float
    """The tenth greatest cosine of its terms."""


def asked(index: OpenedIndex, part: QueryPart, words: Floats, *, look: bool = True) -> Asked:
    """Return a query study with the scales of its signals.

    Args:
        index: where to look.
        part: the study, which has a profile.
        words: (n_studies,) the lexical signal.
        look: search for the nearest by text.
    """
    profile = part.profile
    if profile is None:
        raise ValueError("a text has no profile")
    tenth_text = None
    if look:
        near, _ = index.text.nearest(part.vectors["text"], min(_BY_TEXT, index.n_studies))
        values = cosines(part.vectors["text"].astype(np.float64), index.rows("text", near))
        tenth_text = _tenth(part, near, values)
    best = greatest(words, min(_TENTH + len(part.rows), len(words)))
    return Asked(part, profile, tenth_text, _tenth(part, best, words[best]))


def _tenth(part: QueryPart, rows: Ints, values: Floats) -> float:
    """Return the tenth greatest value of other studies, or the least where there are fewer."""
    others = values[~np.isin(rows, part.rows)]
    if not len(others):
        return 0.0
    place = min(_TENTH, len(others))
    return float(np.partition(others, -place)[-place])


def features(index: OpenedIndex, query: Asked, rows: Ints, words: Floats) -> Floats:
    """Return (n, n_features) the features of a query study with each of n studies.

    Args:
        index: where they are.
        query: the query study.
        rows: (n,) rows of the others.
        words: (n,) their lexical signals.
    """
    columns = _of_vectors(index, query, rows)
    columns += [words, query.tenth_words, *_of_terms(index, query, rows)]
    theirs = index.profiles.traits(rows)
    columns += of_traits(query.profile.traits, theirs)
    table = np.empty((len(rows), len(FEATURES)))
    for place, column in enumerate(columns):
        table[:, place] = column
    return table


def _of_vectors(index: OpenedIndex, query: Asked, rows: Ints) -> list[Any]:
    """Return what the vectors give: each field, and the scale of the text."""
    columns: list[Any] = []
    for place, field in enumerate(FIELDS):
        mine = query.part.vectors[field].astype(np.float64)
        stored = index.rows(field, rows)
        found = cosines(mine, stored)
        if field != "text":
            found[~(stored.view(np.uint16).any(axis=1) & mine.any())] = np.nan
        columns += [found, found - mine @ index.profiles.means[place]]
    tenth = query.tenth_text
    columns.append(_tenth(query.part, rows, columns[0]) if tenth is None else tenth)
    return columns


def _of_terms(index: OpenedIndex, query: Asked, rows: Ints) -> list[Floats]:
    """Return what the terms of fields give: cosines, then what is found in the other's record."""
    n, profile = len(rows), query.profile
    terms, lengths = index.profiles.terms(rows)
    place, unit, share, known = _table(index, profile, query.part.terms.terms)
    idf = index.lexical.idf[terms].astype(np.float64)
    squares = idf * idf
    at = np.repeat(np.arange(n * _N_FIELDS), lengths)
    whole = np.bincount(at, squares, n * _N_FIELDS)
    found = place[terms]
    products = np.bincount(at, unit[found, at % _N_FIELDS] * idf, n * _N_FIELDS)
    theirs = np.bincount(at, known[found] * squares, n * _N_FIELDS)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0: the field is empty
        cosine = (products / np.sqrt(whole)).reshape(n, _N_FIELDS)
        its = (theirs / whole).reshape(n, _N_FIELDS)
    all_terms, n_each = index.lexical.terms_of_rows(rows)
    found = place[all_terms]
    is_mine = np.flatnonzero(found)
    of = np.repeat(np.arange(n), n_each)[is_mine]
    mine = np.stack(
        [np.bincount(of, column[found[is_mine]], n) for column in share.T], axis=1, dtype=np.float64
    )
    empty = [not len(each) for each in profile.terms]
    cosine[:, empty] = mine[:, empty] = np.nan
    return [*cosine.T, *mine.T, *its.T]


def _table(
    index: OpenedIndex, profile: Profile, words: Ints
) -> tuple[npt.NDArray[np.int16], Floats, Floats, Floats]:
    """Return the query's terms as tables.

    Returns:
        (n_terms,) the place of each term of the vocabulary in the tables, 0 for others';
        (m, 3) its weight in the unit row of each field; (m, 3) its share in the squared length;
        (m,) whether the record has it among its terms, 1 or 0.
    """
    terms = np.unique(np.concatenate([*profile.terms, words]))
    place = np.zeros(len(index.lexical.terms), dtype=np.int16)
    place[terms] = np.arange(1, len(terms) + 1)
    unit = np.zeros((len(terms) + 1, _N_FIELDS))
    for column, each in enumerate(profile.terms):
        weights = index.lexical.idf[each].astype(np.float64)
        unit[place[each], column] = unit_rows(weights[np.newaxis])[0]
    known = np.zeros(len(terms) + 1)
    known[place[words]] = 1
    return place, unit, unit * unit, known


def of_traits(mine: Ints, theirs: Ints) -> list[Any]:
    """Return what the designs give: (4,) traits of one query study or (n, 4), and (n, 4)."""
    of_type, phase, kinds, sponsor = mine.T
    its_type, its_phase, its_kinds, its_sponsor = theirs.T
    both = (its_type > 0) & (of_type > 0)
    phased = (its_phase > 0) & (phase > 0)
    both_kinds = np.bitwise_count(its_kinds & kinds).astype(np.float64)
    union = np.maximum(np.bitwise_count(its_kinds | kinds).astype(np.float64), 1)
    some = (its_kinds > 0) & (kinds > 0)
    return [
        np.where(both, its_type == of_type, np.nan),
        np.where(phased, np.abs(its_phase - phase) / 2, np.nan),
        (its_phase > 0) != (phase > 0),
        (its_sponsor == sponsor) & (sponsor > 0),
        np.where(some, both_kinds / union, np.nan),
        (kinds & 1) == 1,
        of_type == 2,  # noqa: PLR2004 - of STUDY_TYPES
        phase > 0,
    ]
