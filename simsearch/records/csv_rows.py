"""The rows of a table, however its encoding and quotes were damaged.

The csv module splits a row into cells; this module feeds it the lines, and recovers after a row
whose quotes are not balanced.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from simsearch.errors import SourceError
from simsearch.records.outcomes import MAX_DOCUMENT_BYTES, Stream

# The registry's longest cells have some 200,000 characters; in a longer one a quote is missing.
_MAX_CELL_CHARACTERS = 2**22


class Row(msgspec.Struct, frozen=True):
    """A row: its cells, the bytes it was read from, their line numbers, and what is wrong.

    Where the quotes of a row are wrong, `cells` are what a lenient reading of its first line
    makes of it; whoever knows the header can tell whether that is the row.
    """

    cells: list[str]
    body: bytes
    lines: str
    trouble: str = ""
    guessed: bool = False


class RowReader:
    """Iterator over the lines of a stream as text, and over the rows that they make.

    A line that is valid UTF-8 is read as UTF-8. If the first line that is not ASCII is not valid
    UTF-8, a spreadsheet saved the table and all such lines are Windows-1252; otherwise such a
    line is damaged.
    """

    def __init__(self, stream: Stream, place: str, n_before: int = 0) -> None:
        self._stream = stream
        self._place = place
        self._encoding = ""
        self._n = n_before
        self._row: list[bytes] = []
        self._damaged = False
        self._again: deque[bytes] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._next_line()
        if not line:
            raise StopIteration
        self._n += 1
        self._row.append(line)
        return self._decode(line)

    def rows(self, delimiter: str) -> Iterator[Row]:
        """Yield the rows that are not blank.

        If quotes are not closed where they must be, the row has swallowed lines of others: only
        its first line is yielded, with guessed cells, and reading continues with the second
        line, so that the rows after it are found again.

        Raises:
            SourceError: a line is too long to be from the registry.
        """
        while True:
            self._row, self._damaged = [], False
            try:
                with long_cells():
                    cells = next(csv.reader(self, delimiter=delimiter, strict=True), None)
            except csv.Error as error:
                trouble = f"{_explained(error)}; reading continues with the next line"
                self._step_back()
                first = self._row[0]
                guess = _lenient(self._decode(first), delimiter)
                yield Row(guess, first, self._where(), trouble, guessed=True)
                continue
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                trouble = f"not {self._encoding.upper()} text" if self._damaged else ""
                yield Row(cells, b"".join(self._row), self._where(), trouble)

    def plain_rows(self, delimiter: str) -> Iterator[Row]:
        """Yield the rows of a table whose quotes are plain characters: each is one line.

        Raises:
            SourceError: a line is too long to be from the registry.
        """
        for text in self:
            cells = text.rstrip("\r\n").split(delimiter)
            trouble = f"not {self._encoding.upper()} text" if self._damaged else ""
            if any(cell.strip() for cell in cells):
                yield Row(cells, self._row[0], self._where(), trouble)
            self._row, self._damaged = [], False

    def _next_line(self) -> bytes:
        line = self._stream.readline(MAX_DOCUMENT_BYTES + 1)
        if len(line) > MAX_DOCUMENT_BYTES:
            raise SourceError(self._place, f"has a line of over {MAX_DOCUMENT_BYTES:,} bytes")
        return line

    def _decode(self, line: bytes) -> str:
        try:
            text = line.decode("utf-8")
            if not line.isascii():
                self._encoding = self._encoding or "utf-8"
        except UnicodeDecodeError:
            self._encoding = self._encoding or "cp1252"
            text = line.decode(self._encoding, "replace")
            self._damaged |= "\ufffd" in text
        return text.removeprefix("\ufeff")

    def _step_back(self) -> None:
        """Put back all lines of the row except the first."""
        self._again.extendleft(reversed(self._row[1:]))
        self._n -= len(self._row) - 1
        del self._row[1:]

    def _where(self) -> str:
        first = self._n - len(self._row) + 1
        return f"line {self._n:,}" if first == self._n else f"lines {first:,} to {self._n:,}"


def _lenient(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line with bad quotes, or none if a quote stays open at its end."""
    try:
        with long_cells():
            cells = next(csv.reader([line.rstrip("\r\n") + "\n"], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [] if any("\n" in cell for cell in cells) else cells


@contextmanager
def long_cells() -> Iterator[None]:
    """Raise the csv module's limit on cells; for one row only, because it is process-wide."""
    before = csv.field_size_limit(_MAX_CELL_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _explained(error: csv.Error) -> str:
    """Return what an error of the csv module means for the row."""
    if "unexpected end" in str(error):
        return "a quote that opens here is not closed by the end of the file"
    if "field limit" in str(error):
        return f"a cell of over {_MAX_CELL_CHARACTERS:,} characters: a quote is not closed"
    return f"its cells cannot be separated ({error})"
