"""What the HTTP API takes and gives, as its OpenAPI describes it. docs/json.md says it in full."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from simsearch.web.asking import Asked
from simsearch.web.settings import (
    MAX_BODY,
    MAX_EXCLUDED,
    MAX_K,
    MAX_STUDIES,
    MAX_TEXT,
    MAX_VALUE,
    MAX_VALUES,
    MOST_VIEWED,
)

_Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_VALUE)]
_Values = Annotated[tuple[_Name, ...], Field(max_length=MAX_VALUES)]
_Studies = Annotated[tuple[_Name, ...], Field(max_length=MAX_STUDIES)]
_Excluded = Annotated[tuple[_Name, ...], Field(max_length=MAX_EXCLUDED)]
_Share = Annotated[float, Field(ge=0, le=1)]


class Filtering(BaseModel):
    """What a neighbour must be, and how the list is made."""

    model_config = ConfigDict(extra="forbid")

    k: Annotated[int, Field(ge=1, le=MAX_K, description="How many neighbours.")] = 10
    status: Annotated[_Values, Field(description="`RECRUITING`, `completed`, …")] = ()
    phase: Annotated[_Values, Field(description="`1` to `4`, `early 1`, `n/a`")] = ()
    study_type: Annotated[_Values, Field(description="`interventional`, `observational`, …")] = ()
    intervention_type: Annotated[_Values, Field(description="`drug`, `device`, …")] = ()
    country: Annotated[_Values, Field(description="With a site there.")] = ()
    city: Annotated[_Values, Field(description="With a site in this city.")] = ()
    state: Annotated[_Values, Field(description="With a site in this state or province.")] = ()
    facility: Annotated[_Values, Field(description="Words of a site's name.")] = ()
    near: Annotated[_Values, Field(description="With a site at `Boston, Massachusetts`, …")] = ()
    radius_km: Annotated[
        float | None, Field(gt=0, le=20_040, description="Or within this many kilometres of it.")
    ] = None
    sponsor: Annotated[_Values, Field(description="Words of the lead sponsor's name.")] = ()
    exclude: Annotated[_Excluded, Field(description="NCT IDs of studies to leave out.")] = ()
    start_after: Annotated[
        str, Field(max_length=10, description="Started on or after `2020`, `2020-06`, …")
    ] = ""
    start_before: Annotated[str, Field(max_length=10, description="On or before this date.")] = ""
    min_enrollment: Annotated[
        int | None, Field(ge=0, le=10**9, description="At least this many participants.")
    ] = None
    has_results: Annotated[bool | None, Field(description="With posted results, or without.")] = (
        None
    )
    or_unknown: Annotated[bool, Field(description="Keep studies that do not say.")] = False
    same_condition: Annotated[bool, Field(description="That share a condition.")] = False
    same_intervention: Annotated[bool, Field(description="That share an intervention.")] = False
    competing: Annotated[
        bool, Field(description="That recruit for the same condition at the same places.")
    ] = False
    hide_same_sponsor: Annotated[
        bool, Field(description="Without studies of the query study's lead sponsor.")
    ] = False
    fold: Annotated[bool, Field(description="Near-duplicates under the best of them.")] = False
    diverse: Annotated[
        _Share | None, Field(description="1 = ranking only, 0 = diversity only.")
    ] = None
    group_by: Annotated[
        Literal["sponsor"] | None, Field(description="Each sponsor's others under its best.")
    ] = None
    min_percentile: Annotated[
        float, Field(ge=0, le=100, description="Leave out neighbours below it.")
    ] = 0

    def asked(self, **about: Any) -> Asked:
        """Return these parameters with what is asked about."""
        return Asked(**self.model_dump(), **about)


class RelatedQuery(Filtering):
    """The parameters of a list by an address."""

    offset: Annotated[
        int, Field(ge=0, le=MAX_K - 1, description="Skip this many of the nearest; see `next`.")
    ] = 0

    def asked(self, **about: Any) -> Asked:
        """Return these parameters, for so many neighbours that the offset can be left out."""
        given = self.model_dump(exclude={"offset"}) | {"k": min(self.k + self.offset, MAX_K)}
        return Asked(**given, **about)


class RelatedBody(Filtering):
    """A question about several studies, words or a draft: at least one of them."""

    studies: Annotated[_Studies, Field(description="NCT IDs to be near to.")] = ()
    unlike: Annotated[_Studies, Field(description="NCT IDs to keep away from.")] = ()
    text: Annotated[str, Field(max_length=MAX_TEXT, description="Words, in English.")] = ""
    literal: Annotated[
        bool,
        Field(description="Take the words as they are: no corrections, other names or filters."),
    ] = False
    draft: Annotated[
        dict[str, Any] | None,
        Field(
            description="A study's record that is not in the index, in the registry's layout "
            f"(docs/forms.md); the whole body has at most {MAX_BODY:,} bytes. Nothing is stored."
        ),
    ] = None
    weights: Annotated[
        dict[
            Literal["text", "conditions", "interventions", "lexical"],
            Annotated[float, Field(ge=0, le=100)],
        ]
        | None,
        Field(description="Signal → weight, in place of the usual ones."),
    ] = None

    def asked(self, **about: Any) -> Asked:
        """Return the question, without the draft."""
        given = self.model_dump(exclude={"draft", "text"})
        texts = (self.text,) if self.text.strip() else ()
        return Asked(**given, texts=texts, **about)


class CompareBody(RelatedBody):
    """A question whose nearest studies' designs are compared."""

    k: Annotated[int, Field(ge=1, le=MOST_VIEWED, description="How many of the nearest.")] = 20
    groups: Annotated[
        bool, Field(description="Group outcomes and criteria by meaning; takes a second more.")
    ] = False

    def asked(self, **about: Any) -> Asked:
        """Return the question, without the draft."""
        given = self.model_dump(exclude={"draft", "text", "groups"})
        texts = (self.text,) if self.text.strip() else ()
        return Asked(**given, texts=texts, **about)


