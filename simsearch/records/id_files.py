"""The studies named in a file of any kind people keep them in: text, CSV, RIS."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

from simsearch.errors import NctIdError, SourceError
from simsearch.records.csv_rows import long_cells
from simsearch.records.number_shapes import CLINICALTRIALS_GOV as _OURS
from simsearch.records.number_shapes import numbers_in
from simsearch.study import named_nct_ids, parse_nct_id

_MAX_BYTES = 64 * 2**20
_COLUMNS = frozenset({"nctid", "nctnumber", "nct", "neighbourid"})
_RIS_TAG = re.compile(r"^(AN|M1|ID|UR|C\d|N1|LK|DO)  - (.*)$", re.MULTILINE)
# A reference's own number; the other tags are looked at where none of these has one.
_RIS_NUMBERS = frozenset({"AN", "M1", "ID"})


def ids_in_file(path: str | os.PathLike[str]) -> list[str]:
    """Return the NCT IDs in a file, each once, as they come.

    Where a line or a reference has none, its numbers of other registries count. A CSV with a
    column of NCT IDs (`nct_id`, `NCT Number`) is read by that column, RIS by the numbers of its
    references, or else by their addresses and notes; of any other text every NCT ID counts,
    wherever it stands.

    Args:
        path: the file.

    Raises:
        SourceError: the file cannot be read, is larger than 64 MiB, or has no NCT ID.
    """
    place = str(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SourceError(place, error.strerror or "cannot be read") from error
    if len(content) > _MAX_BYTES:
        raise SourceError(place, f"is larger than {_MAX_BYTES >> 20} MiB: not a file of NCT IDs")
    text = content.decode("utf-8-sig", "replace")
    try:
        pieces = _pieces(text)
    except csv.Error as error:
        raise SourceError(place, f"its columns cannot be separated ({error})") from error
    found = dict.fromkeys(nct_id for piece in pieces for nct_id in _named(piece))
    if not found:
        raise SourceError(place, "has no NCT ID")
    return list(found)


def _named(piece: str) -> list[str]:
    """Return the NCT ID that a piece is, in any spelling, or those that it names.

    A piece without one may name a study by its number in another registry.
    """
    try:
        return [parse_nct_id(piece)]
    except NctIdError:
        named = sorted(named_nct_ids(piece.upper()), key=piece.upper().find)
        return named or [each.number for each in numbers_in(piece) if each.registry != _OURS]


def _ris_pieces(text: str) -> list[str]:
    """Return what may hold the NCT ID of each reference: its number, or its address and notes."""
    pieces: list[str] = []
    for reference in re.split(r"^ER  -.*$", text, flags=re.MULTILINE):
        fields = _RIS_TAG.findall(reference)
        own = [value for tag, value in fields if tag in _RIS_NUMBERS and _named(value)]
        pieces += own or [value for _, value in fields]
    return pieces


def _pieces(text: str) -> list[str]:
    """Return the parts of a file that may hold its NCT IDs."""
    if text.lstrip().startswith("TY  - "):
        return _ris_pieces(text)
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    names = ["".join(filter(str.isalnum, name.casefold())) for name in head.split(delimiter)]
    columns = [at for at, name in enumerate(names) if name in _COLUMNS]
    if columns and delimiter in head:
        rows = csv.reader(io.StringIO(text), delimiter=delimiter)
        with long_cells():
            return [row[columns[0]] for row in rows if len(row) > columns[0]]
    return text.splitlines()
