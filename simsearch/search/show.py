"""One study in full, with the studies most like it."""

from __future__ import annotations

from typing import Any

import msgspec

from simsearch.index.directory import IndexFacts
from simsearch.index.opened import OpenedIndex
from simsearch.search.answer import Answer, ask
from simsearch.search.facts_of import lacking, with_facts
from simsearch.search.question import Question
from simsearch.search.resolve import FindStudy, LoadEncoder
from simsearch.study import Study


class Shown(msgspec.Struct, frozen=True):
    """A study in full, and its related list; neither needs the index any more."""

    study: Study
    """With its facts, where the index keeps them."""
    related: Answer | None
    """The studies most like it; None where it holds nothing to compare, or k is 0."""
    facts: IndexFacts
    """What dates and identifies the index."""
    lacks: tuple[str, ...] = ()
    """The parts of a study's page that the index does not keep, in words."""
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, in the shape that docs/json.md describes."""
        from simsearch.search.show_shape import shown_shape

        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(shown_shape(self)))
        return plain

    def __repr__(self) -> str:
        more = f", {len(self.related)} related" if self.related is not None else ""
        return f"<study {self.study.nct_id} {self.study.title!r}{more}>"

    def _repr_html_(self) -> str:
        from simsearch.search.show_shape import shown_html

        return shown_html(self)


def show(
    index: OpenedIndex,
    nct_id: str,
    k: int = 10,
    *,
    find_study: FindStudy | None = None,
    load_encoder: LoadEncoder | None = None,
) -> Shown:
    """Return a study in full, and the k studies most like it.

    Args:
        index: where it is.
        nct_id: any spelling of its NCT ID, or an obsolete number of it.
        k: how many related studies; 0 for none.
        find_study: finds a study that the index lacks, by its NCT ID; None refuses it.
        load_encoder: loads the model that built the index; None loads what the index names.

    Raises:
        NctIdError, UnknownStudyError: no such ID, or not in this index.
        ArgumentError: k is out of its range.
    """
    canonical, row = index.locate(nct_id)
    if row is not None:
        (study,) = with_facts(index, index.store.studies([row]))
    elif find_study:
        study = find_study(canonical)
    else:
        raise index.lacks(canonical)
    lacks = lacking(index) if row is not None else ()
    if k == 0 or (row is not None and not index.has_text[row]):
        return Shown(study, None, index.facts, lacks)
    question = Question(studies=(nct_id,), k=k)
    related = ask(index, question, find_study=lambda _: study, load_encoder=load_encoder)
    return Shown(study, related, index.facts, lacks, related.notes)
