"""What a list shows beside its neighbours: filters with counts, exports, other views."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from simsearch.index.opened import OpenedIndex
from simsearch.output.answer import closeness
from simsearch.search.answer import Answer
from simsearch.search.facets import FACETS, Counts, facet_counts
from simsearch.search.filter_values import spelled
from simsearch.search.filters import Filters
from simsearch.web import asking, replies
from simsearch.web.asking import Asked
from simsearch.web.linking import Addresses, view_tabs
from simsearch.web.rendering import page

_STEPS = (10, 20, 50, 100, 200)
"""How many neighbours a page shows, step by step."""


def list_values(
    index: OpenedIndex, answer: Answer, asked: Asked, own: str, base: Asked
) -> dict[str, Any]:
    """Return what the template of a list needs.

    Args:
        index: the index.
        answer: the list.
        asked: what it is the answer to.
        own: the path of the page.
        base: what of `asked` its address has beside the path.
    """
    more = next((k for k in _STEPS if k > asked.k), 0) if len(answer) == asked.k else 0
    counts, chosen = facet_counts(index, answer.filters), _chosen(index, asked)
    return {
        "countries": _countries(index, counts, answer.filters, chosen["country"]),
        "facts": index.facts,
        "answer": answer,
        "asked": asked,
        "draft": None,
        "own": own,
        "counts": counts,
        "here": Addresses(own, base),
        "several": Addresses("/related", asked),
        "export": Addresses(own, base),
        "exports": {ending: shown[2] for ending, shown in replies.EXPORTS.items()},
        "more": more,
        "closeness": closeness(answer),
        "view": view_tabs(asked),
        "chosen": chosen,
        "cleared": asking.address(
            own, Asked(studies=base.studies, unlike=asked.unlike, texts=asked.texts)
        ),
    }


def _countries(
    index: OpenedIndex, counts: Counts, filters: Filters, chosen: tuple[str, ...]
) -> Markup:
    """Return the choice of countries, of which there are some two hundred; made once."""
    return index.remember(
        ("countries", filters, chosen),
        lambda: Markup(page("countries.html", counts=counts, chosen=chosen)),  # noqa: S704 - a template
    )


def _chosen(index: OpenedIndex, asked: Asked) -> dict[str, tuple[str, ...]]:
    """Return filter → its values as the index spells them."""
    return {kind: spelled(index.store, kind, getattr(asked, kind)) for kind in FACETS}
