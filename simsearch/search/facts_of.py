"""The facts of studies, from the index that keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from simsearch.index.opened import OpenedIndex
from simsearch.study import Study


def with_facts(index: OpenedIndex, studies: Sequence[Study]) -> list[Study]:
    """Return studies with the facts that an index keeps of them; drafts have their own."""
    rows = {each.nct_id: index.store.row_of(each.nct_id) for each in studies if not each.facts}
    there = {nct_id: row for nct_id, row in rows.items() if row is not None}
    facts = dict(zip(there, index.study_facts(list(there.values())), strict=True))
    return [
        msgspec.structs.replace(each, facts=facts[each.nct_id]) if each.nct_id in facts else each
        for each in studies
    ]


_LONG = ("detailed description", "eligibility criteria")
_OTHERS = (
    "why stopped", "design", "arms", "primary outcomes", "ages and sex", "sites", "references",
    "other numbers",
)  # fmt: skip


def lacking(index: OpenedIndex) -> tuple[str, ...]:
    """Return the parts of a study's page that an index does not keep, in words."""
    details = index.generation.manifest.details
    return {"full": (), "brief": _LONG}.get(details, (*_OTHERS, *_LONG))
