"""The index directory: generations, manifest, checksums, the pointer and the lock.

    DIR/.simsearch                   marks the folder as ours
    DIR/.lock                        held by the one build that writes
    DIR/CURRENT                      one line: the name of the generation that answers
    DIR/generations/NAME/            a published build and its manifest.json
    DIR/generations/.building-…/     a build under way, or what a killed one left

A build fills a folder of its own, which is renamed when complete; then CURRENT is
replaced in one atomic rename. Whoever reads sees the old build or the new, whole.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import platformdirs

from simsearch.errors import (
    ForeignFolderError,
    IndexBusyError,
    IndexCorruptError,
    IndexNotFoundError,
    PublishError,
    RecipeError,
)
from simsearch.fields import TEXT_VERSION
from simsearch.lexical import TERMS_VERSION
from simsearch.records import SourceFile

FORMAT = 2
"""Version of the files of a generation; raised when code of before could misread them."""

_MARKER, _LOCK, _POINTER, _GENERATIONS = ".simsearch", ".lock", "CURRENT", "generations"
_MAX_DIMENSION = 100_000
_BUILDING = ".building-"
_DEMO = ".demo"
_MANIFEST = "manifest.json"
_MARKER_TEXT = "This folder holds an index of simsearch; `simsearch info` says what is in it.\n"


class Recipe(msgspec.Struct, frozen=True):
    """All that fixes the vector space; vectors of different recipes never meet."""

    text_version: int
    terms_version: int
    model: str
    fingerprint: str
    dimension: int
    max_tokens: int

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that name this recipe, whatever the model is called."""
        fixed = (
            self.text_version,
            self.terms_version,
            self.fingerprint,
            self.dimension,
            self.max_tokens,
        )
        return hashlib.sha256(msgspec.json.encode(fixed)).hexdigest()[:8]


class FileEntry(msgspec.Struct, frozen=True):
    """Size and SHA-256 of one file of a generation."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a generation is made of, made with, and made from."""

    format: int
    generation: str
    previous: str
    """Name of the generation that answered before, or empty."""
    built: str
    """Time of the build, UTC, ISO 8601."""
    records_date: str
    """Latest date that the records carry, or empty."""
    n_studies: int
    field_coverage: dict[str, int]
    """Field name → how many studies have text in it."""
    mean_terms: float
    """Mean number of terms of a study's lexical text."""
    recipe: Recipe
    precision: str
    sources: tuple[SourceFile, ...]
    versions: dict[str, str]
    """Program or library → the version that built this."""
    files: dict[str, FileEntry] = {}


class Generation(msgspec.Struct, frozen=True):
    """An opened generation: its folder and its manifest."""

    path: Path
    manifest: Manifest

    @property
    def bytes(self) -> int:
        """Size on disk of all its files."""
        return sum(entry.bytes for entry in self.manifest.files.values())


def demo_index() -> Path:
    """Return the folder of the demo index that comes with the package."""
    package = Path(__file__).parent
    installed = package / "demo_index"
    return installed if installed.is_dir() else package.parent / "index" / "demo"


def is_demo(index: Path) -> bool:
    """Tell the demo index, also a copy of it."""
    return _is_file(index / _DEMO)


def find_index(given: Path | None, here: Path) -> Path:
    """Return the index to read: `given`, else `here`/index, the user's, or the demo.

    Args:
        given: what the user named, or None.
        here: the current folder.

    Raises:
        IndexNotFoundError: the folder given holds no index.
    """
    if given is not None:
        if not is_index(given):
            raise IndexNotFoundError(given)
        return given
    own = (here / "index", user_index())
    return next((path for path in own if is_index(path)), demo_index())


def find_target(given: Path | None, here: Path) -> Path:
    """Return the folder that a build publishes in: where `find_index` then looks first.

    Raises:
        ForeignFolderError: the folder holds something else, or the demo index.
    """
    if given is None:
        given = here / "index" if _is_file(here / "index" / _MARKER) else user_index()
    if is_demo(given):
        raise ForeignFolderError(given, "is the demo index, which stays as it is")
    check_target(given)
    return given


