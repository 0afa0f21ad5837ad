"""The option of `simsearch evaluate` that compares indexes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from simsearch.cli.command import OptionGroup
from simsearch.cli.options import given_path
from simsearch.cli.progress import progress_on_stderr
from simsearch.evaluation.agreement import Agreement
from simsearch.evaluation.comparison import Report
from simsearch.evaluation.judged import Groups, Qrels
from simsearch.evaluation.rankers import OURS
from simsearch.evaluation.side_by_side import side_by_side

_BESIDE = ("records", "save", "leave_one_out", "model", "pool")


@dataclass(frozen=True, kw_only=True)
class AgainstOptions(OptionGroup):
    """Further indexes."""

    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against", metavar="DIR", parser=given_path, show_default=False,
            help="Compare the index with this one, by one system on the same queries; repeatable.",
        ),
    ] = None  # fmt: skip

    def check_beside(self, others: Mapping[str, Any]) -> None:
        """Refuse options that do not go with --against.

        Raises:
            BadParameter: they are given.
        """
        if not self.against:
            return
        if not (others["groups"] or others["qrels"]):
            raise typer.BadParameter("--against goes with --groups or --qrels")
        if len(others["system"] or ()) > 1:
            raise typer.BadParameter("--against compares indexes by one --system")
        for name in _BESIDE:
            if others.get(name):
                raise typer.BadParameter(f"--{name.replace('_', '-')} does not go with --against")

    def compared(
        self,
        index: Path | None,
        groups: Sequence[Groups],
        qrels: Sequence[Qrels],
        agreed: Sequence[Agreement],
        system: Sequence[str] | None,
        weights: Mapping[str, float],
        *,
        quiet: bool,
    ) -> Report:
        """Return the report on the index and those beside it."""
        with progress_on_stderr(quiet=quiet) as progress:
            return side_by_side(
                [index, *(self.against or ())], groups, qrels, agreed=agreed,
                system=system[0] if system else OURS, weights=weights, progress=progress,
            )  # fmt: skip
