"""What an earlier export left in a database, for the next one to go on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.errors import ExportError
from simsearch.export.sessions import Session
from simsearch.export.tables import ROW_DIGEST
from simsearch.related.affected import Changed, term_rows
from simsearch.related.coarse_int8 import Floats, Ints
from simsearch.related.lists import SCALE, HeldLists, Lists
from simsearch.related.reach import REACH, WITHOUT_END

_HEADER_BYTES, _TRAILER_BYTES = 19, 2  # of a binary COPY
_ID_BYTES = 11  # of an NCT ID
_TYPES = {"id": f"S{_ID_BYTES}", "integer": ">i4", "bigint": ">i8", "real": ">f4", "double": ">f8"}


class Earlier(msgspec.Struct, frozen=True):
    """What is known of the studies of an index from an earlier export."""

    digests: Ints
    """(n_studies, 3) as in `Stream`; 0 for a study that was not there."""
    reach: Floats
    """(n_studies, 5) the reach of the lists; without end for a study that was not there."""
    gone: list[bytes]
    """The NCT IDs that are not in the index."""


def read_earlier(opened: Session, nct_ids: Sequence[bytes]) -> Earlier:
    """Return what is known from the table `row_digest`; `nct_ids` are those of an index, sorted."""
    kinds = ("id", *["bigint"] * 3, *["real"] * len(REACH))
    columns = _read(opened, f"SELECT {', '.join(ROW_DIGEST.names)} FROM {{}}.row_digest", kinds)
    ids = np.array(nct_ids, dtype=_TYPES["id"])
    rows = _rows_of(ids, columns[0])
    here = rows >= 0
    digests = np.zeros((len(ids), 3), dtype=np.int64)
    reach = np.full((len(ids), len(REACH)), WITHOUT_END)
    digests[rows[here]] = np.stack(columns[1:4], axis=1)[here]
    reach[rows[here]] = np.stack(columns[4:], axis=1)[here]
    return Earlier(digests, reach, columns[0][~here].tolist())


def read_lists(opened: Session, nct_ids: Sequence[bytes], k: int) -> HeldLists:
    """Return the related lists by rows of an index; a neighbour that is not in it is -1."""
    query, rank, neighbour, similarity = _read(
        opened, "SELECT nct_id, rank, neighbour_id, similarity FROM {}.related",
        ("id", "integer", "id", "double"),
    )  # fmt: skip
    ids = np.array(nct_ids, dtype=_TYPES["id"])
    rows, place = _rows_of(ids, query), rank.astype(np.int64) - 1
    here = (rows >= 0) & (place >= 0) & (place < k)
    found = Lists.empty(len(ids), k)
    found.rows[rows[here], place[here]] = _rows_of(ids, neighbour)[here]
    found.parts[rows[here], place[here]] = np.rint(similarity[here] * SCALE)
    lists = HeldLists(len(ids), k)
    every = np.arange(len(ids))
    lists.make_room(every)
    lists.put(every, found)
    return lists


def read_changed(
    opened: Session, nct_ids: Sequence[bytes], rows: Ints, numbers: Mapping[int, int],
    n_terms: int, dimension: int,
) -> Changed:  # fmt: skip
    """Return changed studies with the vectors that they had.

    Args:
        opened: the database.
        nct_ids: (m,) the studies.
        rows: (m,) their rows; -1 for one that is gone.
        numbers: id of a term in the database → its number in the index.
        n_terms: how many terms the index has.
        dimension: of the vectors.
    """
    statement = (
        f"SELECT nct_id, text::real[], terms::text FROM {opened.schema}.study_embedding "
        "WHERE nct_id = ANY (%s)"
    )
    names = [each.decode() for each in nct_ids]
    place_of = {name: place for place, name in enumerate(names)}
    text = np.zeros((len(names), dimension), dtype=np.float16)
    weights: list[tuple[int, int, float]] = []
    for nct_id, vector, sparse in opened.rows(statement, [names]):
        place = place_of[nct_id]
        if vector is not None:
            text[place] = vector
        for pair in (sparse or "{}").partition("}")[0].lstrip("{").split(","):
            number, _, weight = pair.partition(":")
            if number and int(number) in numbers:
                weights.append((place, numbers[int(number)], float(weight)))
    return Changed(rows, text, term_rows(weights, len(names), n_terms))


def _rows_of(ids: npt.NDArray[np.bytes_], named: npt.NDArray[np.bytes_]) -> Ints:
    """Return (n,) the places of IDs among some that are sorted; -1 for one that is not there."""
    if not len(ids):
        return np.full(len(named), -1)
    places = np.searchsorted(ids, named).clip(max=len(ids) - 1)
    found: Ints = np.where(ids[places] == named, places, -1)
    return found


def _read(opened: Session, statement: str, kinds: Sequence[str]) -> list[npt.NDArray[Any]]:
    """Return the columns of a query, none of which is ever NULL; all its IDs are NCT IDs."""
    fields = [("count", ">i2")]
    for place, kind in enumerate(kinds):
        fields += [(f"length{place}", ">i4"), (f"value{place}", _TYPES[kind])]
    layout = np.dtype(fields)
    source = statement.format(opened.schema)
    with opened.connection.cursor().copy(f"COPY ({source}) TO STDOUT (FORMAT binary)") as stream:
        content = b"".join(stream)
    rows = content[_HEADER_BYTES:-_TRAILER_BYTES]
    table = np.frombuffer(rows[: len(rows) // layout.itemsize * layout.itemsize], dtype=layout)
    is_ours = len(table) * layout.itemsize == len(rows) and all(
        (table[f"length{place}"] == np.dtype(_TYPES[kind]).itemsize).all()
        for place, kind in enumerate(kinds)
    )
    if not is_ours:
        raise ExportError(
            opened.target, f"a table in {opened.name} holds what no export wrote: drop the schema"
        )
    return [table[f"value{place}"].astype(_native(kind)) for place, kind in enumerate(kinds)]


def _native(kind: str) -> str:
    return _TYPES[kind].replace(">", "=")
