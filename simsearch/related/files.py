"""Files of related lists: one row a neighbour, as Parquet, CSV or JSON Lines.

The rows and the metadata are described in docs/related.md. A file is written beside its place
and renamed when it is complete. The only importer of pyarrow.
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

from simsearch.errors import ArgumentError, RelatedFileError

SCHEMA: Final = "simsearch.related/1"
COLUMNS = ("nct_id", "rank", "neighbour_id", "similarity", "mutual")
TITLE_COLUMNS = ("title", "status", "neighbour_title", "neighbour_status")
ENDINGS = (".parquet", ".csv", ".jsonl")

METADATA = b"simsearch"
"""Key of the metadata of a Parquet file, which are JSON."""

_STANDARD_OUTPUT = "standard output"
_LONGEST_LINE = 1 << 24
_ROWS_AT_ONCE = 1 << 18


class Identity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What lists are of, as the metadata of a Parquet file have it (docs/related.md)."""

    schema: Literal["simsearch.related/1"]
    generation: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z.-]+$")]
    records_date: str
    n_studies: int
    recipe: str
    k: int
    weights: dict[str, float]
    filters: dict[str, Any]
    studies: Literal["all", "some"]
    n_lists: int = -1
    """How many studies have a list; -1 before that is known."""
    room: bytes = b""
    """`Lists.room` of all studies of the generation, compressed; nothing where some were asked."""


class Table(msgspec.Struct, frozen=True):
    """Rows of a file: arrays of equal length by column, in the order of columns."""

    columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows, as plain values."""
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
        """Write what belongs to the end."""


class ParquetWriter:
    """Writes Parquet, with the identity of the lists in its metadata."""

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
        """Append the rows; yes and no are `true` and `false`, as JSON has them."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(
            [str(value).lower() if isinstance(value, bool) else value for value in row]
            for row in table.rows()
        )
        self._file.write(text.getvalue().encode())

    def close(self) -> None:
        """Write nothing more."""


class JsonlWriter:
    """Writes a JSON object a line."""

    def __init__(self, file: BinaryIO, columns: Sequence[str], _: bytes) -> None:
        self._file = file
        self._columns = columns

    def write(self, table: Table) -> None:
        """Append the rows."""
        encode = msgspec.json.Encoder().encode
        lines = (encode(dict(zip(self._columns, row, strict=True))) for row in table.rows())
        self._file.write(b"".join(line + b"\n" for line in lines))

    def close(self) -> None:
        """Write nothing more."""


_WRITERS: Mapping[str, Any] = MappingProxyType(
    {".parquet": ParquetWriter, ".csv": CsvWriter, ".jsonl": JsonlWriter}
)


def ending(output: Path | None) -> str:
    """Return the ending that says how a file is written; standard output is JSON Lines.

    Raises:
        ArgumentError: it is none of `ENDINGS`.
    """
    if output is None:
        return ".jsonl"
    if output.suffix.lower() not in ENDINGS:
        raise ArgumentError("output", str(output), f"a name that ends with {', '.join(ENDINGS)}")
    return output.suffix.lower()


def check_output(output: Path | None, *, force: bool) -> None:
    """Refuse an output that cannot be written, or that would overwrite something else.

    Raises:
        ArgumentError: its name has another ending.
        RelatedFileError: its folder is missing or read-only, or a file there is not ours.
    """
    form = ending(output)
    if form == ".parquet":
        try:
            import pyarrow as pa  # noqa: F401 - whether it is there
        except ImportError as error:
            raise RelatedFileError(
                str(output), "needs pyarrow: pip install 'simsearch[parquet]', or name a .csv"
            ) from error
    if output is None:
        if sys.stdout is None:
            raise RelatedFileError(_STANDARD_OUTPUT, "cannot be written: it is closed")
        return
    folder = output.absolute().parent
    if not folder.is_dir():
        raise RelatedFileError(str(output), f"cannot be written: {folder} is no folder")
    if not os.access(folder, os.W_OK):
        raise RelatedFileError(str(output), f"cannot be written: no permission in {folder}")
    if not os.path.lexists(output):
        return
    if not output.is_file():
        raise RelatedFileError(str(output), "is no file")
    if not force and output.stat().st_size and not _is_ours(output, form):
        raise RelatedFileError(
            str(output), "is something else than related lists: give --force to replace it"
        )


def _is_ours(path: Path, form: str) -> bool:
    if form == ".parquet":
        return read_identity(path) is not None
    try:
        with path.open("rb") as file:
            head = file.readline(_LONGEST_LINE).rstrip()
        if form == ".csv":
            names = head.decode().split(",")
        else:
            names = list(msgspec.json.decode(head, type=dict[str, Any]))
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        return False
    return names in ([*COLUMNS], [*COLUMNS, *TITLE_COLUMNS])


@contextmanager
def writing(output: Path | None, columns: Sequence[str], identity: bytes) -> Iterator[Writer]:
    """Give a writer; the file takes its place, whole, when nothing went wrong.

    Args:
        output: where to write; None is standard output.
        columns: names of columns.
        identity: what the lists are of, as JSON.

    Raises:
        RelatedFileError: the disk refuses a write.
    """
    make = _WRITERS[ending(output)]
    if output is None:
        with _standard_output() as file:
            writer = make(file, columns, identity)
            yield writer
            writer.close()
        return
    part = output.with_name(output.name + ".part")
    try:
        with part.open("wb") as file:
            writer = make(file, columns, identity)
            yield writer
            writer.close()
            file.flush()
            os.fsync(file.fileno())
        part.replace(output)
    except OSError as error:
        raise RelatedFileError(
            str(output), f"cannot be written: {error.strerror or error}; the same command goes on"
        ) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """Give standard output, flushed at the end; a reader who has had enough is no error of ours."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # typer ends quietly
    except OSError as error:
        raise RelatedFileError(
            _STANDARD_OUTPUT, f"cannot be written: {error.strerror or error}"
        ) from error


def read_identity(path: Path) -> Identity | None:
    """Return what lists written before are of; None for a file that is something else."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
        return msgspec.json.decode(metadata.get(METADATA, b""), type=Identity)
    except (OSError, ValueError, RecursionError, pa.ArrowException, msgspec.MsgspecError):
        return None


def read_lists(path: Path) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Yield the columns of lists written before, part by part: IDs as bytes, ranks, similarities.

    Raises:
        RelatedFileError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "nct_id": pa.string(), "rank": pa.int32(), "neighbour_id": pa.string(),
        "similarity": pa.float64(),
    }  # fmt: skip
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(types)):
                if {field.name: field.type for field in batch.schema} != types:
                    raise RelatedFileError(str(path), "is damaged: it has other columns")
                values = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in types}
                yield {
                    name: each.astype("S11") if each.dtype == object else each
                    for name, each in values.items()
                }
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RelatedFileError(str(path), f"is damaged ({error})") from error
