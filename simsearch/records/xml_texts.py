"""The texts of a study in the legacy XML, by their places in the document."""

from __future__ import annotations

import re

# Elements of which a study has several, each with parts of its own.
_GROUPS = frozenset(
    {"intervention", "arm_group", "primary_outcome", "secondary_outcome", "other_outcome",
     "location", "reference", "results_reference", "sponsors/collaborator"}
)  # fmt: skip

# A list item is a paragraph of its own, with two blanks after its dash.
_LIST_ITEM = re.compile(r"(\A\s*|\n[ \t]*\n[ \t]*)-  (?=\S)")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")

Group = dict[str, list[str]]
"""The texts of an element of `_GROUPS`, in order, by their path below it."""


class Texts:
    """The texts of one study, in order, by their path below `clinical_study`."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._groups: dict[str, list[Group]] = {}
        self._open_group: Group = {}

    def add(self, path: str, text: str) -> None:
        """Add the text of an element that has ended."""
        if path in _GROUPS:
            self._groups.setdefault(path, []).append(self._open_group)
            self._open_group = {}
            return
        for depth in (1, 2):
            parts = path.split("/", depth)
            if len(parts) > depth and "/".join(parts[:depth]) in _GROUPS:
                self._open_group.setdefault(parts[-1], []).append(text)
                return
        self._texts.setdefault(path, []).append(text)

    def __contains__(self, path: str) -> bool:
        return path in self._texts

    def every(self, path: str) -> list[str]:
        """Return the texts of all elements at `path`."""
        return self._texts.get(path, [])

    def first(self, path: str) -> str | None:
        """Return the text of the first element at `path`, or None."""
        return next(iter(self.every(path)), None)

    def groups(self, path: str) -> list[Group]:
        """Return the texts of each of the elements at `path`, one of `_GROUPS`."""
        return self._groups.get(path, [])


def one(group: Group, path: str) -> str | None:
    """Return the first text at a path below an element of `_GROUPS`, or None."""
    return next(iter(group.get(path, ())), None)


def as_markup(textblock: str) -> str:
    r"""Return a text as the API v2 has it: `* ` before list items, backslashes escaped."""
    plain = textblock.replace("\r", "").replace("\\", r"\\")
    return _LIST_ITEM.sub(r"\1* ", plain)


def as_lines(textblock: str) -> str:
    """Return a long text with its paragraphs and items of lists as lines, else as `as_markup`."""
    paragraphs = _BLANK_LINE.split(as_markup(textblock))
    return "\n".join(" ".join(each.split()) for each in paragraphs)
