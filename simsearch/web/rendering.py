"""Templates and static files: everything that pages are made of."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from simsearch.design.criteria import split_criteria
from simsearch.output.marked import Piece, marked, marked_excerpt
from simsearch.output.page import stylesheet
from simsearch.search.shape import percentile_label
from simsearch.study import phase_label, status_label

_FOLDER = Path(__file__).parent

# Control, bidi and other invisible characters; line breaks stay.
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e007f]"
)
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
          ".svg": "image/svg+xml"}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def visible(text: str) -> str:
    """Return a text with blanks for characters that nobody sees or that turn others around."""
    return _UNSEEN.sub(" ", text)


def date_label(date: str, *, short: bool = False) -> str:
    """Return a date as people read it: `June 2018`, `10 June 2018`; in `short` `10 Jun 2018`."""
    parts = date.split("-")
    if not all(part.isdigit() for part in parts) or len(parts) > 3:  # noqa: PLR2004
        return date
    month = int(parts[1]) if len(parts) > 1 else 0
    if not 0 <= month <= len(_MONTHS):
        return date
    name = _MONTHS[month - 1][: 3 if short else None]
    named = [str(int(parts[2]))] if len(parts) > 2 else []  # noqa: PLR2004
    return " ".join([*named, *([name] if month else []), parts[0]])


def enum_label(value: str) -> str:
    """Return an enumeration of the registry as people read it: `Dietary supplement`."""
    return value.replace("_", " ").capitalize()


def phase_words(phases: tuple[str, ...] | str) -> str:
    """Return phases in words: `Phase 2`, `Phase 1/2`, `Early phase 1`, `Not applicable`."""
    label = phase_label((phases,) if isinstance(phases, str) else phases)
    if label in ("", "n/a"):
        return "Not applicable" if label else ""
    return (
        f"{label[0].upper()}{label[1:]}".replace("Early ", "Early phase ")
        if (label.startswith("early"))
        else f"Phase {label}"
    )


def nines(percentile: float) -> str:
    """Return the length of a bar, 0 to 100: 90 % is a quarter of it, 99 % half, 99.9 % more.

    Neighbours lie between 95 % and 99.99 %: on an even scale all bars would look alike.
    """
    return f"{min(100.0, -25 * math.log10(max(1e-9, 1 - percentile / 100))):.1f}"


class Static(Mapping[str, tuple[bytes, str]]):
    """The static files by their names with a hash in them: content and type."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, str]] = {}
        self._names: dict[str, str] = {}
        for path in sorted((_FOLDER / "static").iterdir()):
            if path.suffix in _TYPES:
                content = path.read_bytes()
                if path.name == "style.css":  # and the rules of what the library draws
                    content += stylesheet().encode()
                digest = hashlib.sha256(content).hexdigest()[:12]
                name = f"{path.stem}.{digest}{path.suffix}"
                self._files[name] = content, _TYPES[path.suffix]
                self._names[path.name] = name

    def __getitem__(self, name: str) -> tuple[bytes, str]:
        return self._files[name]

    def __iter__(self) -> Any:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def address(self, name: str) -> str:
        """Return the address of a file, which changes with its content."""
        return f"/static/{self._names[name]}"

    def content(self, name: str) -> bytes:
        """Return a file by its plain name."""
        return self._files[self._names[name]][0]


def marks(pieces: Iterable[Piece]) -> Markup:
    """Return a text with the words in common marked."""
    shown = (
        f"<mark>{escape(visible(each.text))}</mark>" if each.marked else escape(visible(each.text))
        for each in pieces
    )
    return Markup("".join(shown))  # noqa: S704 - each piece is escaped


@cache
def static_files() -> Static:
    """Return the static files, read once."""
    return Static()


@cache
def templates() -> Environment:
    """Return the templates: whatever they show is escaped, and its letters can be seen."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown,
        auto_reload=False,
    )  # fmt: skip
    made.filters |= {
        "date": date_label, "enum": enum_label, "phases": phase_words, "status": status_label,
        "percentile": percentile_label, "nines": nines,
    }  # fmt: skip
    made.globals |= {
        "static": static_files().address,
        "marked": marked,
        "marked_excerpt": marked_excerpt,
        "marks": marks,
        "split_criteria": split_criteria,
    }
    return made


def page(template: str, /, **values: Any) -> str:
    """Return a page or a part of one."""
    return templates().get_template(template).render(values)


def _shown(value: object) -> object:
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return visible(value)
    return "" if value is None else value
