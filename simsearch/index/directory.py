"""The index directory as a reader sees it: generations, manifest, checksums, the pointer.

    DIR/.simsearch                   marks the folder as ours
    DIR/.lock, DIR/.lock.owner       held by the one process that writes (`lock.py`)
    DIR/CURRENT                      one line: the name of the generation that answers
    DIR/generations/NAME/            a published build and its manifest.json
    DIR/generations/.…/              a build under way, or what a killed one left

How they are written: `generations.py`.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import platformdirs

from simsearch.encode.fields import TEXT_VERSION
from simsearch.errors import (
    ForeignFolderError,
    IndexCorruptError,
    IndexNotFoundError,
    RecipeError,
)
from simsearch.index.terms import TERMS_VERSION
from simsearch.records import SourceFile

FORMAT = 2
"""Version of the files of a generation; raised when code of before could misread them."""

MARKER, POINTER, GENERATIONS, MANIFEST = ".simsearch", "CURRENT", "generations", "manifest.json"
WHOLE_REGISTRY_COMMAND = "simsearch fetch --all && simsearch rebuild"

_MAX_DIMENSION = 100_000
_DEMO = ".demo"


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


class RecipeFacts(msgspec.Struct, frozen=True):
    """What names a recipe."""

    digest: str
    model: str
    fingerprint: str
    text_version: int
    terms_version: int


class IndexFacts(msgspec.Struct, frozen=True):
    """What dates and identifies the answers of an index."""

    path: str
    demo: bool
    """Whether it is the demo collection."""
    generation: str
    built: str
    records_date: str
    n_studies: int
    recipe: RecipeFacts

    @property
    def name(self) -> str:
        """What the index is called in a sentence."""
        return "the demo collection" if self.demo else f"the index {self.path}"

    @property
    def line(self) -> str:
        """Which index answered: what it holds, of what date, and where it is."""
        name = "demo collection" if self.demo else self.path
        return f"Index: {name}, {self.n_studies:,} studies{self.dated}, built {self.built[:10]}"

    @property
    def dated(self) -> str:
        """To what date its records go, as the end of a phrase; `""` where that is not known."""
        return records_to(self.records_date)


def records_to(date: str) -> str:
    """Return to what date records go, as the end of a phrase: `, records to 2025-05-08`."""
    return f", records to {date}" if date else ""


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
    """Mean number of terms of a study's lexical text, where `fitted`."""
    fitted: str = ""
    """Generation in which what terms weigh was found; empty for this one."""
    n_fitted: int = 0
    """How many studies that had; 0 for as many as this one."""
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
    package = Path(__file__).parent.parent
    installed = package / "demo_index"
    return installed if installed.is_dir() else package.parent / "index" / "demo"


def is_demo(index: Path) -> bool:
    """Tell the demo index, also a copy of it."""
    return _is_file(index / _DEMO)


def facts_of(index: Path, generation: Generation) -> IndexFacts:
    """Return what dates and identifies the answers of a generation."""
    manifest = generation.manifest
    recipe = manifest.recipe
    return IndexFacts(
        path=str(index),
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
        ForeignFolderError: the folder holds something else, or the demo index, or cannot be read.
    """
    if given is None:
        given = here / "index" if _is_file(here / "index" / MARKER) else user_index()
    if is_demo(given):
        raise ForeignFolderError(given, "is the demo index, which stays as it is")
    check_target(given)
    return given


def check_target(path: Path) -> None:
    """Refuse to write into a folder that holds something else than an index of ours.

    Raises:
        ForeignFolderError: it does, or cannot be looked into.
    """
    if not os.path.lexists(path):
        return
    try:
        if not path.is_dir():
            raise ForeignFolderError(path, "is no folder")
        if not (path / MARKER).is_file() and any(path.iterdir()):
            raise ForeignFolderError(path, "holds other files and no index")
    except OSError as error:
        raise ForeignFolderError(path, f"cannot be read ({error.strerror})") from error


def user_index() -> Path:
    """Return the index in the user's data folder, where it is by default."""
    return platformdirs.user_data_path("simsearch", appauthor=False) / "index"


def is_index(path: Path) -> bool:
    """Tell whether a folder holds a published index."""
    return _is_file(path / POINTER)


def _is_file(path: Path) -> bool:
    """Tell a file that can be looked at; what the system refuses is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def open_generation(index: Path, name: str = "") -> Generation:
    """Open a generation, its manifest, files and sizes checked.

    Args:
        index: the folder.
        name: which, as `pointed` and `generations.generation_names` say; the one that answers
            if empty.

    Raises:
        IndexNotFoundError: the folder holds no index.
        IndexCorruptError: the pointer, the manifest or a file is missing or not right.
        RecipeError: another version of simsearch built it.
    """
    if not is_index(index):
        raise IndexNotFoundError(index)
    path = index / GENERATIONS / (name or pointed(index))
    manifest = _read_manifest(path / MANIFEST)
    if manifest.generation != path.name:
        raise IndexCorruptError(path / MANIFEST, f"is of generation {manifest.generation!r}")
    for file, entry in manifest.files.items():
        try:
            size = (path / file).stat().st_size
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", "") or "unreadable"
            raise IndexCorruptError(path / file, reason) from error
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
    for name, entry in generation.manifest.files.items():
        if not _is_file(generation.path / name):
            raise IndexCorruptError(generation.path / name, "is no file")
        if sha256_of(generation.path / name) != entry.sha256:
            raise IndexCorruptError(generation.path / name, "does not match its checksum")


def pointed(index: Path) -> str:
    """Return the name of the generation that answers.

    Raises:
        IndexCorruptError: the pointer cannot be read, or names none.
    """
    pointer = index / POINTER
    try:
        name = pointer.read_text(encoding="ascii").strip()
        is_there = name == Path(name).name != "" and (index / GENERATIONS / name).is_dir()
    except PermissionError as error:
        raise IndexCorruptError(index, "no permission to read it") from error
    except (OSError, ValueError) as error:
        raise IndexCorruptError(pointer, "unreadable") from error
    if not is_there:
        raise IndexCorruptError(pointer, f"names no generation ({name[:60]!r})")
    return name


def published_studies(index: Path) -> int:
    """Return the number of studies of an index of whatever version; 0 where it is unreadable."""

    class CountOnly(msgspec.Struct):
        n_studies: int

    try:
        text = (index / GENERATIONS / pointed(index) / MANIFEST).read_bytes()
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


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
