"""Where each option and argument of each command arrives in the library: see test_wiring.py."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from simsearch.callbacks import no_progress
from simsearch.cli.progress import log
from simsearch.evaluation.comparison import system_names
from simsearch.registry.scope import Scope
from simsearch.vectors import DEFAULT_WEIGHTS


class Row(NamedTuple):
    command: str
    names: str
    """All names of an option or an argument, and of the environment variable that stands for it."""
    value: str
    """What follows the name on the command line; {old} is the previous generation."""
    reaches: str
    """The call and the argument: `ask question.k`; `call* k` of all calls, `call #` how many."""
    expected: Any
    rest: str | None = None
    """The other words of the command line; None takes those of `REST`."""


REST = {
    "query": "NCT101",
    "show": "NCT101",
    "compare": "NCT101 --no-groups",
    "related": "NCT101",
    "rebuild": "records.jsonl",
    "fetch": "--all",
    "evaluate": "--groups groups.tsv",
    "export postgres": "postgresql://127.0.0.1:1/trials",
    "export opensearch": "-o out",
    "export parquet": "-o out",
    "index prune": "--keep 2",
    "review new": "fresh --included NCT101",
    "review next": "rv",
    "review keep": "rv NCT101",
    "review drop": "rv NCT101",
    "review later": "rv NCT101",
    "review import": "rv decided.csv",
    "review export": "rv",
    "review report": "rv",
    "review status": "rv",
    "review news": "rv",
    "cache prune": "--older-than 3 --cache vectors.sqlite",
}


def filters(command: str, path: str) -> list[Row]:
    given = [
        ("--status", "recruiting --status completed", "status", ("recruiting", "completed")),
        ("--phase", "2 --phase 1", "phase", ("2", "1")),
        ("--study-type", "interventional", "study_type", ("interventional",)),
        ("--intervention-type", "drug --intervention-type procedure", "intervention_type",
         ("drug", "procedure")),
        ("--country", "France", "country", ("France",)),
        ("--city", "Lyon", "city", ("Lyon",)),
        ("--state", "Texas --state Ohio", "state", ("Texas", "Ohio")),
        ("--facility", "clinic", "facility", ("clinic",)),
        ("--near", "Lyon --near France", "near", ("Lyon", "France")),
        ("--radius", "50", "radius_km", 50.0),
        ("--sponsor", "hospital", "sponsor", ("hospital",)),
        ("--start-after", "2010", "start_after", "2010"),
        ("--start-before", "2024-06", "start_before", "2024-06"),
        ("--min-enrollment", "0", "min_enrollment", 0),
        ("--has-results", "", "has_results", True),
        ("--no-results", "", "has_results", False),
        ("--same-intervention", "", "same_intervention", True),
        ("--same-condition", "", "same_condition", True),
        ("--or-unknown", "", "or_unknown", True),
        ("--exclude", "NCT105,NCT106 --exclude ids.txt", "exclude",
         ("NCT105", "NCT106", "NCT00000101", "NCT00000104")),
    ]  # fmt: skip
    return [
        Row(command, name, value, f"{path}.{field}", want) for name, value, field, want in given
    ]


def builds(command: str) -> list[Row]:
    """Return the rows of what `rebuild` and `update` share."""
    mirrored = ("read_studies sources", (Path("m.sqlite"),))
    records = REST.get(command, "")
    rows = [
        ("--index -i SIMSEARCH_INDEX", "other", "build_index index", Path("other")),
        ("--model SIMSEARCH_MODEL", "folder", "load_encoder model", "folder"),
        ("--precision SIMSEARCH_PRECISION", "float32", "load_encoder precision", "float32"),
        ("--backend SIMSEARCH_BACKEND", "openvino", "load_encoder backend", "openvino"),
        ("--details SIMSEARCH_DETAILS", "brief", "build_index details", "brief"),
        ("--cache SIMSEARCH_CACHE", "v.sqlite", "cached path", Path("v.sqlite")),
        ("--no-cache", "", "cached path", None),
        *((f"--allow-{what}", "", f"build_index allow_{what}", True)
          for what in ("rejects", "shrink", "empty", "moved")),
        ("--keep", "7", "build_index keep", 7),
        ("--wait", "2.5", "build_index wait", 2.5),
        ("--wait", "1e3", "wait_until_free wait", 1000.0),
        ("--wait", "", "build_index wait", math.inf),
        ("--json-summary", "", "summary command", command),
        ("--quiet -q", "", "build_index progress", no_progress),
    ]  # fmt: skip
    address, named = "tcp://10.0.0.5:8786", "SIMSEARCH_SCHEDULER"
    return [
        *(Row(command, *row) for row in rows),
        Row(command, "--mirror SIMSEARCH_MIRROR", "m.sqlite", *mirrored, rest=""),
        Row(command, f"--scheduler {named}", address, "spread_over_dask address", address,
            f"{records} --engine dask"),
        Row(command, "--engine SIMSEARCH_ENGINE", "dask", "spread_over_dask #", 1,
            f"{records} --scheduler {address}"),
        Row(command, "--keep-fit", "", "build_index keep_fit", True, f"{records} --refit"),
        Row(command, "--refit", "", "build_index keep_fit", False, f"{records} --keep-fit"),
    ]  # fmt: skip


def exports() -> Iterator[Row]:
    for command, call in (("postgres", "export_postgres"), ("opensearch", "export_opensearch"),
                          ("parquet", "export_parquet")):  # fmt: skip
        yield Row(f"export {command}", "--top-k -k", "3", f"{call} k", 3)
        yield Row(
            f"export {command}",
            "--reasons",
            "",
            f"{call} reasons",
            True,
            REST[f"export {command}"] + " --no-reasons",
        )
        yield Row(f"export {command}", "--no-reasons", "", f"{call} reasons", False)
        yield Row(f"export {command}", "--threads", "3", f"{call} threads", 3)
        yield Row(
            f"export {command}",
            "--index -i SIMSEARCH_INDEX",
            "other",
            "opened_index path",
            Path("other"),
        )
        yield Row(f"export {command}", "--quiet -q", "", f"{call} progress", no_progress)
    for command in ("opensearch", "parquet"):
        yield Row(f"export {command}", "--output -o", "out", f"export_{command} folder",
                  Path("out"), "")  # fmt: skip
    yield Row("export opensearch", "--alias", "trials", "export_opensearch name", "trials")
    for each in (
        ("ADDRESS", "service=aact", "export_postgres address", "service=aact", ""),
        ("--output -o", "out", "export_psql_files folder", Path("out"), ""),
        ("--schema", "mine", "export_postgres name", "mine"),
        ("--schema", "mine", "export_psql_files name", "mine", "-o out"),
        ("--hnsw", "", "export_postgres hnsw", True),
        ("--no-hnsw", "", "export_postgres hnsw", False),
        ("--dry-run", "", "export_postgres dry_run", True),
    ):
        yield Row("export postgres", *each)


def designs() -> Iterator[Row]:
    """Yield the rows of `show` and `compare`."""
    ids, index = ("NCT00000101", "NCT00000104"), "--index -i SIMSEARCH_INDEX"
    weighed = ("text=1 {name} lexical=0.25,conditions=0",
               DEFAULT_WEIGHTS | {"text": 1, "lexical": 0.25, "conditions": 0})  # fmt: skip
    for each in (
        ("NCT_ID", "NCT104", "show nct_id", "NCT104", ""),
        ("--online", "", "study_online nct_id", "NCT07000001", "NCT07000001"),
        ("--top-k -k", "3", "show k", 3),
        (index, "other", "opened_index path", Path("other")),
        ("--format -f", "json", "write name", "json"),
        ("--output -o", "study.html", "write name", "html"),
        ("--model SIMSEARCH_MODEL", "folder", "load_query_encoder model", "folder",
         "NCT07000001 --online"),
        ("--quiet -q", "", "write view.quiet", True),
    ):  # fmt: skip
        yield Row("show", *each)

    alone = "--no-groups"
    for each in (
        ("NCT_ID", "NCT102 NCT104", "compare question.studies", ("NCT102", "NCT104"), alone),
        ("--text -t", "iron {name} knee", "compare question.texts", ("iron", "knee")),
        ("--literal", "", "compare question.literal", True),
        ("--file", "draft.json", "compare question.drafts.0.title", "Iron for anemia"),
        ("--ids", "ids.txt", "compare question.studies", ("NCT101", *ids)),
        ("--with", "NCT102 --with ids.txt", "compare others", ("NCT102", *ids)),
        ("--groups", "", "compare groups", True),
        ("--no-groups", "", "compare groups", False, "NCT101"),
        ("--min-percentile", "99.5", "compare question.min_percentile", 99.5),
        ("--raw", "", "write view.raw", True),
        ("--bom", "", "write view.bom", True),
        ("--not", "NCT105 --not NCT106", "compare question.unlike", ("NCT105", "NCT106")),
        ("--online", "", "study_online nct_id", "NCT07000001", f"NCT07000001 {alone}"),
        ("--top-k -k", "3", "compare question.k", 3),
        ("--competing", "", "compare question.competing", True),
        ("--hide-same-sponsor", "", "compare question.hide_same_sponsor", True),
        ("--weight -w", weighed[0], "compare question.weights", weighed[1]),
        ("--ranking", "linear", "compare question.ranking", "linear"),
        (index, "other", "opened_index path", Path("other")),
        ("--format -f", "json", "write name", "json"),
        ("--output -o", "designs.html", "write name", "html"),
        ("--model SIMSEARCH_MODEL", "folder", "load_query_encoder model", "folder",
         f"--text iron {alone}"),
        ("--quiet -q", "", "write view.quiet", True),
    ):  # fmt: skip
        yield Row("compare", *each)
    yield from filters("compare", "compare question.filters")


def reviews(index: str) -> Iterator[Row]:
    """Return the rows of `simsearch review`."""
    begun = "begin_review"
    for each in (
        ("DIR", "other", f"{begun} path", Path("other"), "--included NCT101"),
        ("--included", "NCT104 --included ids.txt", f"{begun} verdicts",
         dict.fromkeys(("NCT00000104", "NCT00000101"), "include"), "fresh"),
        ("--excluded", "ids.txt --excluded NCT105", f"{begun} verdicts",
         {"NCT00000102": "include",
          **dict.fromkeys(("NCT00000101", "NCT00000104", "NCT00000105"), "exclude")},
         "fresh --included NCT102"),
        ("--question", "Iron", f"{begun} question", "Iron"),
    ):  # fmt: skip
        yield Row("review new", *each)
    for each in (
        ("DIR", "rv", "open_review path", Path("rv"), ""),
        ("--top-k -k", "3", "upcoming k", 3),
        ("--explore", "0.25", "upcoming explore", 0.25),
        ("--raw", "", "write view.raw", True),
        ("--bom", "", "write view.bom", True),
        ("--format -f", "json", "write name", "json"),
        ("--output -o", "next.ris", "write name", "ris"),
        ("--quiet -q", "", "write view.quiet", True),
    ):
        yield Row("review next", *each)
    for name, verdict in (("keep", "include"), ("drop", "exclude"), ("later", "undecided")):
        command = f"review {name}"
        yield Row(command, "DIR", "rv NCT101", "open_review path", Path("rv"), "")
        yield Row(command, "NCT_ID", "NCT104", "Review.decide verdicts",
                  dict.fromkeys(("NCT00000101", "NCT00000104"), verdict))  # fmt: skip
        yield Row(command, "--by", "Ann", "Review.decide by", "Ann")
        yield Row(command, "--quiet -q", "", "out", "")
    for each in (
        ("DIR", "rv decided.csv", "open_review path", Path("rv"), ""),
        ("FILE", "decided.csv", "read_decisions path", Path("decided.csv"), "rv"),
        ("--as", "exclude", "read_decisions given", "exclude"),
        ("--by", "Ann", "Review.decide by", "Ann"),
        ("--quiet -q", "", "out", ""),
    ):
        yield Row("review import", *each)
    for each in (
        ("DIR", "rv", "open_review path", Path("rv"), ""),
        ("--raw", "", "write view.raw", True),
        ("--bom", "", "write view.bom", True),
        ("--format -f", "ris", "write name", "ris"),
        ("--output -o", "all.ris", "write name", "ris"),
    ):
        yield Row("review export", *each)
    for each in (
        ("DIR", "rv", "open_review path", Path("rv"), ""),
        ("OLD", "{old}", "compare old", "{old}"),
        ("NEW", "{old}", "compare new", "{old}", "rv {old}"),
        ("--top-k -k", "3", "review_news k", 3),
        (index, "other", "compare index", Path("other")),
        ("--format -f", "atom", "write name", "atom"),
        ("--output -o", "news.atom", "write name", "atom"),
        ("--quiet -q", "", "write view.quiet", True),
    ):
        yield Row("review news", *each)
    yield Row("review report", "DIR", "rv", "open_review path", Path("rv"), "")
    yield Row("review report", "--format -f", "json", "write name", "json")
    yield Row("review report", "--output -o", "report.json", "write name", "json")
    yield Row("review status", "DIR", "rv", "open_review path", Path("rv"), "")
    yield Row("review status", "--format -f", "json", "write name", "json")
    yield Row("review status", "--output -o", "status.json", "write name", "json")
    yield Row("review new", "--quiet -q", "", "out", "")
    for name in ("new", "next", "keep", "drop", "later", "import", "export", "report", "status"):
        yield Row(f"review {name}", index, "other", "opened_index path", Path("other"))


def rows() -> Iterator[Row]:
    ids = ("NCT00000101", "NCT00000104")
    weighed = ("text=1 {name} lexical=0.25,conditions=0",
               DEFAULT_WEIGHTS | {"text": 1, "lexical": 0.25, "conditions": 0})  # fmt: skip
    index, weights = "--index -i SIMSEARCH_INDEX", "--weight -w"

    for each in (
        ("NCT_ID", "NCT102 NCT104", "ask question.studies", ("NCT102", "NCT104"), ""),
        ("--text -t", "iron {name} knee", "ask question.texts", ("iron", "knee")),
        ("--literal", "", "ask question.literal", True),
        ("--file", "draft.json", "ask question.drafts.0.title", "Iron for anemia"),
        ("--ids", "ids.txt", "ask question.studies", ("NCT101", *ids)),
        ("--min-percentile", "99.5", "ask question.min_percentile", 99.5),
        ("--raw", "", "write view.raw", True),
        ("--bom", "", "write view.bom", True),
        ("--not", "NCT105 --not NCT106", "ask question.unlike", ("NCT105", "NCT106")),
        ("--online", "", "study_online nct_id", "NCT07000001", "NCT07000001"),
        ("SIMSEARCH_API", "http://127.0.0.1:1/api", "RegistryApi base_url",
         "http://127.0.0.1:1/api", "NCT07000001 --online"),
        ("--top-k -k", "3", "ask question.k", 3),
        ("--competing", "", "ask question.competing", True),
        ("--hide-same-sponsor", "", "ask question.hide_same_sponsor", True),
        (weights, weighed[0], "ask question.weights", weighed[1]),
        ("--ranking", "linear", "ask question.ranking", "linear"),
        ("--diverse", "0.25", "ask question.diverse", 0.25),
        ("--diverse", "", "ask question.diverse", 0.7),
        ("--group-by", "sponsor", "ask question.group_by", "sponsor"),
        ("--fold", "", "ask question.fold", True),
        ("--explain -e", "", "write view.explain", True),
        (index, "other", "opened_index path", Path("other")),
        ("--format -f", "jsonl", "write name", "jsonl"),
        ("--format -f", "ids", "ask question.explain", False),
        ("--output -o", "answer.csv", "write name", "csv"),
        ("--model SIMSEARCH_MODEL", "folder", "load_query_encoder model", "folder", "--text iron"),
        ("--quiet -q", "", "write view.quiet", True),
    ):  # fmt: skip
        yield Row("query", *each)
    yield from filters("query", "ask question.filters")

    for each in (
        (index, "other", "serve index", Path("other")),
        ("--host", "0.0.0.0", "serve place.host", "0.0.0.0"),
        ("--port -p", "9000", "serve place.port", 9000),
        ("--workers", "2", "serve place.workers", 2),
        ("--open", "", "serve browse", True),
        ("--allow-host", "Trials.example.org", "serve settings.hosts",
         ("127.0.0.1", "trials.example.org")),
        ("--root-path", "/trials/", "serve settings.root", "/trials"),
        ("--allow-origin", "https://example.org/", "serve settings.origins",
         ("https://example.org",)),
        ("--review", "rv", "serve settings.reviews", {"rv": Path("rv")}),
        ("--review", "rv", "serve settings.decides", True),
        ("--verbose -v", "", "serve verbose", True),
    ):  # fmt: skip
        yield Row("serve", *each)
    yield Row("mcp", index, "other", "serve_stdio index", Path("other"))
    yield Row("mcp", "--config", "", "client_config #", 1)

    yield from designs()

    for each in (
        ("NCT_ID", "NCT101 NCT104", "related nct_ids", ["NCT101", "NCT104"], ""),
        ("--all -a", "", "related nct_ids", None, ""),
        ("--ids", "ids.txt", "related nct_ids", list(ids), ""),
        ("--output -o", "lists.csv", "related output", Path("lists.csv")),
        ("--format -f", "csv", "related form", "csv"),
        ("--top-k -k", "3", "related k", 3),
        (weights, weighed[0], "related weights", weighed[1]),
        ("--ranking", "linear", "related ranking", "linear"),
        ("--with-titles", "", "related with_titles", True),
        ("--force", "", "related force", True),
        ("--threads", "3", "related threads", 3),
        (index, "other", "opened_index path", Path("other")),
        ("--quiet -q", "", "related progress", no_progress),
    ):
        yield Row("related", *each)
    yield from filters("related", "related filters")

    yield Row("rebuild", "RECORDS", "records.jsonl a.zip", "read_studies sources",
              (Path("records.jsonl"), Path("a.zip")), "")  # fmt: skip
    yield from builds("rebuild")
    yield from builds("update")
    api, address = "--api SIMSEARCH_API", "http://127.0.0.1:1/api"
    for command, done in (("fetch", "fetch"), ("update", "update")):
        yield Row(command, "--mirror SIMSEARCH_MIRROR", "m.sqlite", "Mirror path", Path("m.sqlite"))
        yield Row(command, api, address, "RegistryApi base_url", address)
        yield Row(command, "--verbose -v", "", "RegistryApi log", log)
        yield Row(command, "--quiet -q", "", f"{done} progress", no_progress)
        yield Row(command, "--quiet -q", "", "out", "")
    yield Row("update", "--recheck", "7", "update n_rechecked", 7)
    for each in (
        ("--all", "", "fetch #", 1, ""),
        ("--condition", "anemia", "fetch scope", Scope("anemia"), ""),
        ("--intervention", "iron", "fetch scope", Scope("", "iron"), ""),
        ("--query", "blood", "fetch scope", Scope("", "", "blood"), ""),
        ("--ids", "ids.txt", "fetch_ids nct_ids", list(ids), ""),
        ("--since", "2026-11-01", "fetch since", "2026-11-01"),
        ("--dry-run", "", "plan #", 1),
        ("--dry-run", "", "RegistryApi #", 0),
    ):
        yield Row("fetch", *each)

    yield Row("info", index, "other", "opened_index path", Path("other"))
    yield Row("info", "--format -f", "json", "write name", "json")
    yield Row("info", "--output -o", "info.json", "written_whole path", Path("info.json"))
    watched = "--watch NCT101"
    for each in (
        ("OLD", "{old}", "compare old", "{old}"),
        ("NEW", "{old}", "compare new", "{old}", "{old}"),
        ("--watch -w", "NCT101 {name} NCT104", "watched_changes watch.nct_ids", ids),
        ("--watch-list", "ids.txt", "watched_changes watch.nct_ids", ids),
        ("--watch-text", "iron --watch-text knee", "watched_changes watch.texts", ("iron", "knee")),
        ("--watch-file", "draft.json", "watched_changes watch.drafts.0.title", "Iron for anemia"),
        ("--top-k -k", "3", "watched_changes watch.k", 3, watched),
        ("--limit", "7", "write view.limit", 7),
        ("--raw", "", "write view.raw", True),
        ("--bom", "", "write view.bom", True),
        ("--exit-code", "", "exit", 4),
        (index, "other", "compare index", Path("other")),
        ("--format -f", "jsonl", "write name", "jsonl"),
        ("--output -o", "new.md", "write name", "markdown"),
        ("--quiet -q", "", "write view.quiet", True),
    ):
        yield Row("diff", *each)
    yield from (
        each._replace(rest=watched) for each in filters("diff", "watched_changes watch.filters")
    )

    judged, encoded = (
        "--qrels qrels.tsv",
        "--qrels qrels.tsv --records records.jsonl --no-baselines",
    )
    pooled = "--qrels qrels.tsv --pool to-read"
    for each in (
        ("--groups", "groups.tsv --groups more.tsv", "read_groups* path",
         [Path("groups.tsv"), Path("more.tsv")], ""),
        ("--qrels", "qrels.tsv", "read_qrels* path", [Path("qrels.tsv")]),
        (index, "other", "opened_index path", Path("other")),
        ("--records", "records.jsonl --records draft.json", "judged_records paths",
         [Path("records.jsonl"), Path("draft.json")], judged),
        ("--baselines", "", "Comparison systems", system_names(DEFAULT_WEIGHTS, baselines=True),
         "--no-baselines"),
        ("--no-baselines", "", "Comparison systems",
         system_names(DEFAULT_WEIGHTS, baselines=False)),
        ("--system", "bm25 --system simsearch", "Comparison systems", ["bm25", "simsearch"]),
        (weights, weighed[0], "Comparison weights", weighed[1]),
        ("--sample", "7", "Comparison.run n_sampled", 7),
        ("--leave-one-out", "", "leave_one_out #", 1),
        ("--against", "other", "side_by_side paths", [None, Path("other")]),
        ("--pool", "to-read", "write_pool folder", Path("to-read"), judged),
        ("--rankers", "bm25,simsearch", "Comparison systems", ["bm25", "simsearch"], pooled),
        ("--pool-queries", "5", "Comparison.pool n_queries", 5, pooled),
        ("--read-twice", ".5", "Comparison.pool twice", 0.5, pooled),
        ("--seed", "7", "Comparison.pool seed", 7, pooled),
        ("--judged", "qrels.tsv", "read_qrels* path", [Path("qrels.tsv"), Path("qrels.tsv")],
         judged),
        ("--save", "run.trec", "written_whole path", Path("run.trec")),
        ("--save-system", "bm25", "Comparison.trec_run system", "bm25",
         "--groups groups.tsv --save run.trec"),
        ("--model SIMSEARCH_MODEL", "folder", "load_encoder model", "folder", encoded),
        ("--format -f", "csv", "write name", "csv"),
        ("--output -o", "quality.csv", "write name", "csv"),
        ("--cache SIMSEARCH_CACHE", "v.sqlite", "cached path", Path("v.sqlite"), encoded),
        ("--no-cache", "", "cached path", None, encoded),
        ("--quiet -q", "", "Comparison progress", no_progress),
    ):  # fmt: skip
        yield Row("evaluate", *each)

    yield from exports()
    yield from reviews(index)

    yield Row("index list", index, "other", "list_generations index", Path("other"))
    yield Row("index list", "--format -f", "json", "write name", "json")
    yield Row("index list", "--output -o", "list.json", "written_whole path", Path("list.json"))
    for command, call in (("verify", "verify_generation"), ("rollback", "roll_back")):
        yield Row(f"index {command}", "GENERATION", "{old}", f"{call} name", "{old}")
        yield Row(f"index {command}", index, "other", f"{call} index", Path("other"))
        yield Row(f"index {command}", "--quiet -q", "", f"{call} progress", no_progress)
    yield Row("index verify", "--all", "", "verify_generation* name", ["{first}", "{second}"])
    yield Row("index prune", "--keep", "1", "prune keep", 1, "")
    yield Row("index prune", index, "other", "prune index", Path("other"))
    yield Row("index prune", "--quiet -q", "", "out", "")
    for command, call in (("rollback", "roll_back"), ("prune", "prune")):
        yield Row(f"index {command}", "--wait", "2.5", f"{call} wait", 2.5)
        yield Row(f"index {command}", "--wait", "", f"{call} wait", math.inf)

    cache = (
        "--cache SIMSEARCH_CACHE",
        "vectors.sqlite",
        "VectorCache path",
        Path("vectors.sqlite"),
    )
    yield Row("cache info", *cache)
    yield Row("cache prune", *cache, rest="--older-than 3")
    yield Row("cache prune", "--older-than", "7", "VectorCache.prune older_than_days", 7,
              "--cache vectors.sqlite")  # fmt: skip
    yield Row("cache prune", "--quiet -q", "", "out", "")


ROWS = [(row, name) for row in rows() for name in row.names.split()]
