"""Every error that simsearch raises on purpose.

    SimsearchError
    ├── ArgumentError            a value out of its range (k, weights)
    ├── FilterError              a filter's value that no study can have
    │   └── UntoldFilterError    ... because no record of the index tells it
    ├── NctIdError               text that is no NCT ID
    ├── UnknownStudyError        a valid NCT ID that this index does not hold
    │   └── GoneStudyError       ... because it has left the registry
    ├── NothingToCompareError    a study or text without a word to compare
    ├── SourceError              a records source that cannot be read (further)
    │   └── RejectedRecordsError too many of its records are unusable
    ├── MirrorError              the mirror cannot be read or written
    ├── ApiError                 the registry refuses
    │   ├── NoAnswerError        ... or does not answer
    │   └── RedirectError        ... or sends from one study on to the next without end
    ├── FetchError               a fetch that could not be completed
    │   └── FetchRefusedError    ... because the registry refuses it
    ├── EncoderError             a model that cannot be loaded or is not the right one
    ├── EngineError              workers that cannot be used
    │   └── EngineLostError      ... or not be reached
    ├── JudgedSetError           a judged set that cannot be read
    ├── RelatedFileError         a file of related lists that cannot be read or written
    │   └── RelatedBusyError     ... because another run is writing it
    ├── CacheError               the cache of vectors cannot be used
    │   └── ForeignCacheError    ... because the file is something else
    ├── IndexReadError           see its subclasses
    │   ├── IndexNotFoundError   no index where one was looked for
    │   ├── GenerationNameError  a name that is of no generation, or the start of several
    │   │   └── NoEarlierGenerationError  ... none to compare with
    │   ├── IndexCorruptError    a file of the index is missing, damaged or foreign
    │   └── RecipeError          index and code (or model) do not belong together
    └── BuildError               see its subclasses
        ├── ForeignFolderError   the target folder holds something else, or cannot be read
        ├── IndexBusyError       another process is writing there
        ├── GenerationError      no generation before, to go back to
        ├── GuardError           the new index differs too much from the one that answers
        │   ├── ShrinkError      ... it would lose many studies
        │   ├── EmptyFieldError  ... far more studies would lack a field
        │   └── MovedError       ... studies would get other neighbours
        ├── VerificationError    the index fails its own check
        ├── NoRoomError          the disk has less free than a build takes
        └── PublishError         the disk refused (full, read-only, no permission)

Each class keeps what it knows as attributes and builds its own message: what is wrong, which
one, and what to do next, in one line. `exit_code` is how the command ends:

    1     an error that a person must look at
    2     ArgumentError, FilterError, NctIdError: wrong usage, as what the command line refuses
    3     GuardError, RejectedRecordsError: not published; a person decides whether it is meant
    75    IndexBusyError, RelatedBusyError, NoAnswerError, FetchError, EngineLostError: the same
          command may do later (EX_TEMPFAIL of sysexits.h)
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

WRONG_USAGE = 2
TRY_LATER = 75


def one_line(text: str, keep: str = "") -> str:
    """Return a text as one line that no name within it can break or colour."""
    return "".join(each if each.isprintable() or each in keep else " " for each in text)


class SimsearchError(Exception):
    """Base of all errors raised on purpose; `str(error)` is one line for a person."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class ArgumentError(SimsearchError):
    """A value outside its range."""

    exit_code = WRONG_USAGE

    def __init__(self, name: str, found: object, expected: str) -> None:
        self.name = name
        self.found = found
        self.expected = expected
        super().__init__(f"{name} is {found!r}: it must be {expected}")


class FilterError(SimsearchError):
    """A filter's value that no study can have; `close` are the nearest that one can, best first.

    Few allowed values are all named, of many only the close ones.
    """

    exit_code = WRONG_USAGE
    _SHOWN = 14

    def __init__(self, name: str, value: str, close: Sequence[str], allowed: Sequence[str]) -> None:
        self.name = name
        self.value = value
        self.close = tuple(close)
        self.allowed = tuple(allowed)
        option = name.replace("_", "-")
        super().__init__(f"--{option} {value!r} is not known: {self._hint()}")

    def _hint(self) -> str:
        if len(self.allowed) <= self._SHOWN:
            known = f"There are {', '.join(self.allowed)}"
            return f"did you mean {self.close[0]!r}? {known}" if self.close else known
        if not self.close:
            return f"none of the {len(self.allowed):,} here is near it; give another"
        *others, last = map(repr, self.close)
        meant = f"{', '.join(others)} or {last}" if others else last
        return f"did you mean {meant}? There are {len(self.allowed):,} in all"


class UntoldFilterError(FilterError):
    """A filter for what no record of the index tells, whatever its `value`."""

    def __init__(self, name: str, value: str = "") -> None:
        self.name = name
        self.value = value
        self.close = self.allowed = ()
        option = name.replace("_", "-")
        SimsearchError.__init__(
            self, f"--{option}: no record of this index tells it; ask without --{option}"
        )


