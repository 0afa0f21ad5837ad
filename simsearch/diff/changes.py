"""The studies that differ between two generations, and the fields that changed.

`compare` opens the two generations; the `Comparison` counts the studies that were added, changed
or have gone, and iterates over them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import msgspec

from simsearch.callbacks import Progress, no_progress
from simsearch.diff.fields import KINDS, FieldChange, changed_fields
from simsearch.errors import NoEarlierGenerationError
from simsearch.files import batches
from simsearch.index.directory import is_demo, is_index, open_generation
from simsearch.index.generations import generation_names, named
from simsearch.index.opened import OpenedIndex
from simsearch.study import Study

_BATCH = 500  # studies read at a time


class StudyChange(msgspec.Struct, frozen=True, kw_only=True):
    """The difference in one study between the old generation and the new; false if there is none.

    Attributes:
        event: `added`, `changed`, `gone` or `unchanged`.
        study: the new record, or the last one of a study that has gone.
        fields: the fields that changed, the most important first.
        became: of a study that has gone, the NCT ID of the study that it was merged into, or
            `""` where it was not or that is not known.
        since: the date on which it was found to have gone, or `""`.
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
        """The kinds of change (see `KINDS`), the most important first."""
        changed = {field.name for field in self.fields}
        return tuple(kind for kind, names in KINDS.items() if changed & set(names))


class Comparison:
    """Two opened generations and the studies that differ; `compare` opens it.

    A context manager that closes both generations. True if any study differs. `counts` is
    complete from the start, `kinds` once the studies have been iterated over.
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
        """Event → number of studies."""
        self.kinds: Counter[str] = Counter()
        """Kind of change → number of studies; a study counts in each of its kinds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.old.close()
        self.new.close()

    def __bool__(self) -> bool:
        return any(self.counts.values())

    @property
    def same_recipe(self) -> bool:
        """Whether both have the same recipe; if not, any neighbour may differ."""
        old, new = (index.generation.manifest.recipe.digest for index in (self.old, self.new))
        return old == new

    def studies(self) -> Iterator[StudyChange]:
        """Yield the studies that were added, changed or have gone, ordered by NCT ID."""
        self.kinds.clear()
        for pairs in batches(self._rows.tolist(), _BATCH):
            was_rows, now_rows = map(list, zip(*pairs, strict=True))
            both = [(was, now) for was, now in pairs if was >= 0 and now >= 0]
            before = _studies(self.old, was_rows, [was for was, _ in both])
            after = _studies(self.new, now_rows, [now for _, now in both])
            for was, now in pairs:
                change = self.change(before.get(was), after.get(now))
                self.kinds.update(change.kinds)
                yield change

    def change(self, before: Study | None, after: Study | None) -> StudyChange:
        """Return the difference between two records of a study; at least one must be given."""
        if after is None:
            return self._gone(before or Study(nct_id=""))
        if before is None:
            return StudyChange(event="added", study=after)
        fields = changed_fields(before, after)
        return StudyChange(event="changed" if fields else "unchanged", study=after, fields=fields)

    def _gone(self, study: Study) -> StudyChange:
        store = self.new.store
        known = store.gone(study.nct_id)
        row = store.row_of(study.nct_id)  # found where it is now an alias of another study
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
    """Open two generations and compare their studies.

    Args:
        index: the folder of the index.
        old: a generation of the index, by its name or the start of it (dashes and colons are
            ignored), or the folder of another index; `""` for the generation before `new`.
        new: likewise; `""` for the current generation.
        progress: called now and then with the number of studies compared.

    Raises:
        GenerationNameError: `old` or `new` matches no generation, or several.
        NoEarlierGenerationError: there is no generation before `new`.
        IndexReadError: one of the two cannot be read.
    """
    with ExitStack() as opened:
        after = opened.enter_context(_open(index, new))
        before = opened.enter_context(_open(index, old or _name_before(after)))
        comparison = Comparison(before, after, progress)
        opened.pop_all()  # the comparison closes both
    return comparison


def _studies(index: OpenedIndex, rows: list[int], compared: list[int]) -> dict[int, Study]:
    """Return row → study, leaving out rows of -1; with the facts of those to be compared."""
    present = [row for row in rows if row >= 0]
    found = dict(zip(present, index.store.studies(present), strict=True))
    for row, facts in zip(compared, index.store.facts(compared), strict=True):
        found[row] = msgspec.structs.replace(found[row], facts=facts)
    return found


def _open(index: Path, text: str) -> OpenedIndex:
    """Open a generation by its name, or the current one of another index by its folder."""
    if not text:
        return OpenedIndex(index, open_generation(index))
    if is_index(Path(text)):
        return OpenedIndex(Path(text), open_generation(Path(text)))
    return OpenedIndex(index, open_generation(index, named(index, text)))


def _name_before(index: OpenedIndex) -> str:
    """Return the generation that was current before this one, or else the newest older one."""
    manifest = index.generation.manifest
    names = generation_names(index.path)
    if manifest.previous in names:
        return manifest.previous
    earlier = [name for name in names if name < manifest.generation]
    if not earlier:
        others = [name for name in names if name != manifest.generation]
        raise NoEarlierGenerationError(
            index.path, manifest.generation, others, is_demo=is_demo(index.path)
        )
    return earlier[0]