def check_target(path: Path) -> None:
    """Refuse to write into a folder that holds something else than an index of ours.

    Raises:
        ForeignFolderError: it does.
    """
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise ForeignFolderError(path, "is no folder")
    if not (path / _MARKER).is_file() and any(path.iterdir()):
        raise ForeignFolderError(path, "holds other files and no index")


def user_index() -> Path:
    """Return the index in the user's data folder, where it is by default."""
    return platformdirs.user_data_path("simsearch", appauthor=False) / "index"


def is_index(path: Path) -> bool:
    """Tell whether a folder holds a published index."""
    return _is_file(path / _POINTER)


def _is_file(path: Path) -> bool:
    """Tell a file that can be looked at; what the system refuses is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def open_generation(index: Path) -> Generation:
    """Open the generation that answers, its manifest, files and sizes checked.

    Raises:
        IndexNotFoundError: the folder holds no index.
        IndexCorruptError: the pointer, the manifest or a file is missing or not right.
        RecipeError: another version of simsearch built it.
    """
    if not is_index(index):
        raise IndexNotFoundError(index)
    path = index / _GENERATIONS / _pointed(index)
    manifest = _read_manifest(path / _MANIFEST)
    if manifest.generation != path.name:
        raise IndexCorruptError(path / _MANIFEST, f"is of generation {manifest.generation!r}")
    for name, entry in manifest.files.items():
        try:
            size = (path / name).stat().st_size
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", "") or "unreadable"
            raise IndexCorruptError(path / name, reason) from error
        if size != entry.bytes:
            raise IndexCorruptError(
                path / name, f"{size:,} bytes where the manifest says {entry.bytes:,}"
            )
    return Generation(path, manifest)


def verify_checksums(generation: Generation) -> None:
    """Compare every file with its checksum in the manifest.

    Raises:
        IndexCorruptError: one differs.
    """
    for name, entry in generation.manifest.files.items():
        if not _is_file(generation.path / name):
            raise IndexCorruptError(generation.path / name, "is no file")
        if _sha256(generation.path / name) != entry.sha256:
            raise IndexCorruptError(generation.path / name, "does not match its checksum")


class Draft:
    """A generation under way: a folder to fill, then `publish`."""

    def __init__(self, index: Path, path: Path, name: str, previous: str) -> None:
        self._index = index
        self.path = path
        """Where the files of the generation go."""
        self.name = name
        self.previous = previous

    def seal(self, manifest: Manifest) -> Generation:
        """Write the manifest with size and checksum of every file, all synced to disk."""
        files = {}
        for path in sorted(self.path.iterdir()):
            files[path.name] = FileEntry(path.stat().st_size, _sha256(path))
            _sync(path)
        manifest = msgspec.structs.replace(manifest, files=files)
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        _write_synced(self.path / _MANIFEST, text + b"\n")
        _sync(self.path)
        return Generation(self.path, manifest)

    def publish(self) -> Path:
        """Switch readers to this generation, and drop all but it and the one before."""
        generations = self._index / _GENERATIONS
        published = generations / self.name
        self.path.rename(published)
        _sync(generations)
        pointer = self._index / _POINTER
        try:
            _write_synced(pointer.with_suffix(".new"), self.name.encode() + b"\n")
            pointer.with_suffix(".new").replace(pointer)
        except OSError:
            shutil.rmtree(published, ignore_errors=True)
            raise
        _sync(self._index)
        _prune(generations, keep={self.name, self.previous})
        return published


@contextmanager
def new_generation(index: Path) -> Iterator[Draft]:
    """Lock the index for writing and give a draft to fill; an error leaves no trace.

    Args:
        index: the folder to publish in, made if it is missing.

    Raises:
        ForeignFolderError: the folder holds something else.
        IndexBusyError: another build holds the lock.
        PublishError: the disk refuses a write.
    """
    import filelock

    generations = index / _GENERATIONS
    is_new = not os.path.lexists(index)
    try:
        check_target(index)
        index.mkdir(parents=True, exist_ok=True)
        (index / _MARKER).write_text(_MARKER_TEXT)
        generations.mkdir(exist_ok=True)
        lock = filelock.FileLock(index / _LOCK, blocking=False)
        with lock:
            _write_owner(index)
            _clear_leftovers(index)
            now = dt.datetime.now(dt.UTC)
            name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
            path = generations / f"{_BUILDING}{name}"
            path.mkdir()
            try:
                yield Draft(index, path, name, _previous(index))
            finally:
                shutil.rmtree(path, ignore_errors=True)
                if is_new and not is_index(index):  # nothing was published: leave no trace
                    shutil.rmtree(index, ignore_errors=True)
    except filelock.Timeout as error:
        raise IndexBusyError(index, _read_owner(index)) from error
    except OSError as error:
        raise PublishError(index, error.strerror or str(error)) from error


def _pointed(index: Path) -> str:
    """Return the generation that the pointer names."""
    pointer = index / _POINTER
    try:
        name = pointer.read_text(encoding="ascii").strip()
        is_there = name == Path(name).name != "" and (index / _GENERATIONS / name).is_dir()
    except PermissionError as error:
        raise IndexCorruptError(index, "no permission to read it") from error
    except (OSError, ValueError) as error:
        raise IndexCorruptError(pointer, "unreadable") from error
    if not is_there:
        raise IndexCorruptError(pointer, f"names no generation ({name[:60]!r})")
    return name


def _previous(index: Path) -> str:
    """Return the generation that answers now; none where the pointer is missing or damaged."""
    try:
        return _pointed(index) if is_index(index) else ""
    except IndexCorruptError:  # a rebuild is the cure
        return ""


def _clear_leftovers(index: Path) -> None:
    """Remove what killed or failed builds left; where the pointer is damaged, only drafts."""
    generations = index / _GENERATIONS
    current = _previous(index)
    kept = {current}
    if current:
        with contextlib.suppress(IndexCorruptError, RecipeError):
            kept.add(_read_manifest(generations / current / _MANIFEST).previous)
    for path in generations.iterdir():
        is_draft = path.name.startswith(_BUILDING)
        if is_draft or (len(kept) > 1 and path.name not in kept):
            shutil.rmtree(path, ignore_errors=True)


def _prune(generations: Path, keep: set[str]) -> None:
    for path in generations.iterdir():
        if path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)


def published_studies(index: Path) -> int:
    """Return the number of studies of an index of whatever version; 0 where it is unreadable."""

    class CountOnly(msgspec.Struct):
        n_studies: int

    try:
        text = (index / _GENERATIONS / _pointed(index) / _MANIFEST).read_bytes()
        return msgspec.json.decode(text, type=CountOnly).n_studies
    except (IndexCorruptError, OSError, msgspec.MsgspecError):
        return 0


def _read_manifest(path: Path) -> Manifest:
    class FormatOnly(msgspec.Struct):
        format: int

    try:
        text = path.read_bytes()
        found = msgspec.json.decode(text, type=FormatOnly).format
        if found != FORMAT:
            raise RecipeError(
                path, "format", FORMAT, found, "another version of simsearch built it; rebuild"
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise IndexCorruptError(path, f"no manifest ({error})") from error
    if any(name != Path(name).name or not name.isprintable() for name in manifest.files):
        raise IndexCorruptError(path, "it names files elsewhere")
    if not (0 < manifest.recipe.dimension < _MAX_DIMENSION and manifest.n_studies > 0):
        raise IndexCorruptError(path, "its numbers are impossible")
    versions = {
        "text version": (TEXT_VERSION, manifest.recipe.text_version),
        "terms version": (TERMS_VERSION, manifest.recipe.terms_version),
    }
    for name, (needed, has) in versions.items():
        if needed != has:
            hint = "another version of simsearch built it; rebuild"
            raise RecipeError(path, name, needed, has, hint)
    return manifest


def _write_owner(index: Path) -> None:
    since = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    (index / _LOCK).with_suffix(".owner").write_text(f"process {os.getpid()} since {since}")


def _read_owner(index: Path) -> str:
    try:
        return (index / _LOCK).with_suffix(".owner").read_text()[:100]
    except OSError:
        return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
