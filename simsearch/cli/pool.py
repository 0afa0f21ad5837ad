"""The options of `simsearch evaluate` for pools: what readers get, and what they give back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from simsearch.cli.command import OptionGroup
from simsearch.cli.options import given_path
from simsearch.cli.progress import log
from simsearch.evaluation.comparison import Comparison
from simsearch.evaluation.judged import Qrels
from simsearch.evaluation.pool import check_new_folder, write_pool

_RANKERS = "simsearch,linear,tfidf,bm25"
_TWICE = 0.1
_BESIDE = ("groups", "records", "system", "save", "output", "leave_one_out")


def _listed(text: str) -> str:
    if not all(each.strip() for each in text.split(",")):
        raise typer.BadParameter("name systems, with commas between them")
    return text


@dataclass(frozen=True, kw_only=True)
class PoolOptions(OptionGroup):
    """A pool to write, and judgements that came back from readers."""

    pool: Annotated[
        Path | None,
        typer.Option(
            "--pool",
            metavar="FOLDER",
            parser=given_path,
            show_default=False,
            help="With --qrels: write what is not judged among the ten of --rankers, for readers.",
        ),
    ] = None
    rankers: Annotated[
        str,
        typer.Option(
            "--rankers",
            metavar="NAMES",
            parser=_listed,
            help="With --pool: the systems, with commas between them.",
        ),
    ] = _RANKERS
    pool_queries: Annotated[
        int | None,
        typer.Option(
            "--pool-queries",
            metavar="N",
            min=1,
            show_default=False,
            help="With --pool: at most this many query studies, drawn at random.",
        ),
    ] = None
    read_twice: Annotated[
        float,
        typer.Option(
            "--read-twice",
            metavar="SHARE",
            min=0,
            max=1,
            help="With --pool: the share of the pairs that two readers judge.",
        ),
    ] = _TWICE
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            help="With --pool: seed of the draw; the same seed gives the same files.",
        ),
    ] = 0
    judged: Annotated[
        list[Path] | None,
        typer.Option(
            "--judged", metavar="FILE", parser=given_path, show_default=False,
            help="With --qrels: further judgements, from readers of a pool; repeatable.",
        ),
    ] = None  # fmt: skip

    def check_beside(self, others: Mapping[str, Any]) -> None:
        """Refuse options that go with --pool or --qrels, and lack it.

        Raises:
            BadParameter: they do.
        """
        if (self.pool or self.judged) and not others["qrels"]:
            raise typer.BadParameter(f"--{'pool' if self.pool else 'judged'} goes with --qrels")
        if self.pool is None:
            of_pool = (self.rankers, self.pool_queries, self.read_twice, self.seed)
            if of_pool != (_RANKERS, None, _TWICE, 0):
                raise typer.BadParameter(
                    "--rankers, --pool-queries, --read-twice and --seed go with --pool"
                )
            return
        for name in _BESIDE:
            if others.get(name):
                raise typer.BadParameter(f"--{name.replace('_', '-')} does not go with --pool")
        check_new_folder(self.pool)

    @property
    def systems(self) -> list[str]:
        """The names of the rankers."""
        return [each.strip() for each in self.rankers.split(",")]

    def write(self, comparison: Comparison, sets: Sequence[Qrels]) -> None:
        """Write the pool, and say what it holds."""
        if self.pool is None:
            return
        pool = comparison.pool(sets, self.pool_queries, self.read_twice, self.seed)
        if not pool.n_pairs:
            log("Everything among the ten is judged: no pool was written.")
            return
        write_pool(pool, self.pool)
        log(
            f"{self.pool}: {pool.n_pairs:,} pairs of {pool.n_queries:,} queries to read, "
            f"{pool.n_twice:,} of them twice. Start with guide.md."
        )
