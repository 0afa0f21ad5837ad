"""Pairs of texts that say the same of a study, made from records alone.

Two views of one study (its head and its summary, its title and its criteria), and texts of
two studies that test the same intervention in the same condition. Nobody's judgement enters.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from simsearch.encode.fields import conditions_text, interventions_text, plain_text
from simsearch.study import Study

# An intervention of more studies than this says little (placebo, questionnaire).
MOST_OF_ONE_KIND = 40
HALF = 0.5
# Share of the studies that are paired with a twin; all are paired with themselves.
TWINS = 0.33

_DOSE = re.compile(r"\b[\d.,]+ ?(mg|mcg|µg|g|ml|iu|%|mg/kg|mg/day)\b|\([^)]*\)")


class Pair(NamedTuple):
    """Two texts to be brought together."""

    anchor: str
    positive: str


def make_pairs(
    studies: Sequence[Study], long_texts: Mapping[str, tuple[str, str]], seed: int
) -> Iterator[Pair]:
    """Yield pairs of views of one study and of twin studies, each text without NCT IDs.

    Args:
        studies: what to learn from.
        long_texts: description and eligibility criteria by NCT ID, where known.
        seed: of the choices and of what is left out.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    twins = _twins(studies, chance)
    for study in studies:
        description, criteria = long_texts.get(study.nct_id, ("", ""))
        views: list[tuple[str, str]] = []
        if study.summary:
            views.append((_head(study), study.summary))
        if criteria:
            views.append((f"{study.title}. {_start(study.summary, 200)}", criteria))
        if description:
            views.append((f"{study.title}. {conditions_text(study)}", description))
        if study.interventions and study.summary:
            views.append((_fields(study, chance), f"{study.title}. {_start(study.summary, 400)}"))
        if views:
            anchor, positive = chance.choice(views)
            yield Pair(plain_text(anchor), plain_text(positive))
        twin = twins.get(study.nct_id)
        if twin is not None and chance.random() < TWINS:
            yield Pair(_partly(study, chance), _partly(twin, chance))


def _twins(studies: Sequence[Study], chance: random.Random) -> dict[str, Study]:
    """Return for a study another one of the same condition and intervention, where known."""
    groups: dict[tuple[str, str], list[Study]] = defaultdict(list)
    for study in studies:
        conditions = {name.casefold() for name in (*study.conditions, *study.condition_mesh[:1])}
        names = {_DOSE.sub("", each.name.casefold()).strip() for each in study.interventions}
        names |= {name.casefold() for name in study.intervention_mesh[:1]}
        for condition in conditions:
            for name in names:
                groups[condition, name].append(study)
    best: dict[str, list[Study]] = {}
    for group in groups.values():
        if not 1 < len(group) <= MOST_OF_ONE_KIND:
            continue
        for study in group:
            if study.nct_id not in best or len(group) < len(best[study.nct_id]):
                best[study.nct_id] = group
    return {
        nct_id: chance.choice([study for study in group if study.nct_id != nct_id])
        for nct_id, group in best.items()
        if any(study.nct_id != nct_id for study in group)
    }


def _head(study: Study) -> str:
    return ". ".join(filter(None, (study.title, conditions_text(study), interventions_text(study))))


def _fields(study: Study, chance: random.Random) -> str:
    """Return the short texts: conditions, interventions or both."""
    parts = [conditions_text(study), interventions_text(study)]
    kept = chance.choice((parts[:1], parts[1:], parts))
    return ". ".join(filter(None, kept)) or interventions_text(study)


def _partly(study: Study, chance: random.Random) -> str:
    """Return the whole text, conditions and interventions each left out half of the time."""
    parts = [study.title]
    parts += [conditions_text(study)] if chance.random() < HALF else []
    parts += [interventions_text(study)] if chance.random() < HALF else []
    parts.append(study.summary)
    return plain_text(". ".join(filter(None, parts)))


def _start(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length].rsplit(" ", 1)[0]
