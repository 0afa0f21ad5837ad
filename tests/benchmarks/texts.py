"""What questions in words bring: the share of the first five that are about what was asked.

    python tests/benchmarks/texts.py --index DIR
    python tests/benchmarks/texts.py --index DIR --texts tests/benchmarks/texts/dev.tsv --show

A row of the file is a text, its kind, and what a neighbour must have: groups of words joined by
`&`, of which it needs one each (`sildenafil|viagra & hypertension`), somewhere in its title,
conditions, keywords or interventions as registered; or `phase:`, `status:`, `country:` and a value
of the record; or `none`, for a text that no study can answer: none of its neighbours may be called
close. `judged.tsv` was never used to choose anything; `dev.tsv` was.
"""

from __future__ import annotations

import csv
import re
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from spine import machine

from simsearch import Answer, Study, open_index
from simsearch.errors import SimsearchError
from simsearch.index.opened import opened_index

TEXTS = Path(__file__).parent / "texts" / "judged.tsv"
FIRST = 5
ENOUGH = 0.6
"""A text is well answered where so much of the first five is about what was asked."""


class Row(msgspec.Struct):
    """A text of the file."""

    text: str
    kind: str
    must: str


def main(
    index: Annotated[Path, typer.Option(help="An index of real studies.")],
    texts: Annotated[Path, typer.Option(help="The texts, and what each must bring.")] = TEXTS,
    show: Annotated[bool, typer.Option(help="Print what each text brings.")] = False,
) -> None:
    """Print the figures by kind of text."""
    with texts.open(encoding="utf-8") as file:
        rows = [Row(**row) for row in csv.DictReader(file, delimiter="\t")]
    with opened_index(index) as opened:
        studies = opened.store.studies(list(range(opened.n_studies)))
    shares: dict[str, list[float]] = defaultdict(list)
    wrongly_close: list[str] = []
    times = []
    with open_index(index) as opened:
        opened.related(text="warm up")
        for row in rows:
            n_there = sum(meets(row.must, study) for study in studies)
            began = time.perf_counter()
            try:
                answer = opened.related(text=row.text, k=10)
            except SimsearchError as error:
                print_row(row, 1.0 if row.must == "none" else 0.0, None, str(error), show=show)
                shares[row.kind].append(1.0 if row.must == "none" else 0.0)
                continue
            times.append(time.perf_counter() - began)
            share = judged(row, answer, n_there)
            shares[row.kind].append(share)
            print_row(row, share, answer, "", show=show)
            if share < ENOUGH and answer.n_close:
                wrongly_close.append(row.text)
    print_figures(shares, wrongly_close)
    print(f"{machine()}; median {1000 * statistics.median(times):.1f} ms a text")


def judged(row: Row, answer: Answer, n_there: int) -> float:
    """Return the share of the first neighbours that meet what a text must bring."""
    if row.must == "none":
        return float(not answer.n_close)
    found = sum(meets(row.must, each.study) for each in answer[:FIRST])
    return found / max(1, min(FIRST, n_there))


def meets(must: str, study: Study) -> bool:
    """Report whether a record has one word of each group."""
    if must == "none":
        return False
    names = (name for each in study.interventions for name in (each.name, *each.other_names))
    said = "\n".join(
        (study.title, study.official_title, study.acronym, *study.conditions, *study.keywords,
         *names)
    ).casefold()  # fmt: skip
    return all(has_one(group.strip(), study, said) for group in must.split("&"))


def has_one(group: str, study: Study, said: str) -> bool:
    """Report whether a record has one of the words of a group, or the value that it names."""
    field, _, value = group.partition(":")
    if field in {"phase", "status", "country"} and value:
        values = {"phase": study.phases, "status": (study.status,), "country": study.countries}
        return value in values[field]
    words = "|".join(re.escape(word.strip().casefold()) for word in group.split("|"))
    return bool(re.search(rf"(?<![^\W_])(?:{words})", said))


def print_row(row: Row, share: float, answer: Answer | None, error: str, *, show: bool) -> None:
    """Print what a text brings."""
    if not show:
        return
    close = f", {answer.n_close} close" if answer is not None else ""
    print(f"\n{share:.1f}  {row.text}  [{row.must}]{close} {error}")
    if answer is None:
        return
    for note in answer.notes:
        print(f"     {note}")
    for each in answer[:FIRST]:
        names = "; ".join((*each.study.conditions[:2], *(i.name for i in each.study.interventions)))
        mark = "+" if meets(row.must, each.study) else " "
        print(f"   {mark} {each.percentile:.2f} {each.similarity:.2f} {each.title[:80]} | "
              f"{names[:70]}")  # fmt: skip


def print_figures(shares: dict[str, list[float]], wrongly_close: list[str]) -> None:
    """Print a row for each kind of text."""
    print("\n| kind | texts | share of the first five | well answered |\n|---|---|---|---|")
    everything = [share for some in shares.values() for share in some]
    for kind, some in {**shares, "all": everything}.items():
        well = sum(share >= ENOUGH for share in some)
        print(f"| {kind} | {len(some)} | {statistics.mean(some):.2f} | {well} |")
    print(f"close though not well answered: {'; '.join(wrongly_close) or 'none'}")


if __name__ == "__main__":
    typer.run(main)
