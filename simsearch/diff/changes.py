"""What became of the studies between two generations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import msgspec

from simsearch.callbacks import Progress, no_progress
from simsearch.errors import NoEarlierGenerationError
from simsearch.index.directory import is_demo, is_index, open_generation
from simsearch.index.generations import generation_names, named
from simsearch.index.opened import OpenedIndex
from simsearch.study import Study

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "status": ("status", "last_known_status"),
        "results": ("has_results",),
        "dates": ("start_date", "completion_date"),
        "enrollment": ("enrollment",),
        "design": ("study_type", "phases"),
        "conditions": ("conditions", "condition_mesh"),
        "interventions": ("interventions", "intervention_mesh"),
        "texts": ("title", "official_title", "acronym", "summary", "keywords", "outcomes"),
        "sponsor": ("sponsor",),
        "countries": ("countries",),
        "numbers": ("aliases", "mentions"),
        "other": ("last_update_date",),
    }
)
"""Kind of change → the fields of a study that it is about, the most telling first.

`other` is a record that was updated without a change in any field that is kept.
"""

_BATCH = 500  # studies fetched at once


class FieldChange(msgspec.Struct, frozen=True):
    """One field of a study, as it was and as it is."""

    name: str
    old: Any
    new: Any


class StudyChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one study from the old generation to the new.

    `event` is `added`, `changed`, `gone` or `unchanged`; `study` is as it is now, or as it was
    last; of one that has gone, `became` is the NCT ID of the study that it was merged into, and
    `since` the date on which that was noticed, both where known.
    """

    event: str
    study: Study
    fields: tuple[FieldChange, ...] = ()
    became: str = ""
    since: str = ""

    def __bool__(self) -> bool:
        return self.event != "unchanged"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of change, the most telling first."""
        changed = {field.name for field in self.fields}
        return tuple(kind for kind, names in KINDS.items() if changed & set(names))


class Comparison:
    """Two opened generations and the studies that differ; open with `compare`.

    A context manager that closes both. `counts` are known at once, `kinds` when the studies
    have been iterated over.
    """

    def __init__(
        self, old: OpenedIndex, new: OpenedIndex, progress: Progress = no_progress
    ) -> None:
        self.old = old
        self.new = new
        self._rows = new.store.differing_rows(old.store, progress)
        is_old, is_new = (self._rows >= 0).T
        self.counts = {
            "added": int((~is_old).sum()),
            "changed": int((is_old & is_new).sum()),
            "gone": int((~is_new).sum()),
        }
        """Event → how many studies."""
        self.kinds: Counter[str] = Counter()
        """Kind of change → how many studies, each in all of its kinds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.old.close()
        self.new.close()

    def __bool__(self) -> bool:
        return any(self.counts.values())

    @property
    def same_recipe(self) -> bool:
        """Whether both have the same vector space; if not, any neighbour may differ."""
        old, new = (index.generation.manifest.recipe.digest for index in (self.old, self.new))
        return old == new

    def studies(self) -> Iterator[StudyChange]:
        """Yield each study that was added, changed or has gone, in the order of NCT IDs."""
        self.kinds.clear()
        for start in range(0, len(self._rows), _BATCH):
            pairs = self._rows[start : start + _BATCH].tolist()
            before = _studies(self.old, [row for row, _ in pairs])
            after = _studies(self.new, [row for _, row in pairs])
            for was, now in pairs:
                change = self.change(before.get(was), after.get(now))
                self.kinds.update(change.kinds)
                yield change

    def change(self, before: Study | None, after: Study | None) -> StudyChange:
        """Return what became of a study, of which one at least is given."""
        if after is None:
            return self._gone(before or Study(nct_id=""))
        if before is None:
            return StudyChange(event="added", study=after)
        fields = changed_fields(before, after)
        return StudyChange(event="changed" if fields else "unchanged", study=after, fields=fields)

    def _gone(self, study: Study) -> StudyChange:
        store = self.new.store
        known = store.gone(study.nct_id)
        row = store.row_of(study.nct_id)  # as an obsolete number of another study
        became = store.studies([row])[0].nct_id if row is not None else ""
        return StudyChange(
            event="gone",
            study=study,
            became=became or (known.became if known else ""),
            since=known.since if known else "",
        )


def compare(
    index: Path, old: str = "", new: str = "", progress: Progress = no_progress
) -> Comparison:
    """Open two generations to be compared.

    Args:
        index: the folder of the index.
        old: a generation of it by its name or the start of one (dashes and colons make no
            difference), or the folder of another index; empty for the generation before.
        new: likewise; empty for the one that answers.
        progress: called now and then with the studies compared.

    Raises:
        GenerationNameError: nothing is named so, or several generations are.
        NoEarlierGenerationError: there is none before.
        IndexReadError: one of the two cannot be read.
    """
    with ExitStack() as opened:
        after = opened.enter_context(_open(index, new))
        before = opened.enter_context(_open(index, old or _name_before(after)))
        comparison = Comparison(before, after, progress)
        opened.pop_all()  # it closes them
    return comparison


def changed_fields(old: Study, new: Study) -> tuple[FieldChange, ...]:
    """Return the fields by which two records of a study differ, the most telling first.

    The date of the last update, which moves with every change, is told where nothing else is.
    """
    differing = [
        FieldChange(name, getattr(old, name), getattr(new, name))
        for names in KINDS.values()
        for name in names
        if getattr(old, name) != getattr(new, name)
    ]
    return tuple(field for field in differing if field.name not in KINDS["other"]) or tuple(
        differing
    )


def _studies(index: OpenedIndex, rows: list[int]) -> dict[int, Study]:
    """Return row → study, without those of row -1."""
    there = [row for row in rows if row >= 0]
    return dict(zip(there, index.store.studies(there), strict=True))


def _open(index: Path, text: str) -> OpenedIndex:
    """Open what a person named: a generation, or the folder of another index."""
    if not text:
        return OpenedIndex(index, open_generation(index))
    if is_index(Path(text)):
        return OpenedIndex(Path(text), open_generation(Path(text)))
    return OpenedIndex(index, open_generation(index, named(index, text)))


def _name_before(index: OpenedIndex) -> str:
    """Return the generation that answered before this one, or the newest of those older."""
    manifest = index.generation.manifest
    there = generation_names(index.path)
    if manifest.previous in there:
        return manifest.previous
    earlier = [name for name in there if name < manifest.generation]
    if not earlier:
        others = [name for name in there if name != manifest.generation]
        raise NoEarlierGenerationError(
            index.path, manifest.generation, others, is_demo=is_demo(index.path)
        )
    return earlier[0]
