"""Files of related lists, one row for each neighbour: Parquet, CSV or JSON Lines.

docs/related.md describes the columns and the metadata. A file takes its place once it is
complete.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, BinaryIO, Final, Literal, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.errors import ArgumentError, ForeignRelatedFileError, RelatedFileError
from simsearch.files import spreadsheet_safe, written_whole
from simsearch.index.directory import index_around

SCHEMA: Final = "simsearch.related/1"
COLUMNS = ("nct_id", "rank", "neighbour_id", "similarity", "mutual")
TITLE_COLUMNS = ("title", "status", "neighbour_title", "neighbour_status")
FORMS = ("parquet", "csv", "jsonl")

METADATA = b"simsearch"
"""Key of the metadata of a Parquet file; the value is JSON."""

_STANDARD_OUTPUT = "standard output"
_LONGEST_LINE = 1 << 24


class Identity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What lists were computed from, as in the metadata of a Parquet file (docs/related.md)."""

    schema: Literal["simsearch.related/1"]
    generation: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z.-]+$")]
    records_date: str
    n_studies: int
    recipe: str
    k: int
    weights: dict[str, float]
    filters: dict[str, Any]
    ranking: str = ""
    """Fingerprint of the net of the learned ranking; empty for the weighted sum."""
    studies: Literal["all", "some"]
    n_lists: int = -1
    """The number of studies that have a list; -1 until it is known."""


class Table(msgspec.Struct, frozen=True):
    """Rows of a file: column → values, all of the same length."""

    columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows as plain Python values."""
        values = [
            each.tolist() if isinstance(each, np.ndarray) else each
            for each in self.columns.values()
        ]
        return zip(*values, strict=True)


class Writer(Protocol):
    """Writes tables to an open file."""

    def write(self, table: Table) -> None:
        """Append the rows of a table."""

    def close(self) -> None:
        """Write the end of the file."""


class ParquetWriter:
    """Writes Parquet with the identity of the lists in its metadata."""

    def __init__(self, file: BinaryIO, columns: Sequence[str], identity: bytes) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {
            "rank": pa.int32(), "similarity": pa.float64(), "mutual": pa.bool_(),
        }  # fmt: skip
        fields = [pa.field(name, types.get(name, pa.string()), nullable=False) for name in columns]
        self._schema = pa.schema(fields, metadata={METADATA: identity})
        self._writer = pq.ParquetWriter(
            file, self._schema, compression="zstd", write_page_checksum=True
        )

    def write(self, table: Table) -> None:
        """Append the rows of a table as a row group."""
        import pyarrow as pa

        arrays = [pa.array(table.columns[field.name], type=field.type) for field in self._schema]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class CsvWriter:
    """Writes CSV with a header."""

    def __init__(self, file: BinaryIO, columns: Sequence[str], _: bytes) -> None:
        self._file = file
        self._file.write((",".join(columns) + "\n").encode())

    def write(self, table: Table) -> None:
        """Append the rows; booleans are `true` and `false`, as in JSON."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(
            [
                str(value).lower() if isinstance(value, bool) else spreadsheet_safe(value)
                for value in row
            ]
            for row in table.rows()
        )
        self._file.write(text.getvalue().encode())
        self._file.flush()

    def close(self) -> None:
        """Do nothing: there is no end to write."""


class JsonlWriter:
    """Writes one JSON object a line."""

    def __init__(self, file: BinaryIO, columns: Sequence[str], _: bytes) -> None:
        self._file = file
        self._columns = columns

    def write(self, table: Table) -> None:
        """Append the rows."""
        encode = msgspec.json.Encoder().encode
        lines = (encode(dict(zip(self._columns, row, strict=True))) for row in table.rows())
        self._file.write(b"".join(line + b"\n" for line in lines))
        self._file.flush()

    def close(self) -> None:
        """Do nothing: there is no end to write."""


_WRITERS: Mapping[str, Any] = MappingProxyType(
    {"parquet": ParquetWriter, "csv": CsvWriter, "jsonl": JsonlWriter}
)


