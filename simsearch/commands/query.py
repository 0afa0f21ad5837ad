"""`simsearch query`: the studies most like one, several, a draft or a text."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from simsearch.commands.terminal import print_text, terminal
from simsearch.encoders import Encoder
from simsearch.errors import ArgumentError, GoneStudyError, NctIdError, UnknownStudyError
from simsearch.light_encoder import load_query_encoder
from simsearch.options import (
    CountryFilter,
    Format,
    GroupBy,
    IndexModelOption,
    IndexOption,
    InterventionTypeFilter,
    MinEnrollmentFilter,
    PhaseFilter,
    QuietOption,
    ResultsFilter,
    SponsorFilter,
    StartAfterFilter,
    StartBeforeFilter,
    StatusFilter,
    StudyTypeFilter,
    WeightOption,
    filters_from,
    given_path,
)
from simsearch.parts import QueryPart
from simsearch.presentation import FORMATTERS, Answer, Query, answer_text
from simsearch.queries import draft_part, study_parts, text_part
from simsearch.reasons import explain as explained
from simsearch.records import read_draft
from simsearch.search import MAX_K, Index, open_index
from simsearch.study import Study, parse_nct_id
from simsearch.variety import Variety, varied
from simsearch.vectors import DEFAULT_WEIGHTS, weights_for


def query(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NCT_ID]...",
            help="NCT IDs in any spelling, or addresses of studies' pages.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option("--text", "-t", metavar="TEXT", help="Ask with words."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="RECORD",
            parser=given_path,
            help="Ask with a study record that is not in the index (- for standard input).",
        ),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="NCT_ID", help="Away from this study; repeatable."),
    ] = None,
    online: Annotated[
        bool,
        typer.Option("--online", help="Ask the registry for a study that the index lacks."),
    ] = False,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, max=MAX_K, help="How many neighbours.")
    ] = 10,
    status: StatusFilter = None,
    phase: PhaseFilter = None,
    study_type: StudyTypeFilter = None,
    intervention_type: InterventionTypeFilter = None,
    country: CountryFilter = None,
    sponsor: SponsorFilter = None,
    hide_same_sponsor: Annotated[
        bool,
        typer.Option(
            "--hide-same-sponsor",
            help="Without the query study's own lead sponsor.",
            rich_help_panel="Which studies",
        ),
    ] = False,
    start_after: StartAfterFilter = None,
    start_before: StartBeforeFilter = None,
    min_enrollment: MinEnrollmentFilter = None,
    has_results: ResultsFilter = None,
    weight: WeightOption = None,
    diverse: Annotated[
        float | None,
        typer.Option(
            "--diverse",
            metavar="[LAMBDA]",
            help="Less of the same: 1 is plain ranking, 0 variety alone; 0.7 if none is given.",
            show_default=False,
        ),
    ] = None,
    group_by: Annotated[
        GroupBy | None,
        typer.Option("--group-by", help="The best of each sponsor, its others under it."),
    ] = None,
    fold: Annotated[
        bool, typer.Option("--fold", help="Near-duplicates under the best of them.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", "-e", help="All of the reason for each neighbour.")
    ] = False,
    index: IndexOption = None,
    format_: Annotated[Format, typer.Option("--format", "-o", help="How to write the answer.")] = (
        Format.table
    ),
    model: IndexModelOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print the studies most like one: by NCT ID, by several, by words, or by a draft record.

    \b
    simsearch query NCT03540472
    simsearch query NCT03540472 --status recruiting --country France -k 25
    simsearch query NCT03540472 --explain
    simsearch query NCT03540472 NCT00229619 --not NCT00378326
    simsearch query --text "eltrombopag for aplastic anemia in children"
    simsearch query --file draft.json --format csv > related.csv
    simsearch query NCT03540472 --format ids | head -3
    simsearch query NCT07000001 --online
    """
    if not studies and text is None and file is None:
        raise typer.BadParameter("give an NCT_ID, --text or --file")
    weights = parsed_weights(weight or [])
    with open_index(index) as opened:
        asking = _Asking(opened, model, online=online, quiet=quiet)
        asked, parts = asking.query(studies or [], text, file, unlike or [])
        if hide_same_sponsor and not _sponsors(asked.studies) and not quiet:
            print("simsearch: no sponsor is known to hide (--hide-same-sponsor)", file=sys.stderr)
        filters = filters_from(
            status=status,
            phase=phase,
            study_type=study_type,
            intervention_type=intervention_type,
            country=country,
            sponsor=sponsor,
            other_sponsor=_sponsors(asked.studies) if hide_same_sponsor else (),
            start_after=start_after,
            start_before=start_before,
            min_enrollment=min_enrollment,
            has_results=has_results,
        )
        variety = Variety(diverse, fold=fold, by_sponsor=group_by is GroupBy.sponsor)
        if variety:
            neighbours = varied(opened, parts, top_k, variety, weights, filters)
        else:
            neighbours = opened.nearest(parts, top_k, weights, filters)
        reasons = explained(opened, parts, asked.studies, neighbours, weights)
        answer = Answer(asked, neighbours, reasons, opened, weights, filters, explain)
        if format_ is Format.table:
            width, color = terminal()
            print_text(answer_text(answer, width=width, color=color, quiet=quiet))
        else:
            print_text(FORMATTERS[format_](answer))


