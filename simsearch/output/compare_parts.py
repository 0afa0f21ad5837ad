"""Sentences and selections that every format of a comparison shows alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from simsearch.design.groups import Group
from simsearch.output.design_words import plural
from simsearch.search.compare import Comparison
from simsearch.search.shape import query_name

FREQUENT = 12
"""The most groups of one kind that a page or a table lists."""


def intro(comparison: Comparison) -> str:
    """Return in one sentence what is compared with what."""
    n = len(comparison)
    if not comparison.asked and not comparison.query.texts:
        return f"{plural(n, 'study')} as given, side by side."
    name = query_name(comparison.query)
    if comparison.named:
        return f"{name} and {plural(n, 'study')} as given."
    n_close, n_far = comparison.benchmark.n, comparison.n_far
    if not n:
        return f"{name}: no study passes."
    close = f"{n_close} of them close" if n_far else "all of them close"
    return f"{name} and its {plural(n, 'nearest study')}, {close}."


def missing_note(comparison: Comparison) -> list[str]:
    """Say what the index lacks, and what to do."""
    found = []
    without, all_of_them = comparison.n_without_facts, len(comparison.designs)
    if comparison.lacks:
        found.append(
            f"This index does not keep {', '.join(comparison.lacks)}: to have them, rebuild it "
            "with --details full."
        )
    elif without:
        found.append(
            f"The records of {without} of these {plural(all_of_them, 'study')} give no details "
            "(design, arms, outcomes, sites)."
        )
    if comparison.asked and len(comparison) and not comparison.benchmark.n:
        found.append(
            "None of these studies is close: there is no benchmark. Name studies to compare with "
            "(--with), or ask for more (-k)."
        )
    elif len(comparison) and comparison.benchmark.n < 3:  # noqa: PLR2004 - as benchmark.LEAST
        found.append(
            f"The benchmark rests on {plural(comparison.benchmark.n, 'study')}: too few for "
            "medians and shares."
        )
    return found


def frequent(groups: Sequence[Group], own: Collection[str], most: int) -> list[Group]:
    """Return the groups to list: those of several studies, else the first few of one."""
    counted = [(len(set(each.nct_ids) - set(own)), each) for each in groups]
    several = [each for n, each in sorted(counted, key=lambda pair: -pair[0]) if n > 1]
    if several:
        return several[:most]
    return [each for n, each in counted if n][: most // 2]


def groups_note(groups: Sequence[Group], own: Collection[str], n: int, n_shown: int) -> str:
    """Say how many studies were read, and what is not listed."""
    others = [each for each in groups if set(each.nct_ids) - set(own)]
    if not n:
        return "not given by any of the studies"
    rest = len(others) - n_shown
    more = f"; {plural(rest, 'other')}" if rest else ""
    return f"of {plural(n, 'study')} that name them{more}"


def frames_words(group: Group) -> str:
    """Return the typical time frames: `28 days (3), 6 months`."""
    shown = [f"{frame} ({n})" if n > 1 else frame for frame, n in group.time_frames[:3]]
    more = len(group.time_frames) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
