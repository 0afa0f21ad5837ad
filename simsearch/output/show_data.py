"""A study in full as JSON; the shape is that of `search/show_shape.py`."""

from __future__ import annotations

from collections.abc import Iterator

from simsearch.files import pretty_json
from simsearch.output.formats import View
from simsearch.search.show import Shown
from simsearch.search.show_shape import shown_shape


def study_json(shown: Shown, _: View) -> Iterator[str]:
    """Yield one JSON object: study, what the index lacks, related, index."""
    yield pretty_json(shown_shape(shown))
