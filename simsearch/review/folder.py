"""A review's folder: plain files that git keeps well, written whole under a lock.

    review.json      what the review is: its format, its name, its question, when it was begun
    decisions.jsonl  a decision a line, in the order in which they were made; the last one counts
    asked.jsonl      a line for each time that studies were asked for: of which data, and what came

Decisions are only ever added, so that the history of a review stays. A writer holds the lock,
reads what is there, and writes the whole file again: two processes cannot lose a decision.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from simsearch.errors import NoReviewError, ReviewBusyError, ReviewError
from simsearch.files import pretty_json, written_whole
from simsearch.index.lock import folder_lock
from simsearch.records.text import clean_name

FORMAT = 1
"""The format of the files; a folder of a later one is refused."""

Verdict = Literal["include", "exclude", "undecided"]

VERDICTS: tuple[Verdict, ...] = ("include", "exclude", "undecided")
"""What can be decided."""

SETTINGS, DECISIONS, ASKED = "review.json", "decisions.jsonl", "asked.jsonl"

_WAIT = 10.0  # seconds; a writer needs some milliseconds
_IGNORE = ".lock\n*.part\n"

Line = TypeVar("Line")


def _clean(struct: msgspec.Struct, *fields: str) -> None:
    for name in fields:
        msgspec.structs.force_setattr(struct, name, clean_name(getattr(struct, name)))


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a review is."""

    format: int
    name: str
    question: str = ""
    """What the review asks, in words, for the report; the ranking does not read it."""
    begun: str
    """ISO date."""

    def __post_init__(self) -> None:
        """Keep what was typed, or came with a folder, from steering a terminal."""
        _clean(self, "name", "question")


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was decided about a study."""

    study: str
    """The NCT ID under which it was decided, whatever became of it."""
    decision: Verdict
    date: str
    """ISO date."""
    by: str = ""
    """Who or what decided: a person, or the file that it came from."""
    batch: int = 0
    """Which list of `asked.jsonl` showed the study, from 1; 0 where none did."""
    note: str = ""

    def __post_init__(self) -> None:
        """Keep what was typed, or came with a folder, from steering a terminal."""
        _clean(self, "study", "by", "note")


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One time that studies were asked for: of which data, and which came."""

    date: str
    generation: str
    records_date: str
    n_studies: int
    ranking: str
    """The name of the ranking, which changes when its results do."""
    n_included: int
    n_excluded: int
    shown: tuple[str, ...]
    """The NCT IDs listed, best first."""


