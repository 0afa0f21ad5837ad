"""Files of an index are changed, and sealed again as if a build had written them so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def generation_of(index: Path) -> Path:
    """Return the folder of the current generation."""
    return index / "generations" / (index / "CURRENT").read_text().strip()


def change_manifest(index: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of the current generation; it is then one without a checksum."""
    path = generation_of(index) / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    manifest.pop("checksum", None)
    path.write_text(json.dumps(manifest))


def reseal(index: Path, name: str) -> None:
    """Give a changed file its size and checksum in the manifest."""
    content = (generation_of(index) / name).read_bytes()
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change_manifest(index, lambda manifest: manifest["files"].update({name: entry}))
