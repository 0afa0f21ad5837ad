"""Errors as the command reports them: the library's sentence, and which option helps."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from simsearch.errors import (
    AddressError,
    ArgumentError,
    CacheError,
    DoubtfulAnswersError,
    EmptyFieldError,
    FilterError,
    ForeignFolderError,
    ForeignRelatedFileError,
    GoneStudyError,
    GuardError,
    IndexBusyError,
    IndexCorruptError,
    IndexNotFoundError,
    MirrorError,
    NoEarlierGenerationError,
    NoFetchYetError,
    NoReviewError,
    NoRoomError,
    RejectedRecordsError,
    SimsearchError,
    UnknownFieldError,
    UnknownStudyError,
)
from simsearch.index.directory import WHOLE_REGISTRY_COMMAND

_OPTIONS = MappingProxyType(
    {
        "k": "--top-k",
        "radius_km": "--radius",
        "unlike": "--not",
        "weights": "--weight",
        "SIMSEARCH_API": "SIMSEARCH_API",
    }
)
"""Arguments whose option has another name."""


_USAGE = tuple(
    (re.compile(wording), ours)
    for wording, ours in (
        (r"^Invalid value for '(\S+?)'( / '\S+')*( \(env var: '\w+'\))?: ", r"\1: "),
        (r"^Invalid value: ", ""),
        (r"Value error, ", ""),
        (r"Input should be a valid integer.*", "it must be a whole number"),
        (r"Input should be a valid number.*", "it must be a number"),
        (r"Input should be greater than or equal to ", "it must be at least "),
        (r"Input should be less than or equal to ", "it must be at most "),
        (r"Input should be ", "it must be "),
        (r"is not one of ('[^',]*')\.?$", r"is not known: it must be \1"),
        (r"is not one of ", "is not known: it must be one of "),
    )
)
"""What the parser of the command line says → how we say it."""


def usage_line(message: str) -> str:
    """Return what is wrong with a command line, in the words of the other errors."""
    for wording, ours in _USAGE:
        message = wording.sub(ours, message)
    return message.rstrip(".")


def line_of(error: SimsearchError) -> str:
    """Return what is wrong, and what to do next, for a person at the command line."""
    kind = next((kind for kind in type(error).__mro__ if kind in _LINES), SimsearchError)
    line = _LINES[kind](error) if kind in _LINES else str(error)
    return "; ".join([line, *getattr(error, "__notes__", ())])


def _option(name: str) -> str:
    return _OPTIONS.get(name, f"--{name.removeprefix('--').replace('_', '-')}")


def _argument(error: ArgumentError) -> str:
    name, _, signal = error.name.partition(" ")  # `weight text`: one of several
    found = repr(error.found)
    if isinstance(error.found, dict):
        found = ",".join(f"{each}={value:g}" for each, value in error.found.items())
    return f"{_option(name)} {signal}{'=' if signal else ''}{found}: it must be {error.expected}"


def _unknown_study(error: UnknownStudyError) -> str:
    step = "rebuild from records that contain it"
    if error.is_demo:
        step = f"for the whole registry, {WHOLE_REGISTRY_COMMAND}"
    return f"{error}: {step}"


def _unknown_field(error: UnknownFieldError) -> str:
    option = "--no-results" if error.value == "false" else _option(error.name)
    return f"{option}: no study in this index has this field; remove {option}"


def _no_earlier(error: NoEarlierGenerationError) -> str:
    if error.there:
        step = f"give one of {', '.join(error.there)} as OLD"
    elif error.is_demo:
        step = "it is the demo collection, which never changes; build an index of your own"
    else:
        step = "the next rebuild makes one"
    return f"{error}: {step}, or give the folder of another index"


def _guard(error: GuardError) -> str:
    how = ", or give" if isinstance(error, EmptyFieldError) else "; give"
    return f"{error}{how} {_option(error.allowed_by)} if that is intended"


_LINES: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        AddressError: lambda error: f"{error}; name another with --port or --host",
        ArgumentError: _argument,
        CacheError: lambda error: f"{error}; name another with --cache or give --no-cache",
        FilterError: lambda error: (
            f"{_option(error.name)} {error.shown} is not known: {error.advice}"
        ),
        DoubtfulAnswersError: lambda error: (
            f"{error}; if this lasts, --recheck 0 updates without the check"
        ),
        ForeignRelatedFileError: lambda error: f"{error}; give --force to replace it",
        ForeignFolderError: lambda error: f"{error}: name another folder with --index",
        GoneStudyError: str,
        GuardError: _guard,
        IndexBusyError: lambda error: f"{error}: try again later, or wait for it with --wait",
        IndexCorruptError: lambda error: f"{error} with `simsearch rebuild`",
        IndexNotFoundError: lambda error: f"{error}: build one with `simsearch rebuild RECORDS`",
        MirrorError: lambda error: f"{error}; name another with --mirror",
        NoEarlierGenerationError: _no_earlier,
        NoRoomError: lambda error: f"{error}: make room, or name another folder with --index",
        NoFetchYetError: lambda error: f"{error}: run `simsearch fetch --all` first",
        NoReviewError: lambda error: (
            f"{error}: begin a review with `simsearch review new {error.path} --included FILE`"
        ),
        RejectedRecordsError: lambda error: f"{error}; correct the source, or give --allow-rejects",
        UnknownFieldError: _unknown_field,
        UnknownStudyError: _unknown_study,
    }
)
"""Error → its line, where an option of the command helps; others say it all by themselves."""