def parsed_weights(given: Sequence[str]) -> dict[str, float]:
    """Return the weights that `text=1,lexical=.5` asks for; signals not named keep theirs.

    Raises:
        ArgumentError: something else than SIGNAL=NUMBER, no such signal, or all are 0.
    """
    weights = dict(DEFAULT_WEIGHTS)
    for piece in (part for text in given for part in text.split(",")):
        name, _, number = (part.strip() for part in piece.partition("="))
        if name not in weights:
            raise ArgumentError("weight", piece, f"of {', '.join(weights)}")
        try:
            weights[name] = float(number)
        except ValueError:
            raise ArgumentError("weight", piece, "like lexical=0.5") from None
    weights_for(weights, dict.fromkeys(weights, True))  # refuses what is no weight
    return weights


class _Asking:
    """Turns what was typed into a query; the model is loaded at the first need."""

    def __init__(self, index: Index, model: str | None, *, online: bool, quiet: bool) -> None:
        self._index = index
        self._model = model
        self._online = online
        self._quiet = quiet
        self._loaded: Encoder | None = None

    def query(
        self, studies: Sequence[str], text: str | None, file: Path | None, unlike: Sequence[str]
    ) -> tuple[Query, list[QueryPart]]:
        """Return what is asked, to be shown and to be searched with."""
        draft = None if file is None else read_draft(file)
        try:
            asked, parts = self._studies(studies, draft)
        except NctIdError as error:
            raise NctIdError(error.text, error.reason, error.close, "use --text") from None
        shown = list(asked.values())
        if draft is not None:
            parts.append(draft_part(self._index, draft, self._encoder))
            shown.append(draft)
        if text is not None:
            parts.append(text_part(self._index, text, self._encoder))
        unliked, away = self._studies(unlike, None, away=True)
        rows, rows_away = ({row for part in some for row in part.rows} for some in (parts, away))
        both = {study.nct_id for study in self._index.store.studies(sorted(rows & rows_away))}
        both |= {each.nct_id for each in unliked.values() if any(_same(one, each) for one in shown)}
        if both:
            raise ArgumentError("--not", min(both), "another study than those asked with")
        shown_query = Query(
            tuple(shown), text or "", tuple(unliked.values()), draft=draft is not None
        )
        return shown_query, parts + away

    def _studies(
        self, nct_ids: Sequence[str], draft: Study | None, *, away: bool = False
    ) -> tuple[dict[str, Study], list[QueryPart]]:
        """Return studies by NCT ID and as parts of a query, each once, the draft's own left out."""
        parts: list[QueryPart] = []
        asked: dict[str, Study] = {}
        for nct_id in nct_ids:
            if _known(nct_id) in asked or (draft and _known(nct_id) in _numbers(draft)):
                continue
            is_here = not self._online or self._index.holds(nct_id)
            study = self._study(nct_id) if is_here else _study_online(nct_id)
            if is_here and not self._quiet and (moved := self._index.merged(nct_id)):
                print(f"simsearch: {moved}", file=sys.stderr)
            if study.nct_id in asked or (draft and _same(draft, study)):
                continue
            if is_here:
                parts += study_parts(self._index, [nct_id], away=away)
            else:
                part = draft_part(self._index, study, self._encoder)
                parts.append(msgspec.structs.replace(part, away=away))
            asked[study.nct_id] = study
        return asked, parts

    def _study(self, nct_id: str) -> Study:
        """Return a study of the index; of one it lacks, say how it can be asked with all the same.

        Raises:
            NctIdError, UnknownStudyError: no such ID, or not in this index.
        """
        try:
            return self._index.study(nct_id)
        except GoneStudyError:
            raise
        except UnknownStudyError as error:
            step = f"{error.next_step}; or ask with --online or --file RECORD"
            raise UnknownStudyError(
                error.nct_id, error.index, error.n_studies, error.records_date, step
            ) from None

    @property
    def _encoder(self) -> Encoder:
        """The model that built the index, from where the user says it is now."""
        if self._loaded is None:
            from simsearch.progress import waiting_for

            recipe = self._index.generation.manifest.recipe
            model = recipe.model if self._model is None else self._model
            with waiting_for("Loading the model", quiet=self._quiet):
                self._loaded = load_query_encoder(model, recipe.fingerprint)
        return self._loaded


def _known(nct_id: str) -> str:
    """Return the canonical ID of what was typed, or what was typed: it is refused later."""
    try:
        return parse_nct_id(nct_id)
    except NctIdError:
        return nct_id


def _numbers(study: Study) -> set[str]:
    return {study.nct_id, *study.aliases} - {""}


def _same(one: Study, other: Study) -> bool:
    """Tell that one study is the other, by its number or an obsolete one."""
    return one.nct_id in _numbers(other) or other.nct_id in _numbers(one)


def _sponsors(studies: Sequence[Study]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(study.sponsor for study in studies if study.sponsor))


def _study_online(nct_id: str) -> Study:
    from simsearch.commands.registry import registry_api
    from simsearch.fetch import study_online
    from simsearch.progress import waiting_for

    with (
        registry_api(os.environ.get("SIMSEARCH_API"), verbose=False) as registry,
        waiting_for("Asking the registry", quiet=False),
    ):
        return study_online(registry, nct_id)
