"""Studies where they lie to one another, as one SVG."""

from __future__ import annotations

from collections.abc import Sequence

from simsearch.output.pictures import label, legend, linked, look_of, mark, picture, status_words
from simsearch.search.neighbourhood import Neighbourhood
from simsearch.study import Study

_WIDTH, _HEIGHT, _MARGIN = 960, 640, 60
_GAP = 26.0  # between two marks, so that their numbers can be read
_LETTER = 7.6  # width of one in a label
_ROUNDS = 60
_GOOD, _FAIR = 0.1, 0.2  # of Kruskal's stress

Place = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""


def neighbourhood_map(
    asked: Sequence[Study], studies: Sequence[Study], found: Neighbourhood
) -> str:
    """Return a map of studies: near ones are alike. Numbers are ranks.

    Args:
        asked: the query studies.
        studies: their neighbours, in the order of their ranks.
        found: where they lie.

    Returns:
        an `<svg>`, the same for the same studies.
    """
    where = dict(zip(found.nct_ids, _fitted(found.places), strict=True))
    apart = _apart([where[each.nct_id] for each in (*asked, *studies)])
    places = dict(zip([each.nct_id for each in (*asked, *studies)], apart, strict=True))
    words = [*(each.nct_id or "draft" for each in asked), *map(str, range(1, len(studies) + 1))]
    labels = dict(zip(places, _labels(apart, words, len(asked)), strict=True))
    shapes = [
        _point(study, str(rank), places[study.nct_id], labels[study.nct_id])
        for rank, study in enumerate(studies, start=1)
    ]
    shapes += [_query(study, places[study.nct_id], labels[study.nct_id]) for study in asked]
    shapes += legend([*asked, *studies], 14, _HEIGHT - 14)
    told = f"{len(places)} studies; near ones are alike. {trust(found.stress)}"
    return picture(_WIDTH, _HEIGHT, "Map of trials", told, shapes)


def trust(stress: float) -> str:
    """Return how far the distances of a map can be trusted, in words."""
    how = "most are kept" if stress <= _GOOD else "they are roughly kept"
    if stress > _FAIR:
        how = "many are distorted: take it as a sketch"
    return f"Stress {stress:.2f} (0 would keep all distances): {how}."


def _point(study: Study, rank: str, place: Place, at: Place) -> str:
    shapes = mark(look_of(study), *place, 7) + label(*at, rank)
    told = f"{rank}. {study.nct_id} {study.title}: {status_words(study)}"
    return linked(study, told, shapes)


def _query(study: Study, place: Place, at: Place) -> str:
    x, y = place
    ring = (
        f'<circle class="line-query" fill="none" stroke="#8a4b00" stroke-width="2.5" cx="{x:.1f}" '
        f'cy="{y:.1f}" r="13"/>'
    )
    shapes = ring + mark(look_of(study), x, y, 7) + label(*at, study.nct_id, kind="ink")
    return linked(study, f"Query: {study.nct_id} {study.title}", shapes)


def _labels(places: Sequence[Place], words: Sequence[str], n_asked: int) -> list[Place]:
    """Return where the label of each mark begins: beside it, and over as little as can be.

    The labels of the query studies, which are the longest, are placed first.
    """
    taken = [(x - 9, y - 9, x + 9, y + 9) for x, y in places]
    found = []
    for number, ((x, y), text) in enumerate(zip(places, words, strict=True)):
        gap, width = (18 if number < n_asked else 11), _LETTER * len(text)
        choices = (
            (x + gap, y + 4), (x - gap - width, y + 4), (x - width / 2, y - gap - 2),
            (x - width / 2, y + gap + 11),
        )  # fmt: skip
        boxes = [(left, low - 10, left + width, low + 2) for left, low in choices]
        others = taken[:number] + taken[number + 1 :]
        best = min(range(len(choices)), key=lambda n: (_overlap(boxes[n], others), n))
        found.append(choices[best])
        taken.append(boxes[best])
    return found


def _overlap(box: Box, others: Sequence[Box]) -> float:
    """Return the area of a box that others, or the edge of the picture, take."""
    left, top, right, bottom = box
    beyond = max(0, -left) + max(0, right - _WIDTH)
    return 100 * beyond + sum(
        max(0, min(right, r) - max(left, x)) * max(0, min(bottom, b) - max(top, y))
        for x, y, r, b in others
    )


def _fitted(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return places in the picture, at one scale for both axes."""
    if not places:
        return []
    xs, ys = zip(*places, strict=True)
    room = (_WIDTH - 2 * _MARGIN - 60, _HEIGHT - 2 * _MARGIN - 20)
    widths = (max(xs) - min(xs), max(ys) - min(ys))
    scale = min((r / w for r, w in zip(room, widths, strict=True) if w > 0), default=1.0)
    middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)
    return [
        (_WIDTH / 2 - 30 + scale * (x - middle[0]), _HEIGHT / 2 - 14 - scale * (y - middle[1]))
        for x, y in places
    ]


def _apart(places: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return places moved a little, so that no mark lies on another; in a fixed order."""
    moved = [list(each) for each in places]
    for _ in range(_ROUNDS):
        is_done = True
        for one in range(len(moved)):
            for other in range(one + 1, len(moved)):
                dx, dy = moved[other][0] - moved[one][0], moved[other][1] - moved[one][1]
                distance = (dx * dx + dy * dy) ** 0.5
                if distance >= _GAP:
                    continue
                is_done = False
                if not distance:
                    dx, dy, distance = 1.0, float(other - one) / len(moved), 1.0
                push = (_GAP - min(distance, _GAP)) / 2 + 0.1
                moved[one][0] -= push * dx / distance
                moved[one][1] -= push * dy / distance
                moved[other][0] += push * dx / distance
                moved[other][1] += push * dy / distance
        if is_done:
            break
    return [(x, y) for x, y in moved]
