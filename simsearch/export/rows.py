"""The rows of every table of an export, study by study, in PostgreSQL's binary form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np

import simsearch
from simsearch.encode.fields import FIELDS
from simsearch.export import copy_format as copied
from simsearch.export.flat import flat_study
from simsearch.export.lists import RelatedBlock
from simsearch.export.tables import FORMAT, STUDY, TERM_NUMBERS
from simsearch.facts import Facts
from simsearch.index.generation_files import FIT_FILES
from simsearch.index.manifest import Manifest
from simsearch.index.opened import OpenedIndex
from simsearch.related.lists import Ints
from simsearch.search.second_stage import is_served, packaged_net
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS


class Generation(msgspec.Struct, frozen=True):
    """The row of the table `generation`, which identifies what was exported."""

    format: str
    generation: str
    records_date: str
    built: str
    n_studies: int
    recipe: str
    model: str
    dimension: int
    fit: str
    k: int
    with_reasons: bool
    ranking: str
    weights: dict[str, float]
    version: str

    def can_follow(self, other: Generation) -> bool:
        """Report whether the differences from `other` are enough: only studies differ."""
        fixed = ("format", "recipe", "dimension", "k", "with_reasons", "ranking", "weights")
        return all(getattr(self, name) == getattr(other, name) for name in fixed)


def generation_of(index: OpenedIndex, k: int, *, with_reasons: bool) -> Generation:
    """Return what identifies an export of this index."""
    manifest = index.generation.manifest
    net = packaged_net().fingerprint
    ranking = f"learned {net}" if is_served(index, (), DEFAULT_WEIGHTS) else "linear"
    return Generation(
        FORMAT, manifest.generation, manifest.records_date, manifest.built, manifest.n_studies,
        manifest.recipe.digest, manifest.recipe.model, manifest.recipe.dimension, _fit(manifest), k,
        with_reasons,
        ranking, dict(DEFAULT_WEIGHTS), simsearch.__version__,
    )  # fmt: skip


def _fit(manifest: Manifest) -> str:
    """Return a digest of what the similarity of two unchanged studies depends on."""
    files = [manifest.files[name].sha256 for name in FIT_FILES]
    fixed = (manifest.fitted or manifest.generation, manifest.mean_terms, files)
    return hashlib.sha256(msgspec.json.encode(fixed)).hexdigest()[:16]


def generation_row(row: Generation) -> bytes:
    """Return the row of the table `generation`."""
    return copied.row(
        [
            copied.text(row.format), copied.text(row.generation), copied.text(row.records_date),
            copied.text(row.built), copied.bigint(row.n_studies), copied.text(row.recipe),
            copied.text(row.model), copied.integer(row.dimension), copied.text(row.fit),
            copied.integer(row.k),
            copied.boolean(row.with_reasons), copied.text(row.ranking),
            copied.jsonb(msgspec.json.encode(row.weights)), copied.text(row.version),
        ]
    )  # fmt: skip


class StudyRows(msgspec.Struct, frozen=True):
    """The rows of a study in the tables that its record fills."""

    study: bytes
    sites: bytes
    other_numbers: bytes


def study_rows(index: OpenedIndex, rows: Ints) -> Iterator[StudyRows]:
    """Yield the rows of studies of an index."""
    numbers = rows.tolist()
    studies = index.store.studies(numbers)
    for study, facts in zip(studies, index.study_facts(numbers), strict=True):
        yield StudyRows(_study(study), _sites(study, facts), _numbers(study, facts))


def _study(study: Study) -> bytes:
    values = zip(STUDY.columns, flat_study(study).values(), strict=True)
    return copied.row([copied.OF_TYPE[column.type](value) for column, value in values])


def _sites(study: Study, facts: Facts | None) -> bytes:
    if facts is None:
        return b""
    text = copied.text
    return b"".join(
        copied.row(
            [
                text(study.nct_id), copied.integer(number), text(site.country), text(site.state),
                text(site.city), text(site.facility), text(site.status),
                copied.double(site.latitude), copied.double(site.longitude),
            ]
        )
        for number, site in enumerate(facts.sites, 1)
    )  # fmt: skip


def _numbers(study: Study, facts: Facts | None) -> bytes:
    if facts is None:
        return b""
    text = copied.text
    return b"".join(
        copied.row(
            [text(study.nct_id), copied.integer(place), text(each.number), text(each.registry)]
        )
        for place, each in enumerate(facts.other_numbers, 1)
    )


class TermIds:
    """Gives every term of an index its id: those that a database has already stay.

    Args:
        index: the index.
        known: term → id, as the database has them.
    """

    def __init__(self, index: OpenedIndex, known: Mapping[bytes, int]) -> None:
        terms = index.lexical.terms
        ids = np.array([known.get(term, 0) for term in terms.tolist()], dtype=np.int64)
        missing = ids == 0
        first = max(known.values(), default=0) + 1
        ids[missing] = np.arange(first, first + int(missing.sum()))
        self._terms = terms
        self._ids = ids
        self._idf = index.lexical.idf

    def numbers(self) -> dict[int, int]:
        """Return id → number of the term in the index."""
        return {number: place for place, number in enumerate(self._ids.tolist())}

    def rows(self) -> Iterator[bytes]:
        """Yield the rows of the table `term`."""
        terms, ids, idfs = self._terms.tolist(), self._ids.tolist(), self._idf.tolist()
        for term, number, idf in zip(terms, ids, idfs, strict=True):
            yield copied.row([copied.integer(number), term, copied.real(idf)])

    def embedding_rows(
        self, index: OpenedIndex, nct_ids: Sequence[bytes], rows: Ints
    ) -> Iterator[bytes]:
        """Yield the rows of the table `study_embedding`; `nct_ids` are those of all studies."""
        dense = [copied.halfvecs(index.unchecked(field)[rows]) for field in FIELDS]
        for at, row in enumerate(rows.tolist()):
            weights = index.lexical.row(row)
            places = self._ids[weights.terms] - 1
            order = np.argsort(places)
            terms = copied.sparsevec(TERM_NUMBERS, places[order], weights.weights[order])
            yield copied.row([nct_ids[row], *(field[at] for field in dense), terms])


def related_rows(
    nct_ids: Sequence[bytes], block: RelatedBlock, lines: Sequence[str] | None
) -> dict[int, bytes]:
    """Return the rows of the table `related` by the row of the query study.

    Args:
        nct_ids: of all studies of the index.
        block: the lists.
        lines: the reason of each row of `block`, or None.
    """
    found: dict[int, list[bytes]] = {}
    values = zip(
        block.query.tolist(), block.rank.tolist(), block.neighbour.tolist(),
        block.similarity.tolist(), block.percentile.tolist(), block.mutual.tolist(),
        lines or [""] * len(block.query), strict=True,
    )  # fmt: skip
    for query, rank, neighbour, similarity, percentile, mutual, line in values:
        row = copied.row(
            [
                nct_ids[query], copied.integer(rank), nct_ids[neighbour],
                copied.double(similarity), copied.real(percentile), copied.boolean(mutual),
                copied.text(line),
            ]
        )  # fmt: skip
        found.setdefault(query, []).append(row)
    return {query: b"".join(rows) for query, rows in found.items()}


def digest(*parts: bytes) -> int:
    """Return a digest as a signed 64-bit integer."""
    whole = hashlib.blake2b(digest_size=8)
    for part in parts:
        whole.update(len(part).to_bytes(8))
        whole.update(part)
    return int.from_bytes(whole.digest(), signed=True)


def embedding_digests(index: OpenedIndex) -> Iterator[int]:
    """Yield digests of what the rows of the table `study_embedding` are made from.

    A term counts by what it is: its number is another in each index.
    """
    of_terms = np.array([digest(term) for term in index.lexical.terms.tolist()], dtype=np.int64)
    weights = index.lexical.matrix()
    fields = [index.unchecked(field) for field in FIELDS]
    for row, (start, end) in enumerate(pairwise(weights.indptr.tolist())):
        terms = of_terms[weights.indices[start:end]]
        dense = (field[row].tobytes() for field in fields)
        yield digest(*dense, terms.tobytes(), weights.data[start:end].tobytes())


def digest_row(nct_id: bytes, digests: Sequence[int], reach: Sequence[float]) -> bytes:
    """Return a row of the table `row_digest`."""
    return copied.row([nct_id, *map(copied.bigint, digests), *map(copied.real, reach)])