class NctIdError(SimsearchError):
    """Text that is no NCT ID; `close` names one that the index holds, or is empty.

    `for_words` says how to ask with words, where that can be done.
    """

    exit_code = WRONG_USAGE

    def __init__(self, text: str, reason: str, close: str = "", for_words: str = "") -> None:
        self.text = text
        self.reason = reason
        self.close = close
        self.for_words = for_words
        shown = textwrap.shorten(text, 60, placeholder="…") or text[:59]
        hint = f"; did you mean {close}?" if close else ""
        if for_words and not any(character.isdigit() for character in text):
            hint = f"; for words, {for_words}"
        super().__init__(
            f"{shown!r} {reason}: an NCT ID is NCT and eight digits, like NCT03540472{hint}"
        )


class UnknownStudyError(SimsearchError):
    """A valid NCT ID that an index does not hold; `index` names it."""

    def __init__(
        self, nct_id: str, index: str, n_studies: int, records_date: str, next_step: str
    ) -> None:
        self.nct_id = nct_id
        self.index = index
        self.n_studies = n_studies
        self.records_date = records_date
        self.next_step = next_step
        dated = f", records to {records_date}" if records_date else ""
        super().__init__(f"{nct_id} is not in {index} ({n_studies:,} studies{dated}): {next_step}")


class GoneStudyError(UnknownStudyError):
    """A study that has left the registry, or was merged into another."""

    def __init__(
        self, nct_id: str, since: str, became: str, index: str, n_studies: int, records_date: str
    ) -> None:
        self.nct_id = nct_id
        self.since = since
        self.became = became
        self.index = index
        self.n_studies = n_studies
        self.records_date = records_date
        self.next_step = f"ask for {became}" if became else ""
        what = f"was merged into {became}: ask for that" if became else "has left the registry"
        SimsearchError.__init__(self, f"{nct_id} {what} (noticed on {since})")


class NothingToCompareError(SimsearchError):
    """A study or text without a word that could be compared."""

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(f"{what} has nothing to compare: {reason}")


class SourceError(SimsearchError):
    """A records source that cannot be read, or not to its end."""

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class RejectedRecordsError(SourceError):
    """More of the records are unusable than a build accepts."""

    exit_code = 3

    def __init__(self, n_rejected: int, n_read: int, first: str) -> None:
        self.n_rejected = n_rejected
        self.n_read = n_read
        self.first = first
        super().__init__(
            f"{n_rejected:,} of {n_read:,} records rejected",
            f"more than 1 % (first: {first}); nothing was published, mend the source or "
            "give --allow-rejects",
        )


class MirrorError(SimsearchError):
    """The mirror is something else, damaged, or cannot be written."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"mirror {path} {reason}; name another with --mirror")


class ApiError(SimsearchError):
    """The registry refuses a request, or answers it in a form that is not its own."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"{url}: {reason}")


class NoAnswerError(ApiError):
    """The registry does not answer after several tries."""

    exit_code = TRY_LATER


class RedirectError(ApiError):
    """The registry sends from one study on to the next, in a circle or too often."""


class FetchError(SimsearchError):
    """A fetch that could not be completed; what came is kept."""

    exit_code = TRY_LATER

    def __init__(self, reason: str, n_received: int) -> None:
        self.reason = reason
        self.n_received = n_received
        super().__init__(
            f"{reason}; the {n_received:,} studies received are kept, and the same command goes "
            "on from there"
        )


class FetchRefusedError(FetchError):
    """A fetch that the registry refuses, or answers in another form: a person must look."""

    exit_code = 1


class EncoderError(SimsearchError):
    """A model that cannot be loaded, or that is not the one expected."""

    def __init__(self, model: str, reason: str) -> None:
        self.model = model
        self.reason = reason
        super().__init__(f"model {model}: {reason}")


class EngineError(SimsearchError):
    """The scheduler or a worker of an engine cannot be reached or used."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"dask {address}: {reason}")


class EngineLostError(EngineError):
    """The scheduler or all workers are out of reach, or lost: the same command may do later."""

    exit_code = TRY_LATER


class IndexReadError(SimsearchError):
    """Base of the errors about reading an index."""


class IndexNotFoundError(IndexReadError):
    """No index where one was looked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} holds no index: build one with `simsearch rebuild RECORDS`")


class GenerationNameError(IndexReadError):
    """A name that is of no generation of an index, or that several of them begin with."""

    def __init__(
        self, path: Path, name: str, there: Sequence[str], meant: Sequence[str] = ()
    ) -> None:
        self.path = path
        self.name = name
        self.there = tuple(there)
        self.meant = tuple(meant)
        wrong = f"is no generation of {path} (nor an index): there are {', '.join(there)}"
        several = f"begins {len(meant)} generations: {', '.join(meant)}; give more of the name"
        super().__init__(f"{name[:60]!r} {several if meant else wrong}")


class NoEarlierGenerationError(GenerationNameError):
    """A generation that none stands before; `there` are the others, made later."""

    def __init__(self, path: Path, name: str, there: Sequence[str], next_step: str) -> None:
        self.path = path
        self.name = name
        self.there = tuple(there)
        self.meant: tuple[str, ...] = ()
        self.next_step = next_step
        others = f"give one of {', '.join(there)} as OLD" if there else next_step
        SimsearchError.__init__(
            self,
            f"{path} has no generation before {name} to compare with: {others}, or give the "
            "folder of another index",
        )


