"""The directory of an index: where it is looked for, and what a reader finds in it.

    DIR/.simsearch                   marks the folder as ours
    DIR/.lock, DIR/.lock.owner       held by the one process that writes (`lock`)
    DIR/CURRENT                      one line: the name of the current generation
    DIR/generations/NAME/            a published build, with its manifest.json (`manifest`)
    DIR/generations/.…/              a build in progress, or what a killed one left

How it is written: `generations`.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import platformdirs

from simsearch.errors import (
    ForeignFolderError,
    IndexCorruptError,
    IndexNotFoundError,
    IndexReadError,
    records_to,
)
from simsearch.index.manifest import Manifest, read_manifest, sha256_of

MARKER, POINTER, GENERATIONS, MANIFEST = ".simsearch", "CURRENT", "generations", "manifest.json"
WHOLE_REGISTRY_COMMAND = "simsearch fetch --all && simsearch rebuild"

_DEMO = ".demo"


class RecipeFacts(msgspec.Struct, frozen=True):
    """What identifies a recipe."""

    digest: str
    model: str
    fingerprint: str
    text_version: int
    terms_version: int


class IndexFacts(msgspec.Struct, frozen=True):
    """The facts of an index that every answer carries: which it is, and its dates."""

    path: str
    demo: bool
    """Whether it is the demo collection."""
    generation: str
    built: str
    """Time of the build, UTC, ISO 8601."""
    records_date: str
    """Latest date in the records, or empty."""
    n_studies: int
    recipe: RecipeFacts

    @property
    def name(self) -> str:
        """The index as a sentence refers to it."""
        return "the demo collection" if self.demo else f"the index {self.path}"

    @property
    def line(self) -> str:
        """One line: which index it is, its size and its dates."""
        name = "demo collection" if self.demo else self.path
        return f"Index: {name}, {self.n_studies:,} studies{self.dated}, built {self.built[:10]}"

    @property
    def dated(self) -> str:
        """The date of its records as the end of a phrase; `""` if it is not known."""
        return records_to(self.records_date)


class Generation(msgspec.Struct, frozen=True):
    """A generation that was opened: its folder and its manifest."""

    path: Path
    manifest: Manifest

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(entry.bytes for entry in self.manifest.files.values())


def facts_of(index: Path, generation: Generation) -> IndexFacts:
    """Return the facts of an index with this generation."""
    manifest = generation.manifest
    recipe = manifest.recipe
    return IndexFacts(
        path=os.fsencode(index).decode("utf-8", "replace"),
        demo=is_demo(index),
        generation=manifest.generation,
        built=manifest.built,
        records_date=manifest.records_date,
        n_studies=manifest.n_studies,
        recipe=RecipeFacts(
            recipe.digest,
            recipe.model,
            recipe.fingerprint,
            recipe.text_version,
            recipe.terms_version,
        ),
    )


def demo_index() -> Path:
    """Return the folder of the demo index that comes with the package."""
    package = Path(__file__).parent.parent
    installed = package / "demo_index"
    return installed if installed.is_dir() else package.parent / "index" / "demo"


def is_demo(index: Path) -> bool:
    """Report whether an index is the demo index, or a copy of it."""
    return _is_file(index / _DEMO)


def user_index() -> Path:
    """Return the default index, in the user's data folder."""
    return platformdirs.user_data_path("simsearch", appauthor=False) / "index"


def is_index(path: Path) -> bool:
    """Report whether a folder holds a published index."""
    return _is_file(path / POINTER)


def find_index(given: Path | None, here: Path) -> Path:
    """Return the index to read: `given`, else `here`/index, the user's, or the demo.

    Args:
        given: the folder that the user named, or None.
        here: the current folder.

    Raises:
        IndexNotFoundError: the folder that was named does not hold an index.
    """
    if given is not None:
        if not is_index(given):
            raise IndexNotFoundError(given)
        return given
    own = (here / "index", user_index())
    return next((path for path in own if is_index(path)), demo_index())


def find_target(given: Path | None, here: Path) -> Path:
    """Return the folder that a build publishes in: the one that `find_index` then finds first.

    Args:
        given: the folder that the user named, or None.
        here: the current folder.

    Raises:
        ForeignFolderError: it holds something else, is the demo index, or cannot be read.
    """
    if given is None:
        given = here / "index" if _is_file(here / "index" / MARKER) else user_index()
    if is_demo(given):
        raise ForeignFolderError(given, "is the demo index, which is never changed")
    check_target(given)
    return given


