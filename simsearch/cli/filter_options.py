"""The filters, as options of every command that has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from simsearch.cli.command import OptionGroup
from simsearch.cli.options import named_studies
from simsearch.errors import ArgumentError
from simsearch.search.filters import DATE_WANTED, Filters

CompetingOption = Annotated[
    bool,
    typer.Option(
        "--competing",
        help="Only trials that compete for the same participants now: with a condition in common, "
        "and recruiting or about to at a site in a country of the query study, or at the place "
        "given.",
        rich_help_panel="Filters",
    ),
]


HideSameSponsorOption = Annotated[
    bool,
    typer.Option(
        "--hide-same-sponsor",
        help="Hide studies of the query study's lead sponsor.",
        rich_help_panel="Filters",
    ),
]


MinPercentileOption = Annotated[
    float,
    typer.Option(
        "--min-percentile",
        metavar="P",
        min=0,
        max=100,
        help="Leave out neighbours below this percentile.",
        show_default=False,
    ),
]


def _filter(*names: str, metavar: str, help_text: str) -> Any:
    return typer.Option(
        *names, metavar=metavar, help=help_text, rich_help_panel="Filters", show_default=False
    )


@dataclass(frozen=True, kw_only=True)
class FilterOptions(OptionGroup):
    """What a neighbour must be, named as the fields of `Filters`."""

    status: Annotated[
        list[str] | None,
        _filter("--status", metavar="STATUS", help_text="Recruiting, completed, …; repeatable."),
    ] = None
    phase: Annotated[
        list[str] | None,
        _filter("--phase", metavar="PHASE", help_text="1 to 4, early 1, n/a; 1/2 matches either."),
    ] = None
    study_type: Annotated[
        list[str] | None,
        _filter("--study-type", metavar="TYPE", help_text="Interventional, observational, …"),
    ] = None
    intervention_type: Annotated[
        list[str] | None,
        _filter("--intervention-type", metavar="TYPE", help_text="Drug, device, behavioral, …"),
    ] = None
    country: Annotated[
        list[str] | None,
        _filter("--country", metavar="COUNTRY", help_text="With a site there; repeatable."),
    ] = None
    city: Annotated[
        list[str] | None,
        _filter("--city", metavar="CITY", help_text="With a site in this city; repeatable."),
    ] = None
    state: Annotated[
        list[str] | None,
        _filter("--state", metavar="STATE", help_text="With a site in this state or province."),
    ] = None
    facility: Annotated[
        list[str] | None,
        _filter(
            "--facility",
            metavar="NAME",
            help_text="Words of a site's name, or the beginnings of words.",
        ),
    ] = None
    near: Annotated[
        list[str] | None,
        _filter(
            "--near",
            metavar="PLACE",
            help_text='With a site at this place, like "Boston, Massachusetts" or France.',
        ),
    ] = None
    radius_km: Annotated[
        float | None,
        _filter("--radius", metavar="KM", help_text="Or within this many kilometres of it."),
    ] = None
    sponsor: Annotated[
        list[str] | None,
        _filter(
            "--sponsor",
            metavar="NAME",
            help_text="Words of the lead sponsor's name, or the beginnings of words.",
        ),
    ] = None
    start_after: Annotated[
        str | None,
        _filter("--start-after", metavar="DATE", help_text="Started on or after 2020, 2020-06, …"),
    ] = None
    start_before: Annotated[
        str | None,
        _filter("--start-before", metavar="DATE", help_text="Started on or before this date."),
    ] = None
    min_enrollment: Annotated[
        int | None,
        _filter("--min-enrollment", metavar="N", help_text="With at least this many participants."),
    ] = None
    has_results: Annotated[
        bool | None,
        _filter("--has-results/--no-results", metavar="", help_text="With posted results, or not."),
    ] = None

    same_intervention: Annotated[
        bool,
        _filter(
            "--same-intervention",
            metavar="",
            help_text="With an intervention of the query study, by name, synonym or MeSH term.",
        ),
    ] = False
    same_condition: Annotated[
        bool,
        _filter(
            "--same-condition",
            metavar="",
            help_text="With a condition of the query study, by name or MeSH term.",
        ),
    ] = False
    or_unknown: Annotated[
        bool,
        _filter(
            "--or-unknown", metavar="", help_text="Keep studies whose record lacks what is asked."
        ),
    ] = False
    exclude: Annotated[
        list[str] | None,
        _filter(
            "--exclude",
            metavar="NCT_ID|FILE",
            help_text="Leave out this study, or those in a file (text, CSV, RIS); repeatable.",
        ),
    ] = None

    def filters(self) -> Filters:
        """Return the filters that were typed.

        Raises:
            ArgumentError: a date was given, and is empty.
            SourceError: a file of studies to exclude cannot be read.
        """
        for name in ("start_after", "start_before"):
            if getattr(self, name) == "":
                raise ArgumentError(name, "", DATE_WANTED)
        given = {name: value for name, value in vars(self).items() if value is not None}
        excluded = (named_studies(each) for each in self.exclude or ())
        return Filters(**given | {"exclude": [nct_id for some in excluded for nct_id in some]})
