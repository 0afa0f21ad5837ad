"""Whether the names in reasons stand in the two records that they are about.

    python tests/benchmarks/reasons.py --index DIR
    python tests/benchmarks/reasons.py --index DIR --studies 200 --lines 100

A name stands in a record if one of the registered conditions, keywords, titles or names of
interventions has all of its words, whatever their order, case and plural. MeSH terms are not
registered: the registry adds them, so the names that come from there are counted on their own.
With --lines, random reasons are printed with what both records are about, to be read.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from spine import machine

from simsearch import Neighbour, Study, open_index
from simsearch.index.opened import opened_index

SEED = 0
PLACES = ("both records", "one record only", "neither record")


def main(
    index: Annotated[Path, typer.Option(help="An index of real studies.")],
    studies: Annotated[int, typer.Option(help="Random query studies, of ten neighbours.")] = 1500,
    lines: Annotated[int, typer.Option(help="How many reasons to print.")] = 0,
    seed: Annotated[int, typer.Option(help="For the random choices.")] = SEED,
) -> None:
    """Print the figures."""
    print(f"{machine()}, seed {seed}")
    relations: Counter[str] = Counter()
    names: dict[str, Counter[str]] = defaultdict(Counter)
    times: dict[bool, list[float]] = {True: [], False: []}
    pairs: list[tuple[Study, Neighbour]] = []
    with open_index(index) as opened:
        for nct_id in random.Random(seed).sample(ids_of(index), studies):
            for explain in (False, True):
                started = time.perf_counter()
                answer = opened.related(nct_id, k=10, explain=explain)
                times[explain].append(time.perf_counter() - started)
            query = answer.query.studies[0]
            for neighbour in answer:
                pairs.append((query, neighbour))
                count(query, neighbour, relations, names)
    print_figures(relations, names)
    plain, explained = (1000 * float(np.median(times[each])) for each in (False, True))
    print(f"median query {plain:.2f} ms, with reasons {explained:.2f} ms")
    for query, neighbour in random.Random(seed + 1).sample(pairs, lines):
        print_pair(query, neighbour)


def ids_of(folder: Path) -> list[str]:
    """Return the NCT IDs of an index, in their order."""
    with opened_index(folder) as opened:
        rows = list(range(opened.n_studies))
        return [study.nct_id for study in opened.store.studies(rows) if study.title]


def count(
    query: Study, neighbour: Neighbour, relations: Counter[str], names: dict[str, Counter[str]]
) -> None:
    """Count the relation of a neighbour, and in which records its names stand."""
    reason = neighbour.reason
    assert reason is not None
    near = "none, conditions near in meaning" if reason.near else "none"
    relations[reason.relation or near] += 1
    for field, mesh in (("conditions", "condition_mesh"), ("interventions", "intervention_mesh")):
        for name in getattr(reason, field):
            in_both = [stands_in(name, study) for study in (query, neighbour.study)]
            place = PLACES[in_both.count(False)]
            names[field][place] += 1
            if name not in registered(neighbour.study) | registered(query):
                names[f"{field}, from MeSH" if name in getattr(query, mesh) else f"{field}, else"][
                    place
                ] += 1


def words(text: str) -> set[str]:
    """Return the words of a text, without case and plural."""
    return {word.rstrip("s") or word for word in re.findall(r"[^\W_]+", text.casefold())}


def registered(study: Study) -> set[str]:
    """Return the names of conditions and interventions that a sponsor registered."""
    names = (name for each in study.interventions for name in (each.name, *each.other_names))
    return {*study.conditions, *names}


def stands_in(name: str, study: Study) -> bool:
    """Report whether one registered text of a study has all words of a name."""
    titles = (study.title, study.official_title, study.acronym)
    its = words(name)
    return any(its <= words(text) for text in (*titles, *study.keywords, *registered(study)))


def print_figures(relations: Counter[str], names: dict[str, Counter[str]]) -> None:
    """Print how many lines have which relation, and where the names stand."""
    for relation, n in relations.most_common():
        print(f"{n:7,}  {relation}")
    for field, counted in names.items():
        total = counted.total()
        shares = (f"{counted[each] / max(1, total):.2%} in {each}" for each in PLACES)
        print(f"{total:7,} names of {field}: {', '.join(shares)}")


def print_pair(query: Study, neighbour: Neighbour) -> None:
    """Print a reason, and what the two records are about."""
    assert neighbour.reason is not None
    print(f"\n{neighbour.reason.line}")
    for study in (query, neighbour.study):
        print(f"  {study.nct_id} {study.title[:150]}")
        interventions = "; ".join(each.name for each in study.interventions)
        print(f"    {'; '.join(study.conditions)[:160]} | {interventions[:160]}")


if __name__ == "__main__":
    typer.run(main)
