"""The tables of an export: columns, keys, and the comments that explain them in the database."""

from __future__ import annotations

import msgspec

FORMAT = "simsearch.postgres/2"
"""What the tables are; in the table `generation`, and in the comment on it."""

TERM_NUMBERS = 1 << 24
"""The dimension of the sparse vectors of terms: more than there can be terms."""


class Column(msgspec.Struct, frozen=True):
    """A column: its name, PostgreSQL type, and what it means."""

    name: str
    type: str
    comment: str


class Table(msgspec.Struct, frozen=True):
    """A table: what it holds, its columns, its key and further indexes (name → what follows ON)."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)


_AS_REGISTERED = "as registered: 2018, 2018-06 or 2018-06-10"

GENERATION = Table(
    "generation",
    f"{FORMAT}: which index these tables hold. One row.",
    (
        Column("format", "text NOT NULL", "version of these tables"),
        Column("generation", "text NOT NULL", "name of the generation of the index"),
        Column("records_date", "text", "latest date in the registry records"),
        Column("built", "text NOT NULL", "when the index was built, UTC"),
        Column("n_studies", "bigint NOT NULL", "studies in the index"),
        Column("recipe", "text NOT NULL", "digest of what fixes the vector space"),
        Column("model", "text NOT NULL", "encoder of the texts"),
        Column("dimension", "integer NOT NULL", "dimension of the embeddings"),
        Column(
            "fit",
            "text NOT NULL",
            "digest of what was learned from the studies as a whole: term weights, scales",
        ),
        Column("k", "integer NOT NULL", "neighbours in a related list"),
        Column("with_reasons", "boolean NOT NULL", "whether related.reason is filled"),
        Column(
            "ranking",
            "text NOT NULL",
            "how the lists are ranked: learned, by which net, or linear",
        ),
        Column("weights", "jsonb NOT NULL", "signal → its weight in the similarity"),
        Column("version", "text NOT NULL", "version of simsearch that exported them"),
    ),
    ("format",),
)

STUDY = Table(
    "study",
    "The registered studies, a row each; join AACT on nct_id.",
    (
        Column("nct_id", "text NOT NULL", "NCT ID"),
        Column("url", "text NOT NULL", "page of the study at ClinicalTrials.gov"),
        Column("title", "text", "brief title"),
        Column("official_title", "text", "official title"),
        Column("acronym", "text", "acronym"),
        Column("summary", "text", "brief summary"),
        Column("status", "text", "overall status, as in API v2: RECRUITING, COMPLETED, …"),
        Column("last_known_status", "text", "status before it became UNKNOWN"),
        Column("study_type", "text", "INTERVENTIONAL, OBSERVATIONAL or EXPANDED_ACCESS"),
        Column("phases", "text[] NOT NULL", "PHASE1, PHASE2, …"),
        Column("conditions", "text[] NOT NULL", "conditions, as registered"),
        Column("keywords", "text[] NOT NULL", "keywords, as registered"),
        Column("interventions", "text[] NOT NULL", "names of the interventions"),
        Column("intervention_types", "text[] NOT NULL", "their types, in the same order"),
        Column("condition_mesh", "text[] NOT NULL", "MeSH terms of the conditions"),
        Column("intervention_mesh", "text[] NOT NULL", "MeSH terms of the interventions"),
        Column("sponsor", "text", "lead sponsor"),
        Column("countries", "text[] NOT NULL", "countries of the sites"),
        Column("start_date", "text", f"start, {_AS_REGISTERED}"),
        Column("completion_date", "text", f"completion, {_AS_REGISTERED}"),
        Column("last_update_date", "text", f"last update posted, {_AS_REGISTERED}"),
        Column("enrollment", "bigint", "participants, actual or planned"),
        Column("has_results", "boolean", "whether results are posted; null if not known"),
        Column("outcomes", "text[] NOT NULL", "measures, primary before secondary; at most 30"),
        Column("aliases", "text[] NOT NULL", "obsolete NCT IDs of the study"),
    ),
    ("nct_id",),
    {
        "study_status": "(status)",
        "study_conditions": "USING gin (conditions)",
        "study_countries": "USING gin (countries)",
    },
)

SITE = Table(
    "site",
    "The sites of the studies, where the records of the index have them.",
    (
        Column("nct_id", "text NOT NULL", "study"),
        Column("number", "integer NOT NULL", "place in the record, from 1"),
        Column("country", "text", "country"),
        Column("state", "text", "state or province"),
        Column("city", "text", "city"),
        Column("facility", "text", "facility"),
        Column("status", "text", "status of the site"),
        Column("latitude", "double precision", "degrees north"),
        Column("longitude", "double precision", "degrees east"),
    ),
    ("nct_id", "number"),
    {"site_place": "(country, city)"},
)

OTHER_NUMBER = Table(
    "other_number",
    "Numbers that the studies have elsewhere.",
    (
        Column("nct_id", "text NOT NULL", "study"),
        Column("place", "integer NOT NULL", "place in the record, from 1"),
        Column("number", "text NOT NULL", "the number, in its registry's usual form"),
        Column("registry", "text", "EudraCT, ISRCTN, …; null for a number of the sponsor's own"),
    ),
    ("nct_id", "place"),
    {"other_number_number": "(number)"},
)

TERM = Table(
    "term",
    "The terms whose weights study_embedding.terms holds; their ids never change.",
    (
        Column("id", "integer NOT NULL", "dimension of the sparse vectors, from 1"),
        Column("term", "text NOT NULL", "the term, in its plain form"),
        Column("idf", "real NOT NULL", "inverse document frequency; 0 if too common to count"),
    ),
    ("id",),
    {"term_term": "(term)"},
)


def embedding_table(dimension: int) -> Table:
    """Return the table of the vectors; `dimension` is that of the encoder."""
    dense = f"halfvec({dimension})"
    return Table(
        "study_embedding",
        "Unit vectors of the studies; null where a study lacks the text.",
        (
            Column("nct_id", "text NOT NULL", "study"),
            Column("text", dense, "title, conditions, interventions and summary"),
            Column("conditions", dense, "conditions"),
            Column("interventions", dense, "interventions"),
            Column(
                "terms", f"sparsevec({TERM_NUMBERS})", "weights of its heaviest terms (table term)"
            ),
        ),
        ("nct_id",),
    )


RELATED = Table(
    "related",
    "The related list of every study: what `simsearch related --all` writes.",
    (
        Column("nct_id", "text NOT NULL", "query study"),
        Column("rank", "integer NOT NULL", "from 1, the nearest"),
        Column("neighbour_id", "text NOT NULL", "neighbour"),
        Column("similarity", "double precision NOT NULL", "as simsearch query shows it"),
        Column(
            "percentile", "real NOT NULL",
            "share of random pairs that are less similar, in per cent",
        ),
        Column("mutual", "boolean NOT NULL", "whether the neighbour's list has the study too"),
        Column("reason", "text", "why it is related, when the list last changed"),
    ),
    ("nct_id", "rank"),
    {"related_neighbour": "(neighbour_id)"},
)  # fmt: skip

ROW_DIGEST = Table(
    "row_digest",
    "For the next export: what the rows of a study were made from, and what could change its list.",
    (
        Column("nct_id", "text NOT NULL", "study"),
        Column("study", "bigint NOT NULL", "digest of study, site and other_number"),
        Column("embedding", "bigint NOT NULL", "digest of study_embedding"),
        Column("related", "bigint NOT NULL", "digest of related"),
        Column("text_reach", "real NOT NULL", "nearer by text than this, a study may matter"),
        Column("terms_reach", "real NOT NULL", "nearer by terms than this, a study may matter"),
        Column("text_tenth", "real NOT NULL", "nearer by text than this, it surely matters"),
        Column("terms_tenth", "real NOT NULL", "nearer by terms than this, it surely matters"),
        Column("spare", "real NOT NULL", "how many may come or go before all is searched again"),
    ),
    ("nct_id",),
)


def tables(dimension: int) -> tuple[Table, ...]:
    """Return all tables of an export with encoders of this dimension."""
    return (
        GENERATION, STUDY, SITE, OTHER_NUMBER, TERM, embedding_table(dimension), RELATED,
        ROW_DIGEST,
    )  # fmt: skip
