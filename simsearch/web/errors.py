"""Errors as the web app reports them: status, sentence, and what to do next."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from simsearch.errors import (
    ArgumentError,
    EncoderError,
    FilterError,
    GoneStudyError,
    IndexReadError,
    NctIdError,
    NothingToCompareError,
    ReviewBusyError,
    ReviewError,
    SimsearchError,
    SourceError,
    UnknownFieldError,
    UnknownStudyError,
)

EXAMPLE = "NCT03540472"


class BusyError(SimsearchError):
    """Too many questions at once, or an answer that took too long."""

    def _message(self) -> str:
        return "the server is busy"


class NoPageError(SimsearchError):
    """An address at which there is nothing."""

    def _message(self) -> str:
        return "there is no such page"


class NotAllowedError(SimsearchError):
    """A decision that is not taken; `reason` is the sentence."""

    reason: str

    def _message(self) -> str:
        return self.reason


class ParameterError(SimsearchError):
    """A parameter that there is not; `known` are those there are."""

    name: str
    known: tuple[str, ...]

    def _message(self) -> str:
        return f"there is no parameter {self.name[:60]!r}"


class BodyError(SimsearchError):
    """A body that is none; `what` completes "the body …"."""

    what: str

    def _message(self) -> str:
        return f"the body {self.what}"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it is shown and sent: the one shape of all of them."""

    error: str
    status: int
    next_step: str = ""
    ok: bool = False

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase


_STATUS: tuple[tuple[type[SimsearchError], int], ...] = (
    (NoPageError, 404),
    (GoneStudyError, 410),
    (UnknownStudyError, 404),
    (NothingToCompareError, 422),
    (NotAllowedError, 403),
    (ReviewError, 503),
    (BusyError, 503),
    (IndexReadError, 503),
    (EncoderError, 501),
    (SimsearchError, 400),
)


def problem_of(error: SimsearchError, index_path: str) -> Problem:
    """Return what is wrong, and what to do next, for a person or a program that asked.

    Args:
        error: what was raised.
        index_path: the folder of the index, which is nobody's business.
    """
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    sentence = str(error)
    if isinstance(error, IndexReadError):
        sentence = "the index cannot be read now"
    elif isinstance(error, ReviewError):
        sentence = f"the review {error.path.name} {error.reason}"
    elif isinstance(error, EncoderError):
        sentence = "words and drafts cannot be asked with here: the model is not on the server"
    return Problem(
        error=sentence.replace(f"the index {index_path}", "this index").replace(index_path, ""),
        status=status,
        next_step=_next_step(error),
    )


def http_problem(status: int, detail: Any) -> Problem:
    """Return the problem for a status of HTTP that the framework raised."""
    if status == HTTPStatus.NOT_FOUND:
        return Problem(
            error="there is no such page", status=status,
            next_step=f"begin at / or open a study, such as /study/{EXAMPLE}",
        )  # fmt: skip
    return Problem(error=str(detail)[:300], status=status)


def _next_step(error: SimsearchError) -> str:
    step = next((step for kind, step in _STEPS if isinstance(error, kind)), "")
    match error:
        case GoneStudyError(became=became) if became:
            step = f"open /study/{became}"
        case NctIdError(close=close) if close:
            step = f"open /study/{close}"
        case UnknownFieldError() | ArgumentError() | FilterError():
            step = f"correct or remove {error.name}"
        case ParameterError(known=known):
            step = f"the parameters are {', '.join(known)}" if known else "it takes none"
    return step


_STEPS: tuple[tuple[type[SimsearchError], str], ...] = (
    (BodyError, 'send an object such as {"studies": ["NCT03540472"]}; /api describes it'),
    (NoPageError, f"begin at / or open a study, such as /study/{EXAMPLE}"),
    (NctIdError, f"give an NCT ID like {EXAMPLE}, or ask with words: text=…"),
    (UnknownStudyError, "check the number, or paste the study's record at /draft"),
    (NothingToCompareError, "give a title, conditions, interventions or a summary"),
    (SourceError, "give a title, conditions, interventions or a summary"),
    (
        NotAllowedError,
        "load the page again, or decide with `simsearch review`",
    ),
    (ReviewBusyError, "try again in a moment"),
    (ReviewError, "see what `simsearch review status` says of it"),
    (BusyError, "try again in a moment"),
    (IndexReadError, "try again in a moment"),
)
