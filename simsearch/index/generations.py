"""How an index directory is written: a draft, published whole; rolled back; pruned.

A build fills a folder of its own, which is renamed when complete; then CURRENT is
replaced in one atomic rename. Whoever reads sees the old build or the new, whole, and
goes on with it although it is pruned: all its files are open.

Generations have a rank: the one that answers, the one that answered when that was built,
and so on; then the others, the youngest first (those that were rolled back from). The
last ones are pruned first.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.errors import (
    ArgumentError,
    ForeignFolderError,
    GenerationError,
    GenerationNameError,
    IndexCorruptError,
    IndexNotFoundError,
    IndexReadError,
    PublishError,
)
from simsearch.index.directory import (
    GENERATIONS,
    MANIFEST,
    MARKER,
    POINTER,
    FileEntry,
    Generation,
    Manifest,
    check_target,
    is_demo,
    is_index,
    open_generation,
    pointed,
    sha256_of,
)
from simsearch.index.lock import write_lock
from simsearch.index.verify import verify_generation

_UNSAID = str.maketrans("", "", "-: tz")  # of 2026-11-23 10:43, beside 20261123T104323Z-…

KEPT = 2
"""How many generations a build keeps unless it is told: the new one and the one before."""

_BUILDING, _REMOVING = ".building-", ".removing-"  # a hidden folder is no generation
_MARKER_TEXT = "This folder holds an index of simsearch; `simsearch info` says what is in it.\n"


class Listed(msgspec.Struct, frozen=True):
    """A generation of an index, as it was found."""

    name: str
    answers: bool
    manifest: Manifest | None
    """None where it is damaged, or of another version."""
    bytes: int
    problem: str
    """Why it cannot be opened, or empty."""


class Draft:
    """A generation under way: a folder to fill, then `publish`."""

    def __init__(self, index: Path, path: Path, name: str, keep: int) -> None:
        self._index = index
        self._keep = keep
        self.path = path
        """Where the files of the generation go."""
        self.name = name
        self.previous = _current(index)
        """The generation that answers now, or empty."""

    def seal(self, manifest: Manifest) -> Generation:
        """Write the manifest with size and checksum of every file, all synced to disk."""
        files = {}
        for path in sorted(self.path.iterdir()):
            files[path.name] = FileEntry(path.stat().st_size, sha256_of(path))
            _sync(path)
        manifest = msgspec.structs.replace(manifest, files=files)
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        _write_synced(self.path / MANIFEST, text + b"\n")
        _sync(self.path)
        return Generation(self.path, manifest)

    def publish(self) -> Path:
        """Switch readers to this generation, and drop the last in rank beyond what is kept."""
        generations = self._index / GENERATIONS
        published = generations / self.name
        try:
            self.path.rename(published)
            _sync(generations)
            _point(self._index, self.name)
        except OSError:
            with contextlib.suppress(IndexReadError):  # not sure that it is unused: it stays
                if pointed(self._index) != self.name:
                    shutil.rmtree(published, ignore_errors=True)
            raise
        _prune_quietly(self._index, self._keep)
        return published


@contextmanager
def new_generation(
    index: Path, *, keep: int = KEPT, wait: float = 0, say: Log = no_log
) -> Iterator[Draft]:
    """Lock the index for writing and give a draft to fill; an error leaves none behind.

    The folder itself stays, for another process may be waiting for its lock.

    Args:
        index: the folder to publish in, made if it is missing.
        keep: how many generations stay when the draft is published, itself among them.
        wait: how many seconds to wait for another process that writes.
        say: told once, in a line, for whom it waits.

    Raises:
        ArgumentError: `keep` is not at least 1.
        ForeignFolderError: the folder holds something else.
        IndexBusyError: another process holds the lock.
        PublishError: the disk refuses a write.
    """
    _check_keep(keep)
    with _writes(index):
        check_target(index)
        (index / GENERATIONS).mkdir(parents=True, exist_ok=True)
        if not (index / MARKER).is_file():
            (index / MARKER).write_text(_MARKER_TEXT)
        with write_lock(index, wait, say):
            _clear_leftovers(index)
            _prune_quietly(index, max(keep, KEPT))  # what failed to switch fills the disk
            name = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
            path = index / GENERATIONS / f"{_BUILDING}{name}"
            path.mkdir()
            try:
                yield Draft(index, path, name, keep)
            finally:
                shutil.rmtree(path, ignore_errors=True)


def generation_names(index: Path) -> list[str]:
    """Return the names of all generations, the youngest first.

    Raises:
        IndexNotFoundError: the folder holds no index.
    """
    if not is_index(index):
        raise IndexNotFoundError(index)
    try:
        found = [path.name for path in (index / GENERATIONS).iterdir() if path.is_dir()]
    except OSError as error:
        raise IndexCorruptError(index / GENERATIONS, error.strerror or "unreadable") from error
    return sorted((name for name in found if not name.startswith(".")), reverse=True)


def named(index: Path, name: str) -> str:
    """Return the generation that a person means: by its name or the start of it.

    Dashes and colons make no difference (2026-11-23 is 20261123T104323Z-3af65b); empty is
    the one that answers.

    Raises:
        GenerationNameError: nothing is named so, or several generations are.
        IndexReadError: the folder holds no index, or it is not known which one answers.
    """
    if not name:
        return pointed(index)
    there = generation_names(index)
    start = _plain(name)
    meant = [each for each in there if start and _plain(each).startswith(start)]
    if len(meant) != 1:
        raise GenerationNameError(index, name, there, meant)
    return meant[0]


def _plain(name: str) -> str:
    return name.casefold().translate(_UNSAID)


def list_generations(index: Path) -> list[Listed]:
    """Return all generations of an index, the youngest first; sizes of files are checked.

    Raises:
        IndexNotFoundError: the folder holds no index.
    """
    current = ""
    with contextlib.suppress(IndexCorruptError):
        current = pointed(index)
    return [_listed(index, name, answers=name == current) for name in generation_names(index)]


def roll_back(
    index: Path,
    name: str = "",
    *,
    wait: float = 0,
    say: Log = no_log,
    progress: Progress = no_progress,
) -> str:
    """Let another generation answer, once it has been verified; return its name.

    Args:
        index: the folder.
        name: which; the one that answered before the one that answers if empty.
        wait: how many seconds to wait for another process that writes.
        say: told once, in a line, for whom it waits.
        progress: called after every few thousand studies that are verified.

    Raises:
        GenerationError: there is none to go back to.
        GenerationNameError: there is none of this name.
        IndexReadError, VerificationError: it is not whole; what answered goes on.
        IndexBusyError: another process writes.
        PublishError: the disk refuses; what answered goes on.
    """
    with _writes(index), _writing_to(index, wait, say):
        name = _target(index, name)
        verify_generation(index, name, progress)
        _point(index, name)
    return name


def prune(index: Path, keep: int, *, wait: float = 0, say: Log = no_log) -> list[str]:
    """Remove the last generations in rank; return their names.

    Args:
        index: the folder.
        keep: how many stay, the one that answers among them.
        wait: how many seconds to wait for another process that writes.
        say: told once, in a line, for whom it waits.

    Raises:
        ArgumentError: `keep` is not at least 1.
        IndexReadError: it is not known which generation answers.
        IndexBusyError: another process writes.
        PublishError: the disk refuses; what answers goes on.
    """
    _check_keep(keep)
    with _writes(index), _writing_to(index, wait, say):
        _clear_leftovers(index)
        return _prune(index, keep)


@contextmanager
def _writes(index: Path) -> Iterator[None]:
    """Say what the disk refuses.

    Raises:
        PublishError: it refuses a write.
    """
    try:
        yield
    except OSError as error:
        raise PublishError(index, error.strerror or str(error)) from error


@contextmanager
def _writing_to(index: Path, wait: float, say: Log) -> Iterator[None]:
    """Hold the lock of an index that is there, and not the demo."""
    if not is_index(index):
        raise IndexNotFoundError(index)
    if is_demo(index):
        raise ForeignFolderError(index, "is the demo index, which stays as it is")
    with write_lock(index, wait, say):
        yield


def _check_keep(keep: int) -> None:
    if keep < 1:
        raise ArgumentError("keep", keep, "1 or more")


def _target(index: Path, name: str) -> str:
    """Return the generation to roll back to."""
    current = _current(index)
    others = [each for each in generation_names(index) if each != current]
    if name:
        return named(index, name)
    older = [each for each in others if _time_of(each) < _time_of(current) or not current]
    before = _before(index, current)
    if before not in others and not older:
        raise GenerationError(index, others)
    return before if before in others else older[0]


def _time_of(name: str) -> str:
    return name.partition("-")[0]


def _listed(index: Path, name: str, *, answers: bool) -> Listed:
    try:
        generation = open_generation(index, name)
    except IndexReadError as error:
        return Listed(name, answers, None, 0, str(error))
    return Listed(name, answers, generation.manifest, generation.bytes, "")


def _current(index: Path) -> str:
    """Return the generation that answers; none where the pointer is missing or damaged.

    Raises:
        OSError: the pointer cannot be read now: what must not be lost is not known.
    """
    try:
        return pointed(index) if is_index(index) else ""
    except IndexCorruptError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        return ""  # a rebuild is the cure


def _before(index: Path, name: str) -> str:
    """Return which generation answered when one, of whatever version, was built."""

    class PreviousOnly(msgspec.Struct):
        previous: str

    try:
        text = (index / GENERATIONS / name / MANIFEST).read_bytes()
        return msgspec.json.decode(text, type=PreviousOnly).previous
    except (FileNotFoundError, msgspec.MsgspecError):
        return ""


def _by_rank(index: Path) -> list[str]:
    """Return the names of all generations, those to keep first.

    Raises:
        IndexReadError: it is not known which one answers.
        OSError: a manifest cannot be read now.
    """
    names = generation_names(index)
    ranked: list[str] = []
    name = pointed(index)
    while name in names and name not in ranked:
        ranked.append(name)
        name = _before(index, name)
    return ranked + [each for each in names if each not in ranked]


def _point(index: Path, name: str) -> None:
    """Let a generation answer; where the disk does not keep that, the one before does."""
    pointer = index / POINTER
    before = pointer.read_bytes() if pointer.is_file() else None
    _replace(pointer, name.encode() + b"\n")
    try:
        _sync(index)
    except OSError:
        with contextlib.suppress(OSError):
            if before is None:
                pointer.unlink()
            else:
                _replace(pointer, before)
        raise


def _replace(path: Path, text: bytes) -> None:
    new = path.with_suffix(".new")
    try:
        _write_synced(new, text)
        new.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def _prune(index: Path, keep: int) -> list[str]:
    """Remove generations: first from sight, so that none is ever seen in parts."""
    removed = _by_rank(index)[keep:]
    for name in removed:
        unseen = index / GENERATIONS / f"{_REMOVING}{name}"
        (index / GENERATIONS / name).rename(unseen)
        shutil.rmtree(unseen)
    return removed


def _prune_quietly(index: Path, keep: int) -> None:
    """Remove what can be; the rest goes with a later build, which has the same wish."""
    with contextlib.suppress(OSError, IndexReadError):
        _prune(index, keep)


def _clear_leftovers(index: Path) -> None:
    """Remove what killed or failed builds left half done."""
    for path in (index / GENERATIONS).iterdir():
        if path.name.startswith((_BUILDING, _REMOVING)):
            shutil.rmtree(path, ignore_errors=True)


def _write_synced(path: Path, text: bytes) -> None:
    with path.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    """Have the disk keep a file or a folder's entries (folders: where the system can)."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
