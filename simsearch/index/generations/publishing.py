"""A generation is written as a draft, then sealed and published."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from simsearch.callbacks import Log, no_log
from simsearch.errors import IndexReadError
from simsearch.files import written_whole
from simsearch.index.directory import (
    GENERATIONS,
    MANIFEST,
    MARKER,
    Generation,
    check_target,
    pointed,
)
from simsearch.index.generations.pointer import current, switch_to
from simsearch.index.generations.pruning import (
    BUILDING,
    check_keep,
    clear_leftovers,
    prune_if_possible,
)
from simsearch.index.generations.writing import disk_errors, sync
from simsearch.index.lock import write_lock
from simsearch.index.manifest import FileEntry, Manifest, sealed, sha256_of

KEPT = 2
"""How many generations a build keeps by default: the new one and the one before."""

_MARKER_TEXT = "This folder holds an index of simsearch; `simsearch info` says what is in it.\n"


class Draft:
    """A generation in the making: fill its folder, `seal` it, `publish` it."""

    def __init__(self, index: Path, path: Path, name: str, keep: int) -> None:
        self._index = index
        self._keep = keep
        self.path = path
        """The folder for the files of the generation."""
        self.name = name
        """The name of the generation."""
        self.previous = current(index)
        """The generation that is current now, or empty."""

    def seal(self, manifest: Manifest) -> Generation:
        """Write the manifest with the size and checksum of every file; sync all to disk.

        Files that the manifest lists already are not read again.

        Raises:
            OSError: a write failed.
        """
        known, files = manifest.files, {}
        for path in sorted(self.path.iterdir()):
            if path.name != MANIFEST:
                files[path.name] = known.get(path.name) or FileEntry(
                    path.stat().st_size, sha256_of(path)
                )
                sync(path)
        manifest = msgspec.structs.replace(manifest, files=files)
        with written_whole(self.path / MANIFEST) as file:
            file.write(sealed(manifest))
        sync(self.path)
        return Generation(self.path, manifest)

    def publish(self) -> Path:
        """Make this generation the current one and prune; return its folder.

        Raises:
            OSError: a write failed; the generation that was current still is.
        """
        generations = self._index / GENERATIONS
        published = generations / self.name
        try:
            self.path.rename(published)
            sync(generations)
            switch_to(self._index, self.name)
        except OSError:
            with contextlib.suppress(IndexReadError):  # it may be in use: then it stays
                if pointed(self._index) != self.name:
                    shutil.rmtree(published, ignore_errors=True)
            raise
        prune_if_possible(self._index, self._keep)
        return published


@contextmanager
def new_generation(
    index: Path, *, keep: int = KEPT, wait: float = 0, say: Log = no_log
) -> Iterator[Draft]:
    """Lock an index for writing and give a draft to fill; an error removes the draft.

    The folder of the index stays in any case: another process may be waiting for its lock.

    Args:
        index: the folder to publish in; made if it is missing.
        keep: how many generations to keep when the draft is published, including it.
        wait: how many seconds to wait for another process that is writing.
        say: called with a line that names the process waited for.

    Raises:
        ArgumentError: `keep` is less than 1.
        ForeignFolderError: the folder holds something else.
        IndexBusyError: another process holds the lock.
        PublishError: a write failed.
    """
    check_keep(keep)
    with disk_errors(index):
        check_target(index)
        (index / GENERATIONS).mkdir(parents=True, exist_ok=True)
        if not (index / MARKER).is_file():
            (index / MARKER).write_text(_MARKER_TEXT)
        with write_lock(index, wait, say):
            clear_leftovers(index)
            prune_if_possible(index, max(keep, KEPT))  # failed switches would fill the disk
            name = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
            path = index / GENERATIONS / f"{BUILDING}{name}"
            path.mkdir()
            try:
                yield Draft(index, path, name, keep)
            finally:
                shutil.rmtree(path, ignore_errors=True)
