"""How much disk a build takes, and whether it is there.

Measured on 46,289 real studies and on 601,757 made from them (DECISIONS.md).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from simsearch.errors import NoRoomError
from simsearch.encode.fields import FIELDS
from simsearch.index.directory import published_studies

_STAGED_BYTES = 4600  # of a study on its way in
_STORED_BYTES = 2900  # of a study in the store, and of its terms
_FLOAT16 = 2


def expected_bytes(index: Path, source_bytes: int, dimension: int) -> int:
    """Return what a build will take at most at a time, guessed before anything is read.

    As many studies as the index holds now; where it holds none, no less than the source.
    """
    n_studies = published_studies(index)
    return max(source_bytes, n_studies * _STAGED_BYTES + bytes_to_write(n_studies, dimension))


def bytes_to_write(n_studies: int, dimension: int) -> int:
    """Return what a build still has to write when its studies have been read."""
    rows = 2 * len(FIELDS) * dimension * _FLOAT16  # of distinct texts, then of fields
    return n_studies * (_STORED_BYTES + rows)


def check_room(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        NoRoomError: fewer bytes are free than needed.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomError(folder, needed, free)