class ErrorModel(BaseModel):
    """Every error."""

    ok: Literal[False]
    error: str
    status: int
    next_step: str


class StudyModel(BaseModel):
    """A study."""

    model_config = ConfigDict(extra="allow")

    nct_id: str
    title: str
    status: str
    phases: list[str]
    study_type: str
    conditions: list[str]
    interventions: list[dict[str, Any]]
    sponsor: str
    start_date: str
    enrollment: int | None
    countries: list[str]
    url: str


class NeighbourModel(StudyModel):
    """A neighbour: a study, and why it is one."""

    rank: int
    similarity: float
    percentile: float
    signals: dict[str, float]
    reason: dict[str, Any] | None
    folded: list[str]


class IndexModel(BaseModel):
    """Which index answered."""

    model_config = ConfigDict(extra="allow")

    path: str
    demo: bool
    generation: str
    built: str
    records_date: str
    n_studies: int


class IndexAnswer(BaseModel):
    """The index."""

    ok: Literal[True]
    index: IndexModel


class StudyAnswer(BaseModel):
    """A study and the index that has it."""

    ok: Literal[True]
    study: StudyModel
    index: IndexModel


class RelatedAnswer(BaseModel):
    """An answer, as `simsearch query --format json` prints it."""

    model_config = ConfigDict(populate_by_name=True)

    ok: Literal[True]
    schema_: Annotated[Literal["simsearch.answer/1"], Field(alias="schema")]
    query: dict[str, Any]
    n_close: int
    close_percentile: float
    ranking: str
    weights: dict[str, float]
    filters: dict[str, Any]
    neighbours: list[NeighbourModel]
    notes: list[str]
    index: IndexModel
    next: Annotated[str | None, Field(description="Address of the next ones; null at the end.")] = (
        None
    )


class CompareAnswer(BaseModel):
    """Designs side by side, and their benchmark, as `simsearch compare --format json` prints it."""

    model_config = ConfigDict(extra="allow")

    ok: Literal[True]
    studies: list[dict[str, Any]]
    benchmark: dict[str, Any]
    index: IndexModel


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorModel, "description": why}
    for status, why in {
        400: "A parameter is unknown, or its value is not understood.",
        404: "The study is not in this index.",
        405: "Another method is needed.",
        410: "The study has left the registry.",
        413: "The body is too large.",
        414: "The address is too long.",
        422: "There is no word to compare.",
        501: "Words and drafts cannot be asked with here.",
        503: "Too many questions at once; try again.",
    }.items()
}
"""Status → what the API says with it."""