def form_of(output: Path | None, form: str = "") -> str:
    """Return the form of a file: the one given, else what its ending says.

    Standard output is JSON Lines.

    Raises:
        ArgumentError: it is not one of `FORMS`.
    """
    if form:
        if form not in FORMS:
            raise ArgumentError("form", form, f"one of {', '.join(FORMS)}")
        return form
    if output is None:
        return "jsonl"
    said = output.suffix.lower().removeprefix(".")
    if said not in FORMS:
        raise ArgumentError("output", str(output), f"a name that ends with .{', .'.join(FORMS)}")
    return said


def check_output(output: Path | None, form: str = "", *, force: bool) -> None:
    """Refuse an output that cannot be written, or that would replace a file of another kind.

    Args:
        output: the file, or None for standard output.
        form: as in `form_of`.
        force: replace whatever is there.

    Raises:
        ArgumentError: its form is not one of `FORMS`, or needs a file.
        RelatedFileError: its folder is missing or read-only, or it holds something other than
            related lists.
    """
    form = form_of(output, form)
    if form == "parquet":
        if output is None:
            raise ArgumentError("form", form, "csv or jsonl on standard output")
        try:
            import pyarrow as pa  # noqa: F401 - is it installed?
        except ImportError as error:
            raise RelatedFileError(
                str(output), "needs pyarrow: pip install 'simsearch[parquet]', or name a .csv"
            ) from error
    if output is None:
        if sys.stdout is None:
            raise RelatedFileError(_STANDARD_OUTPUT, "cannot be written: it is closed")
        return
    _check_folder(output)
    if not os.path.lexists(output):
        return
    if not output.is_file():
        raise RelatedFileError(str(output), "is not a file")
    if not force and output.stat().st_size and not _is_ours(output, form):
        raise ForeignRelatedFileError(str(output))


def _check_folder(output: Path) -> None:
    """Refuse a file whose folder is missing, read-only, or an index."""
    folder = output.absolute().parent
    if not folder.is_dir():
        raise RelatedFileError(str(output), f"cannot be written: {folder} is not a folder")
    if index := index_around(output):
        raise RelatedFileError(str(output), f"lies in the index {index}: name a file elsewhere")
    if not os.access(folder, os.W_OK):
        raise RelatedFileError(str(output), f"cannot be written: no permission in {folder}")


def _is_ours(path: Path, form: str) -> bool:
    """Report whether a file holds related lists."""
    if form == "parquet":
        return read_identity(path) is not None
    try:
        with path.open("rb") as file:
            head = file.readline(_LONGEST_LINE).rstrip()
        if form == "csv":
            names = head.decode().split(",")
        else:
            names = list(msgspec.json.decode(head, type=dict[str, Any]))
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        return False
    return names in ([*COLUMNS], [*COLUMNS, *TITLE_COLUMNS])


@contextmanager
def writing(
    output: Path | None, form: str, columns: Sequence[str], identity: bytes
) -> Iterator[Writer]:
    """Open a writer; the file takes its place, complete, if the block succeeds.

    Args:
        output: the file, or None for standard output.
        form: as in `form_of`.
        columns: the names of the columns.
        identity: what the lists were computed from, as JSON.

    Raises:
        RelatedFileError: a write failed.
    """
    make = _WRITERS[form_of(output, form)]
    if output is None:
        with _standard_output() as file:
            writer = make(file, columns, identity)
            yield writer
            writer.close()
        return
    try:
        with written_whole(output) as file:
            writer = make(file, columns, identity)
            yield writer
            writer.close()
    except OSError as error:
        raise RelatedFileError(
            str(output), f"cannot be written: {error.strerror or error}; run it again to continue"
        ) from error


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """Open standard output and flush it at the end; a closed pipe is left to the caller."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # the command ends quietly
    except OSError as error:
        raise RelatedFileError(
            _STANDARD_OUTPUT, f"cannot be written: {error.strerror or error}"
        ) from error


def read_identity(path: Path) -> Identity | None:
    """Return the identity of a Parquet file of related lists; None for any other file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
        return msgspec.json.decode(metadata.get(METADATA, b""), type=Identity)
    except (OSError, ValueError, RecursionError, pa.ArrowException, msgspec.MsgspecError):
        return None
