"""The manifest of a generation: what it is made of, built with, and built from."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from simsearch.encode.fields import TEXT_VERSION
from simsearch.errors import IndexCorruptError, IndexReadError, RecipeError
from simsearch.files import pretty_json
from simsearch.index.terms import TERMS_VERSION
from simsearch.records import SourceFile

FORMAT = 4
"""Version of the files of a generation; raised when older code could misread them."""

_MAX_DIMENSION, _MAX_STUDIES = 100_000, 2**31
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NO_DIGEST = "0" * 64
_REBUILD = "another version of simsearch built it; rebuild (no text in the cache is encoded again)"


class Recipe(msgspec.Struct, frozen=True):
    """All that fixes the vector space: vectors of different recipes cannot be compared."""

    text_version: int
    terms_version: int
    model: str
    fingerprint: str
    dimension: int
    max_tokens: int

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that identify this recipe, whatever the model is called."""
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
    """What a generation is made of, built with, and built from."""

    format: int
    generation: str
    """Its own name."""
    previous: str
    """Name of the generation that was current before, or empty."""
    built: str
    """Time of the build, UTC, ISO 8601."""
    records_date: str
    """Latest date in the records, or empty."""
    n_studies: int
    field_coverage: dict[str, int]
    """Field name → how many studies have text in it."""
    mean_terms: float
    """Mean number of terms of a study's lexical text, in the generation `fitted`."""
    fitted: str = ""
    """Generation that the term weights were fitted in; empty for this one."""
    n_fitted: int = 0
    """How many studies that one had; 0 for as many as this one."""
    recipe: Recipe
    ranking: str = ""
    """Fingerprint of the net of the learned ranking that it was built for; empty for none."""
    precision: str
    details: str
    """What the study store keeps of the facts: `none`, `brief` or `full`."""
    n_facts: int = 0
    """How many studies have any there; 0 in older generations."""
    sources: tuple[SourceFile, ...]
    versions: dict[str, str]
    """Program or library → its version at the build."""
    files: dict[str, FileEntry] = {}
    checksum: str = ""
    """SHA-256 of this file with zeros in place of these digits; empty in older generations."""


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises:
        IndexCorruptError: the file is missing or damaged.
        RecipeError: another version of simsearch wrote it.
        IndexReadError: the system gives no permission to read it.
    """

    class FormatOnly(msgspec.Struct):
        format: int

    try:
        text = path.read_bytes()
        found = msgspec.json.decode(text, type=FormatOnly).format
        if found != FORMAT:
            raise RecipeError(path, "format", FORMAT, found, _REBUILD)
        manifest = msgspec.json.decode(text, type=Manifest)
    except PermissionError as error:
        raise IndexReadError(f"{path}: no permission to read it") from error
    except OSError as error:
        raise IndexCorruptError(path, error.strerror or "unreadable") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise IndexCorruptError(path, f"not a manifest ({error})") from error
    _check(path, manifest)
    if manifest.checksum and _digest(text, manifest.checksum) != manifest.checksum:
        raise IndexCorruptError(path, "does not match its checksum")
    versions = {
        "text version": (TEXT_VERSION, manifest.recipe.text_version),
        "terms version": (TERMS_VERSION, manifest.recipe.terms_version),
    }
    for name, (needed, has) in versions.items():
        if needed != has:
            raise RecipeError(path, name, needed, has, _REBUILD)
    return manifest


def sealed(manifest: Manifest) -> bytes:
    """Return the text of a manifest's file, with its checksum."""
    text = pretty_json(msgspec.structs.replace(manifest, checksum=_NO_DIGEST)).encode()
    mark = b'"checksum": "%s"'  # only as a key: a name in the manifest may hold any text
    head, _, tail = text.rpartition(mark % _NO_DIGEST.encode())
    return head + mark % _digest(text, _NO_DIGEST).encode() + tail


def _digest(text: bytes, checksum: str) -> str:
    """Return the checksum of a manifest's text that holds `checksum`."""
    plain = text.replace(checksum.encode(), _NO_DIGEST.encode())
    return hashlib.sha256(plain).hexdigest()


def _check(path: Path, manifest: Manifest) -> None:
    """Check that the values of a manifest are such as a build writes."""
    if any(name != Path(name).name or not name.isprintable() for name in manifest.files):
        raise IndexCorruptError(path, "it names files in other folders")
    n_studies = manifest.n_studies
    counts = (manifest.n_fitted, manifest.n_facts, *manifest.field_coverage.values())
    recipe = manifest.recipe
    names = (
        manifest.generation, manifest.previous, manifest.fitted, manifest.precision,
        manifest.details, manifest.built, manifest.records_date, recipe.model, recipe.fingerprint,
    )  # fmt: skip
    if not (
        0 < recipe.dimension < _MAX_DIMENSION
        and 0 < n_studies < _MAX_STUDIES
        and recipe.max_tokens >= 0
        and 0 <= manifest.mean_terms < _MAX_STUDIES
        and all(0 <= count < _MAX_STUDIES for count in counts)
        and all(entry.bytes >= 0 for entry in manifest.files.values())
    ):
        raise IndexCorruptError(path, "its numbers are impossible")
    if not (
        "".join(names).isprintable()
        and all(_SHA256.fullmatch(entry.sha256) for entry in manifest.files.values())
        and (not manifest.checksum or _SHA256.fullmatch(manifest.checksum))
    ):
        raise IndexCorruptError(path, "its texts are impossible")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