class IndexCorruptError(IndexReadError):
    """A file of the index is missing, damaged or belongs to something else."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}; build the index again with `simsearch rebuild`")


class RecipeError(IndexReadError):
    """What fixes the vector space differs between two sides that must agree."""

    def __init__(self, path: Path, field: str, expected: object, found: object, hint: str) -> None:
        self.path = path
        self.field = field
        self.expected = expected
        self.found = found
        super().__init__(f"{path}: {field} is {found!r} where {expected!r} is needed: {hint}")


class BuildError(SimsearchError):
    """Base of the errors about writing an index."""


class ForeignFolderError(BuildError):
    """The folder to publish in must not be written to."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} {reason}: name another folder with --index")


class IndexBusyError(BuildError):
    """Another process is writing to the same index."""

    exit_code = TRY_LATER

    def __init__(self, path: Path, owner: str) -> None:
        self.path = path
        self.owner = owner
        super().__init__(
            f"{path} is being written by {owner or 'another process'}: try again later, or "
            "wait for it with --wait"
        )


class GenerationError(BuildError):
    """There is no generation before the one that answers, to go back to."""

    def __init__(self, path: Path, there: Sequence[str]) -> None:
        self.path = path
        self.there = tuple(there)
        others = f"name one of {', '.join(there)}" if there else "there are no others"
        super().__init__(f"{path} holds no generation before the one that answers: {others}")


class PublishError(BuildError):
    """The disk refused a write; the index published before is untouched."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"cannot write the index in {path}: {reason}; the index published before is untouched"
        )


class NoRoomError(BuildError):
    """The disk has less free than a build takes; sizes in bytes."""

    def __init__(self, path: Path, needed: int, free: int) -> None:
        self.path = path
        self.needed = needed
        self.free = free
        super().__init__(
            f"{path}: a build takes up to {needed / 1e9:.1f} GB while it runs, and "
            f"{free / 1e9:.1f} GB are free: make room, or name another folder with --index"
        )


class VerificationError(BuildError):
    """An index that fails its own check; a build that fails it is not published."""

    def __init__(self, check: str, found: str) -> None:
        self.check = check
        self.found = found
        super().__init__(
            f"the index fails its check of {check}: {found}; a build like that is never published, "
            "and a generation like that is not to be used"
        )


class GuardError(BuildError):
    """Base of the refusals to publish what differs too much; the earlier index answers."""

    exit_code = 3


class ShrinkError(GuardError):
    """The new index would lose more studies than a build accepts unasked."""

    def __init__(self, path: Path, n_before: int, n_lost: int) -> None:
        self.path = path
        self.n_before = n_before
        self.n_lost = n_lost
        other = "a rebuild replaces the index: name all sources together, or "
        step = other if 2 * n_lost > n_before else ""
        super().__init__(
            f"{path} would lose {n_lost:,} of its {n_before:,} studies, more than 2 %: "
            f"nothing was published; {step}give --allow-shrink if that is meant"
        )


class EmptyFieldError(GuardError):
    """Far more studies than before would have a field empty; shares from 0 to 1."""

    def __init__(self, path: Path, field: str, before: float, now: float, n_empty: int) -> None:
        self.path = path
        self.field = field
        self.before = before
        self.now = now
        self.n_empty = n_empty
        super().__init__(
            f"{path} would have no {field} for {n_empty:,} studies, {now:.1%} where it was "
            f"{before:.1%}: nothing was published; look at the records, or give --allow-empty "
            "if that is meant"
        )


class MovedError(GuardError):
    """Sample studies would keep too few of their neighbours; shares from 0 to 1."""

    def __init__(self, path: Path, n_studies: int, kept: float, least: float) -> None:
        self.path = path
        self.n_studies = n_studies
        self.kept = kept
        self.least = least
        super().__init__(
            f"{path}: {n_studies:,} sample studies would keep {kept:.0%} of their ten neighbours, "
            f"less than {least:.0%}: nothing was published; give --allow-moved if that is meant"
        )


class JudgedSetError(SimsearchError):
    """A judged set that cannot be read; `line` counts from 1, 0 is the file as a whole."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        self.path = path
        self.line = line
        self.reason = reason
        place = f"{path} line {line:,}" if line else str(path)
        super().__init__(f"{place}: {reason}")


class RelatedFileError(SimsearchError):
    """A file of related lists that is something else, or cannot be read or written."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} {reason}")


class RelatedBusyError(RelatedFileError):
    """Another run is writing the same file."""

    exit_code = TRY_LATER

    def __init__(self, path: str) -> None:
        super().__init__(path, "is being written by another run: try again later")


class CacheError(SimsearchError):
    """The cache of vectors cannot be read or written; a build can do without."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"cache {path} {reason}; name another with --cache or give --no-cache")


class ForeignCacheError(CacheError):
    """The file named as cache is something else; it is left as it is."""