class Review:
    """A review's folder. Open one with `open_review`, begin one with `begin_review`.

    Args:
        path: the folder.
        settings: what is in review.json.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.settings = settings

    def decisions(self) -> list[Decision]:
        """Return all decisions in the order in which they were made.

        Raises:
            ReviewError: the file cannot be read, or a line is not a decision.
        """
        return _read_lines(self.path, DECISIONS, Decision)

    def asked(self) -> list[Asked]:
        """Return what was asked, in order; raises what `decisions` raises."""
        return _read_lines(self.path, ASKED, Asked)

    def current(self) -> dict[str, Decision]:
        """Return NCT ID → its last decision, in the order of the first ones."""
        found: dict[str, Decision] = {}
        for each in self.decisions():
            found[each.study] = each
        return found

    def decide(self, verdicts: Mapping[str, Verdict], by: str, note: str = "") -> list[Decision]:
        """Add decisions; one that the study has already, by the same hand, is not repeated.

        Args:
            verdicts: NCT ID, canonical → what is decided.
            by: who or what decides.
            note: kept beside each.

        Returns:
            The decisions that were added.

        Raises:
            ReviewBusyError: another process is writing, for longer than a few seconds.
            ReviewError: the files cannot be read or written.
        """
        with self._writing():
            before = self.decisions()
            current = {each.study: each for each in before}
            batch_of = {
                nct_id: n for n, asked in enumerate(self.asked(), 1) for nct_id in asked.shown
            }
            date = today()
            added = [
                Decision(
                    study=study, decision=verdict, date=date, by=by,
                    batch=batch_of.get(study, 0), note=note,
                )
                for study, verdict in verdicts.items()
                if study not in current or current[study].decision != verdict
            ]  # fmt: skip
            if added:
                _write_lines(self.path, DECISIONS, [*before, *added])
        return added

    def note_asked(self, asked: Asked) -> None:
        """Add a line to what was asked, unless the last one says the same of the same day."""
        with self._writing():
            before = self.asked()
            if not before or before[-1] != asked:
                _write_lines(self.path, ASKED, [*before, asked])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with folder_lock(self.path, _WAIT):
                yield
        except TimeoutError as error:
            raise ReviewBusyError(self.path) from error
        except OSError as error:
            raise ReviewError(self.path, f"cannot be written: {error.strerror or error}") from error


def begin_review(
    path: Path,
    verdicts: Mapping[str, Verdict],
    *,
    question: str = "",
    by: str,
) -> Review:
    """Begin a review in a new or empty folder.

    Args:
        path: the folder; it is made if it is missing.
        verdicts: NCT ID → what has been decided already, the included studies before all.
        question: what the review asks, in words.
        by: where those decisions come from.

    Raises:
        ReviewError: the folder holds something, or cannot be written.
    """
    settings = Settings(format=FORMAT, name=path.resolve().name, question=question, begun=today())
    try:
        path.mkdir(parents=True, exist_ok=True)
        if (path / SETTINGS).exists():
            raise ReviewError(path, "holds a review already")
        if any(each.name not in {".git", ".gitignore", ".lock"} for each in path.iterdir()):
            raise ReviewError(path, "is not empty: name a new folder for the review")
        review = Review(path, settings)
        with review._writing():  # noqa: SLF001 - this module's own
            with written_whole(path / ".gitignore") as file:
                file.write(_IGNORE.encode())
            _write_lines(path, ASKED, [])
            _write_lines(path, DECISIONS, [])
        review.decide(verdicts, by)
        with written_whole(path / SETTINGS) as file:  # last: without it, there is no review
            file.write(pretty_json(settings).encode())
    except OSError as error:
        raise ReviewError(path, f"cannot be written: {error.strerror or error}") from error
    return review


def open_review(path: Path) -> Review:
    """Open a review's folder.

    Raises:
        ReviewError: it holds none, or one of a later version, or is damaged.
    """
    try:
        text = (path / SETTINGS).read_bytes()
    except FileNotFoundError as error:
        raise NoReviewError(path) from error
    except OSError as error:
        raise ReviewError(path, f"cannot be read: {error.strerror or error}") from error
    try:
        version = msgspec.json.decode(text, type=dict[str, Any]).get("format")
        if isinstance(version, int) and version > FORMAT:
            raise ReviewError(
                path, f"was written by a later version of simsearch (format {version}, "
                f"here {FORMAT}): update simsearch",
            )  # fmt: skip
        return Review(path, msgspec.json.decode(text, type=Settings))
    except msgspec.MsgspecError as error:
        raise ReviewError(path, f"has a damaged review.json: {error}") from error


def today() -> str:
    """Return the day, UTC, as an ISO date."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def _read_lines(folder: Path, name: str, kind: type[Line]) -> list[Line]:
    decoder = msgspec.json.Decoder(kind)
    try:
        lines = (folder / name).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ReviewError(folder, f"{name} cannot be read: {error.strerror or error}") from error
    found = []
    for n, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(decoder.decode(line))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise ReviewError(
                    folder, f"has a damaged line: {name} line {n:,}: {error}; mend it or delete it"
                ) from error
    return found


def _write_lines(folder: Path, name: str, lines: Sequence[Any]) -> None:
    with written_whole(folder / name) as file:
        for line in lines:
            file.write(msgspec.json.encode(line) + b"\n")