def check_target(path: Path) -> None:
    """Refuse to write into a folder that holds anything but an index of ours.

    Raises:
        ForeignFolderError: it does, or it cannot be read.
    """
    if not os.path.lexists(path):
        return
    try:
        if not path.is_dir():
            raise ForeignFolderError(path, "is not a folder")
        if not (path / MARKER).is_file() and any(path.iterdir()):
            raise ForeignFolderError(path, "holds other files and no index")
    except OSError as error:
        raise ForeignFolderError(path, f"cannot be read ({error.strerror})") from error


def open_generation(index: Path, name: str = "") -> Generation:
    """Open a generation; its manifest is checked, and that all files are there in full size.

    Args:
        index: the folder.
        name: the whole name of the generation; the current one if empty.

    Raises:
        IndexNotFoundError: the folder does not hold an index.
        IndexCorruptError: the pointer, the manifest or a file is missing or damaged.
        RecipeError: another version of simsearch built it.
        IndexReadError: the system gives no permission to read it.
    """
    if not is_index(index):
        raise IndexNotFoundError(index)
    path = index / GENERATIONS / (name or pointed(index))
    manifest = read_manifest(path / MANIFEST)
    if manifest.generation != path.name:
        raise IndexCorruptError(path / MANIFEST, f"is of generation {manifest.generation!r}")
    for file, entry in manifest.files.items():
        try:
            size = (path / file).stat().st_size
        except (OSError, ValueError) as error:
            raise unreadable(path / file, error) from error
        if size != entry.bytes:
            raise IndexCorruptError(
                path / file, f"{size:,} bytes where the manifest says {entry.bytes:,}"
            )
    return Generation(path, manifest)


def verify_checksums(generation: Generation) -> None:
    """Compare every file with its checksum in the manifest.

    Raises:
        IndexCorruptError: one differs.
    """
    for name in generation.manifest.files:
        verify_checksum(generation, name)


def verify_checksum(generation: Generation, name: str) -> None:
    """Compare one file with its checksum in the manifest.

    Raises:
        IndexCorruptError: it differs, or cannot be read.
    """
    path = generation.path / name
    if not _is_file(path):
        raise IndexCorruptError(path, "is not a file")
    try:
        found = sha256_of(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if found != generation.manifest.files[name].sha256:
        raise IndexCorruptError(path, "does not match its checksum")


def unreadable(path: Path, error: OSError | ValueError) -> IndexReadError:
    """Return the error to raise for a file of an index that the system does not let us read.

    Building the index again would not help where only a permission is missing.
    """
    if isinstance(error, PermissionError):
        return IndexReadError(f"{path}: no permission to read it")
    return IndexCorruptError(path, getattr(error, "strerror", "") or "unreadable")


def pointed(index: Path) -> str:
    """Return the name of the current generation.

    Raises:
        IndexCorruptError: the pointer cannot be read, or names no generation.
        IndexReadError: the system gives no permission to read the index.
    """
    pointer = index / POINTER
    try:
        name = pointer.read_text(encoding="ascii").strip()
        is_there = name == Path(name).name != "" and (index / GENERATIONS / name).is_dir()
    except PermissionError as error:
        raise unreadable(index, error) from error
    except (OSError, ValueError) as error:
        raise IndexCorruptError(pointer, "unreadable") from error
    if not is_there:
        raise IndexCorruptError(pointer, f"names no generation ({name[:60]!r})")
    return name


def published_studies(index: Path) -> int:
    """Return the number of studies of an index of any version; 0 where it is unreadable."""

    class CountOnly(msgspec.Struct):
        n_studies: int

    try:
        text = (index / GENERATIONS / pointed(index) / MANIFEST).read_bytes()
        return msgspec.json.decode(text, type=CountOnly).n_studies
    except (IndexReadError, OSError, msgspec.MsgspecError):
        return 0


def index_around(path: Path) -> Path | None:
    """Return the index in whose folder a path lies, at any depth; None if there is none.

    Nothing but a build may write there: a file of someone else's could stand in for one of ours.
    """
    folders = path.resolve().parents
    return next((each for each in folders if _is_file(each / MARKER)), None)


def _is_file(path: Path) -> bool:
    """Report whether a path is a file that the system lets us look at."""
    try:
        return path.is_file()
    except OSError:
        return False
