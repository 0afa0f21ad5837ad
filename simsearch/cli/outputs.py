"""`-o/--output FILE` and `-f/--format FORMAT`: where a result goes, and as what, in every command.

A command takes a parameter of one of the types below, calls `write`, and has both options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

import typer

from simsearch.cli.command import OptionGroup
from simsearch.cli.terminal import fail, print_pieces, view
from simsearch.files import written_whole
from simsearch.index.directory import index_around
from simsearch.output.formats import (
    BINARY,
    ENDINGS,
    KINDS_OF,
    View,
    format_names,
    write,
    write_binary,
)


@dataclass(frozen=True, kw_only=True)
class Output(OptionGroup):
    """Where the result of a command goes, and in which format.

    The ending of the file decides the format, unless one is given.
    """

    kind: ClassVar[str] = ""
    """What is written, as in `FORMATS`."""
    names: ClassVar[tuple[str, ...]] = ()
    """The formats that there are; standard output gets the first of them."""

    output: Path | None = None
    """The file; None is standard output."""
    format_: str | None = None
    """The format that was typed."""

    @property
    def format(self) -> str:
        """The format to write."""
        if self.format_ is not None:
            return self.format_
        return self.names[0] if self.output is None else ENDINGS[self.output.suffix.lower()]

    def check_beside(self, others: Mapping[str, Any]) -> None:
        """Refuse a file whose ending says no format, or another one, or that is read as well.

        Raises:
            BadParameter: it is so.
        """
        if self.output is None:
            if self.format in BINARY:
                raise typer.BadParameter(f"-f {self.format} goes into a file: name it with -o")
            return
        said = ENDINGS.get(self.output.suffix.lower())
        if self.format_ is None and said not in self.names:
            raise typer.BadParameter(
                f"-o {self.output}: its ending names no format of this command: end it with "
                f"{_listed(_endings(self.names))}, or give -f FORMAT"
            )
        fitting = (self.format_, "table", KINDS_OF.get(self.format_ or ""))
        if self.format_ and said in self.names and said not in fitting:
            raise typer.BadParameter(
                f"-o {self.output} and -f {self.format_} name two formats: leave one out"
            )
        for name, value in others.items():
            if self._is_read(value):
                raise typer.BadParameter(
                    f"-o {self.output}: --{name.replace('_', '-')} reads this file: name another"
                )

    def _is_read(self, value: Any) -> bool:
        """Report whether a value of another option is, or has in it, the file to write."""
        if isinstance(value, list | tuple):
            return any(map(self._is_read, value))
        if self.output is None or not isinstance(value, str | Path):
            return False
        try:
            return self.output.is_file() and self.output.samefile(value)
        except (OSError, ValueError):  # a text or a number of a study
            return False

    def write(self, thing: Any, *, kind: str = "", **shown: Any) -> None:
        """Write a result, to the end or not at all; `shown` as in `View`.

        `kind` is another kind with the same formats, where a command has two.
        """
        kind = kind or self.kind
        if self.output is None:
            print_pieces(write(kind, thing, self.format, view(**shown)))
            return
        try:
            with written_whole(self.output) as file:
                for piece in self._pieces(kind, thing, View(**shown)):
                    file.write(piece)
        except OSError as error:
            fail(f"cannot write {self.output}: {error.strerror or error}", 1)

    def _pieces(self, kind: str, thing: Any, shown: View) -> Iterator[bytes]:
        if self.format in BINARY:
            yield from write_binary(kind, thing, self.format, shown)
        else:
            for piece in write(kind, thing, self.format, shown):
                yield piece.encode("utf-8", errors="replace")


def _endings(names: Sequence[str]) -> Iterator[str]:
    return (ending for ending, name in ENDINGS.items() if name in names)


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _file(names: Sequence[str]) -> Callable[[str], Path | None]:
    """Return what reads the name of a file to write, `-` for standard output."""

    def parse(text: str) -> Path | None:
        if text == "-":
            return None
        if text in names:
            ending = next(_endings([KINDS_OF.get(text, text)]), None) or next(_endings(names))
            raise typer.BadParameter(
                f"{text!r} is a format, and -o names a file: give -f {text}, or -o FILE{ending}"
            )
        if not text:
            raise typer.BadParameter("it is empty: name a file")
        path = _lists_in(text) if "parquet" in names and text.endswith("/") else Path(text)
        folder = path.absolute().parent
        if not folder.is_dir():
            raise typer.BadParameter(f"{text} cannot be written: {folder} is not a folder")
        if path.is_dir():
            raise typer.BadParameter(f"{text} is a folder: name a file")
        if around := index_around(path):
            raise typer.BadParameter(f"{text} lies in the index {around}: name a file elsewhere")
        return path

    return parse


def _lists_in(text: str) -> Path:
    """Return the file of lists in a folder for pages, which is made where its parent is there.

    Raises:
        BadParameter: it cannot be made.
    """
    from simsearch.related.pages import LISTS_FILE

    try:
        Path(text).mkdir(exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise typer.BadParameter(f"{text} cannot be written: {reason}") from error
    return Path(text) / LISTS_FILE


def _format(kind: str, names: Sequence[str]) -> Callable[[str], str]:
    """Return what reads the name of a format."""

    def parse(text: str) -> str:
        if text in names:
            return text
        advice = f"the formats are {_listed(names)}"
        if "." in text or "/" in text:  # -f was --file of `query`
            draft = "--file gives the record of a draft, " if kind == "answer" else ""
            advice += f"; {draft}-o the file to write"
        raise typer.BadParameter(f"{text!r} is not a format: {advice}")

    return parse


def output_group(kind: str, names: Sequence[str] = ()) -> type[Output]:
    """Return the options of a command that writes results of one kind.

    Args:
        kind: what is written, as in `FORMATS`.
        names: the formats that there are, the default first; those of `FORMATS` if none.
    """
    names = tuple(names) or format_names(kind)
    file = typer.Option(
        "--output",
        "-o",
        parser=_file(names),
        metavar="FILE",
        help=f"Write to this file; its ending ({_listed(_endings(names))}) decides the format. "
        "- is standard output.",
        show_default=False,
    )
    name = typer.Option(
        "--format",
        "-f",
        parser=_format(kind, names),
        autocompletion=lambda: list(names),
        metavar="FORMAT",
        help=f"Output format: {_listed(names)}.",
        show_default=names[0],
    )
    options = [
        ("output", Annotated[Path | None, file], None),
        ("format_", Annotated[str | None, name], None),
    ]
    return make_dataclass(
        f"{kind.capitalize()}Output", options, bases=(Output,), frozen=True, kw_only=True,
        namespace={"kind": kind, "names": names},
    )  # fmt: skip


if TYPE_CHECKING:
    AnswerOutput: TypeAlias = Output
    ComparisonOutput: TypeAlias = Output
    DiffOutput: TypeAlias = Output
    EvaluationOutput: TypeAlias = Output
    GenerationsOutput: TypeAlias = Output
    InfoOutput: TypeAlias = Output
    ListsOutput: TypeAlias = Output
    StudyOutput: TypeAlias = Output
    NewsOutput: TypeAlias = Output
    NextOutput: TypeAlias = Output
    ReportOutput: TypeAlias = Output
    ReviewOutput: TypeAlias = Output
    StatusOutput: TypeAlias = Output
else:  # a new kind of result is one line here
    AnswerOutput = output_group("answer")
    ComparisonOutput = output_group("comparison")
    DiffOutput = output_group("diff")
    EvaluationOutput = output_group("evaluation")
    GenerationsOutput = output_group("generations")
    InfoOutput = output_group("info")
    ListsOutput = output_group("lists", ("jsonl", "csv", "parquet"))
    StudyOutput = output_group("study")
    NewsOutput = output_group("news")
    NextOutput = output_group("next")
    ReportOutput = output_group("report", ("markdown", "json"))
    ReviewOutput = output_group("review", ("csv", "ris", "asreview", "ids"))
    StatusOutput = output_group("status")
