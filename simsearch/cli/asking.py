"""What is asked about, as `query` and `compare` take it: studies, words, drafts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from simsearch.cli.command import OptionGroup
from simsearch.cli.options import given_path, given_text, named_studies
from simsearch.encode.encoders import Encoder
from simsearch.encode.minilm import load_query_encoder
from simsearch.errors import (
    GoneStudyError,
    NctIdError,
    SourceError,
    UnknownNumberError,
    UnknownStudyError,
)
from simsearch.index.opened import OpenedIndex
from simsearch.records import read_draft
from simsearch.records.id_files import ids_in_file
from simsearch.records.outcomes import DRAFT_HINT
from simsearch.search.query_parts import builder_of
from simsearch.search.resolve import FindStudy
from simsearch.study import Study


@dataclass(frozen=True, kw_only=True)
class AskedOptions(OptionGroup):
    """The studies, words and drafts of a question."""

    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NCT_ID",
            help="NCT IDs in any spelling, or addresses of studies' pages.",
            show_default=False,
        ),
    ] = None
    ids: Annotated[
        list[Path] | None,
        typer.Option(
            "--ids",
            metavar="FILE",
            parser=given_path,
            help="The NCT IDs in a file (text, CSV, RIS); repeatable.",
        ),
    ] = None
    text: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            "-t",
            parser=given_text,
            metavar="TEXT",
            help="Search by words; repeatable.",
        ),
    ] = None
    literal: Annotated[
        bool,
        typer.Option(
            "--literal",
            help="Take the words of --text as they are: no corrections, other names or filters.",
        ),
    ] = False
    file: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            metavar="RECORD",
            parser=given_path,
            help="Search by a study record that is not in the index (- for standard input); "
            "repeatable.",
        ),
    ] = None
    unlike: Annotated[
        list[str] | None,
        typer.Option(
            "--not",
            metavar="NCT_ID",
            help="Keep away from what this study is about (--exclude leaves out only the study); "
            "repeatable.",
        ),
    ] = None
    online: Annotated[
        bool,
        typer.Option("--online", help="Ask the registry for a study that is not in the index."),
    ] = False

    def check(self) -> None:
        """Refuse a question about nothing.

        Raises:
            BadParameter: it is one.
        """
        if not self.studies and self.text is None and self.file is None and self.ids is None:
            raise typer.BadParameter("give an NCT_ID, --ids, --text or --file")

    def question(self) -> dict[str, Any]:
        """Return the parts of a `Question` that were typed.

        Raises:
            SourceError: a file cannot be read.
        """
        return {
            "studies": (*all_named(self.studies or ()), *_listed(self.ids or ())),
            "texts": tuple(self.text or ()),
            "literal": self.literal,
            "drafts": tuple(map(read_draft, self.file or ())),
            "unlike": all_named(self.unlike or ()),
        }

    @property
    def find_study(self) -> FindStudy | None:
        """What finds a study that the index lacks, where `--online` is given."""
        return _study_online if self.online else None

    @contextmanager
    def advice(self, *, words: bool = True) -> Iterator[None]:
        """Add to an error what these options offer where a study is not found.

        Args:
            words: whether the command has --text and --file.
        """
        try:
            yield
        except (GoneStudyError, UnknownNumberError):
            raise
        except UnknownStudyError as error:
            if not self.online:
                other = " or --file RECORD" if words else ""
                error.add_note(f"or ask with --online{other}")
            raise
        except SourceError as error:
            if error.reason.endswith(DRAFT_HINT):
                error.add_note("for words, use --text")
            raise
        except NctIdError as error:
            if (
                words
                and error.text in (self.studies or ())
                and not any(map(str.isdigit, error.text))
            ):
                error.add_note("for words, use --text")
            raise


def all_named(typed: Sequence[str]) -> tuple[str, ...]:
    """Return the NCT IDs that arguments name (see `named_studies`)."""
    return tuple(nct_id for each in typed for nct_id in named_studies(each))


def _listed(files: Sequence[Path]) -> Iterator[str]:
    for file in files:
        yield from ids_in_file(file)


def loaded_encoder(index: OpenedIndex, model: str | None, *, quiet: bool) -> Encoder:
    """Return the model that built the index, from where the user says it is now."""
    from simsearch.cli.progress import waiting_for

    with waiting_for("Loading the model", quiet=quiet):
        if model is None:
            return builder_of(index)
        return load_query_encoder(model, index.generation.manifest.recipe.fingerprint)


def _study_online(nct_id: str) -> Study:
    from simsearch.cli.connect import registry_api
    from simsearch.cli.progress import waiting_for
    from simsearch.registry.single_studies import study_online

    with (
        registry_api(os.environ.get("SIMSEARCH_API"), verbose=False) as registry,
        waiting_for("Asking the registry", quiet=False),
    ):
        return study_online(registry, nct_id)
