"""Outcomes and criteria grouped by meaning: the same thing in other words is one group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.design.wording import differ, marks, shared_abbreviations, wording

Rows = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], Rows]
"""Texts → (n_texts, dimension) float32 unit rows, or zeros."""


_FAR = 4.0
"""The distance of texts that are two things: more than that of any two rows."""


class Mention(msgspec.Struct, frozen=True):
    """An outcome or a criterion as one study has it."""

    nct_id: str
    text: str
    time_frame: str = ""


class Group(msgspec.Struct, frozen=True):
    """What several studies say of one thing, each in its words."""

    label: str
    """The most central text."""
    mentions: tuple[Mention, ...]
    """In the order of the studies."""

    @property
    def nct_ids(self) -> tuple[str, ...]:
        """The studies, each once."""
        return tuple(dict.fromkeys(each.nct_id for each in self.mentions))

    @property
    def time_frames(self) -> tuple[tuple[str, int], ...]:
        """The time frames and how many studies have each, the most frequent first."""
        pairs = {(each.nct_id, tidy(each.time_frame)) for each in self.mentions if each.time_frame}
        counts = Counter(frame for _, frame in pairs)
        return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def tidy(time_frame: str) -> str:
    """Return a time frame as it is counted: without capitals, final stop and doubled blanks."""
    return " ".join(time_frame.casefold().split()).rstrip(".")


def grouped(mentions: Sequence[Mention], embed: Embed, distance: float) -> tuple[Group, ...]:
    """Return groups of mentions of like meaning, those of most studies first.

    The mean cosine distance between the texts of two groups that are joined is at most
    `distance` (agglomerative clustering, average linkage). The same mentions give the same
    groups.

    Args:
        mentions: what studies say; a study may say several things.
        embed: texts → unit rows.
        distance: 0 to 1; 0 joins only equal wordings.
    """
    short = shared_abbreviations(each.text for each in mentions)
    worded = [wording(each.text, short) for each in mentions]
    texts = sorted(set(worded))
    if not texts:
        return ()
    rows = embed(texts)
    places = dict(zip(texts, _clusters(texts, rows, distance), strict=True))
    members: dict[int, list[int]] = {}
    for number, text in enumerate(worded):
        members.setdefault(places[text], []).append(number)
    at = {text: place for place, text in enumerate(texts)}
    groups = [
        Group(
            _central([mentions[each].text for each in some], rows[[at[worded[e]] for e in some]]),
            tuple(mentions[each] for each in some),
        )
        for some in members.values()
    ]
    return tuple(sorted(groups, key=lambda each: (-len(each.nct_ids), each.label.casefold())))


def _clusters(texts: Sequence[str], rows: Rows, distance: float) -> list[int]:
    """Return the number of the cluster of each text; those whose marks differ are far apart."""
    if len(rows) == 1:
        return [0]
    from scipy.cluster.hierarchy import fcluster, linkage

    cosines = rows.astype(np.float64) @ rows.T.astype(np.float64)
    apart = np.clip(1 - cosines, 0, 2).round(9)
    marked = [(place, its) for place, text in enumerate(texts) if (its := marks(text))]
    for (one, its), (other, others) in combinations(marked, 2):
        if differ(its, others):
            apart[one, other] = apart[other, one] = _FAR
    above = apart[np.triu_indices(len(rows), 1)]
    numbers: list[int] = fcluster(linkage(above, "average"), distance, "distance").tolist()
    return numbers


def _central(texts: Sequence[str], rows: Rows) -> str:
    """Return the text whose row is nearest to all of a group; of equals the shortest."""
    nearness = (rows @ rows.mean(axis=0)).round(6)
    best: list[int] = np.flatnonzero(nearness == nearness.max()).tolist()
    return min((texts[each] for each in best), key=lambda text: (len(text), text))
