"""How much disk space a build needs, and whether it is free.

The constants were measured with 46,289 real studies, and with 601,757 derived from them
(DECISIONS.md).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from simsearch.encode.fields import FIELDS
from simsearch.errors import NoRoomError
from simsearch.index.directory import published_studies

_STAGED_BYTES = 12_000  # per study in the staging file; of a complete record with its facts
_STORED_BYTES = 5200  # per study in the study store, with all its facts, and the lexical files
_FLOAT16 = 2


def expected_bytes(index: Path, source_bytes: int, dimension: int) -> int:
    """Return how many bytes a build needs at its peak, estimated before anything is read.

    The estimate assumes as many studies as are published now, and at least the size of the source.

    Args:
        index: the folder to publish in.
        source_bytes: size of the records on disk.
        dimension: of the encoder.
    """
    n_studies = published_studies(index)
    return max(source_bytes, n_studies * _STAGED_BYTES + bytes_to_write(n_studies, dimension))


def bytes_to_write(n_studies: int, dimension: int) -> int:
    """Return how many bytes a build still has to write when its studies have been read."""
    rows = 2 * len(FIELDS) * dimension * _FLOAT16  # those of the distinct texts, then of the fields
    return n_studies * (_STORED_BYTES + rows + dimension)  # and the texts in 8 bits


def check_room(folder: Path, needed: int) -> None:
    """Check that the disk of a folder has a number of bytes free.

    Raises:
        NoRoomError: fewer are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomError(folder, needed, free)
