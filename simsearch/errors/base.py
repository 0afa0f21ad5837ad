"""The base of all errors: attributes, and a sentence made from them."""

from __future__ import annotations

from typing import Any, ClassVar, dataclass_transform

# Exit codes; see the docstring of `simsearch.errors`.
WRONG_USAGE = 2
NOT_PUBLISHED = 3
TRY_LATER = 75


def one_line(text: str, keep: str = "") -> str:
    """Return a text with blanks for control characters: one line, whatever names it holds.

    Args:
        text: the text.
        keep: unprintable characters to keep.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else " " for each in text)


def records_to(date: str) -> str:
    """Return the date of records as the end of a phrase (`, records to 2025-05-08`), or `""`."""
    return f", records to {date}" if date else ""


@dataclass_transform(eq_default=False)
class SimsearchError(Exception):
    """Base of all errors raised on purpose; `str(error)` is one line for a person.

    A subclass annotates its attributes: they are its arguments, in that order, those of its base
    first. (Dataclasses would do the same, but making them all would add ten milliseconds to
    every start.)
    """

    exit_code: ClassVar[int] = 1
    _names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        own = [name for name, kind in cls.__annotations__.items() if "ClassVar" not in str(kind)]
        cls._names = (*cls._names, *(name for name in own if name not in cls._names))

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values)
        known = dict(zip(self._names, values, strict=False)) | named
        if len(values) > len(self._names) > 0 or not known.keys() <= set(self._names):
            raise TypeError(f"{type(self).__name__} takes only {', '.join(self._names)}")
        missing = [name for name in self._names if name not in known and not hasattr(self, name)]
        if missing:
            raise TypeError(f"{type(self).__name__} lacks {', '.join(missing)}")
        vars(self).update(known)

    def __str__(self) -> str:
        return one_line(self._message())

    def _message(self) -> str:
        return super().__str__()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, name) for name in self._names) or self.args
