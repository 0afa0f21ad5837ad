"""An index as files that OpenSearch takes: a mapping, bulk requests, the swap of an alias.

    mapping.json              settings and mapping of a new index (`PUT /NAME-GENERATION`)
    bulk-00001.ndjson, …      studies, one action and one document each (`POST /_bulk`)
    alias.json                the alias NAME moved to the new index (`POST /_aliases`)
    load.sh                   the requests, with curl

Formats: OpenSearch's documentation of the bulk and aliases APIs, of `knn_vector` and of
`rank_features`, 2.x and 3.x.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from simsearch.callbacks import Progress, no_progress
from simsearch.encode.fields import FIELDS
from simsearch.errors import ArgumentError
from simsearch.export.flat import flat_study
from simsearch.export.folders import whole_folder
from simsearch.export.lists import RelatedLists
from simsearch.export.reasons import blocks_with_reasons
from simsearch.facts import Facts
from simsearch.files import pretty_json
from simsearch.index.opened import OpenedIndex

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_PIECE_BYTES = 50_000_000  # a request; OpenSearch refuses one of over 100 MB
_DECIMALS = 5  # of a vector's values: 16-bit floats hold no more

_KEYWORDS = (
    "nct_id", "status", "last_known_status", "study_type", "phases", "sponsor", "countries",
    "intervention_types", "condition_mesh", "intervention_mesh", "aliases", "other_numbers", "url",
)  # fmt: skip
_TEXTS = (
    "title", "official_title", "acronym", "summary", "conditions", "keywords", "interventions",
    "outcomes",
)  # fmt: skip
_MISSING: tuple[Any, ...] = ("", [], (), {}, None)
_DATES = ("start_date", "completion_date", "last_update_date")


def export_opensearch(
    index: OpenedIndex,
    folder: Path,
    *,
    name: str = "simsearch",
    k: int = 10,
    reasons: bool = True,
    threads: int = 0,
    progress: Progress | None = None,
) -> int:
    """Write the files; return the number of related rows.

    Args:
        index: the index.
        folder: a new folder, or one that an earlier export made.
        name: of the alias, and the start of the name of OpenSearch's index.
        k: neighbours in the related list of each study.
        reasons: say for each neighbour why it is one.
        threads: batches of lists computed at once; 0 for the number of cores.
        progress: called after every batch.

    Raises:
        ArgumentError: k is out of its range, or OpenSearch takes no such name.
        ExportError: the folder cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ArgumentError("alias", name, "of small letters, digits, hyphens and underscores")
    target = f"{name}-{index.generation.manifest.generation.lower()}"
    with whole_folder(folder, "opensearch") as place:
        lists = RelatedLists(index, k, threads, progress or no_progress)
        documents = _documents(index, lists, progress or no_progress, reasons=reasons)
        n_pieces = _write_pieces(place, target, documents)
        (place / "mapping.json").write_text(pretty_json(_mapping(index)))
        (place / "alias.json").write_text(pretty_json(_alias(name, target)))
        (place / "load.sh").write_text(_script(target, n_pieces))
    return lists.n_rows


def _mapping(index: OpenedIndex) -> dict[str, Any]:
    """Return settings and mapping; `_meta` says what the documents were made from."""
    manifest = index.generation.manifest
    vector = {
        "type": "knn_vector",
        "dimension": manifest.recipe.dimension,
        "method": {"name": "hnsw", "space_type": "innerproduct", "engine": "faiss"},
    }
    fields: dict[str, Any] = {name: {"type": "keyword"} for name in _KEYWORDS}
    fields |= {name: {"type": "text"} for name in _TEXTS}
    fields |= {name: {"type": "date", "format": "yyyy-MM-dd||yyyy-MM||yyyy"} for name in _DATES}
    fields |= {
        "enrollment": {"type": "long"},
        "has_results": {"type": "boolean"},
        "places": {"type": "geo_point"},
        **{f"{field}_vector": vector for field in FIELDS},
        "terms": {"type": "rank_features"},
        "related": {
            "type": "object",
            "properties": {
                "nct_id": {"type": "keyword"},
                "rank": {"type": "integer"},
                "similarity": {"type": "float"},
                "percentile": {"type": "float"},
                "mutual": {"type": "boolean"},
                "reason": {"type": "text", "index": False},
            },
        },
    }
    return {
        "settings": {"index": {"knn": True}},
        "mappings": {
            "dynamic": "strict",
            "_meta": {
                "generation": manifest.generation,
                "records_date": manifest.records_date,
                "recipe": manifest.recipe.digest,
                "model": manifest.recipe.model,
            },
            "properties": fields,
        },
    }


def _alias(name: str, target: str) -> dict[str, Any]:
    return {
        "actions": [
            {"remove": {"index": f"{name}-*", "alias": name, "must_exist": False}},
            {"add": {"index": target, "alias": name}},
        ]
    }


def _script(target: str, n_pieces: int) -> str:
    return f"""#!/usr/bin/env bash
# Load these files: URL=https://localhost:9200 AUTH=user:password bash load.sh
# The old index stays until you delete it; readers follow the alias.
set -euo pipefail
cd "$(dirname "$0")"
request() {{
  curl -sS --fail-with-body ${{AUTH:+-u "$AUTH"}} -H "Content-Type: $1" "${{@:2}}"
  echo
}}
request application/json -X PUT "${{URL:?}}/{target}" --data-binary @mapping.json
for piece in bulk-*.ndjson; do
  request application/x-ndjson -X POST "$URL/_bulk?filter_path=errors,items.*.error" \\
    --data-binary @"$piece" | tee /dev/stderr | grep -q '"errors":false'
done
request application/json -X POST "$URL/{target}/_refresh"
request application/json -X POST "$URL/_aliases" --data-binary @alias.json
echo "{n_pieces} pieces loaded"
"""


def _write_pieces(place: Path, target: str, documents: Iterator[tuple[str, bytes]]) -> int:
    """Write actions and documents in files that one request each can carry."""
    number, file = 0, None
    try:
        for nct_id, document in documents:
            if file is None or file.tell() + len(document) > _PIECE_BYTES:
                if file:
                    file.close()
                number += 1
                file = (place / f"bulk-{number:05}.ndjson").open("wb")
            action = msgspec.json.encode({"index": {"_index": target, "_id": nct_id}})
            file.write(action + b"\n" + document + b"\n")
    finally:
        if file:
            file.close()
    return number


def _documents(
    index: OpenedIndex, lists: RelatedLists, progress: Progress, *, reasons: bool
) -> Iterator[tuple[str, bytes]]:
    """Yield the NCT ID and the document of every study."""
    nct_ids = index.store.nct_ids()
    terms = [term.decode() for term in index.lexical.terms.tolist()]
    done = 0
    for block, found, lines in blocks_with_reasons(index, lists, reasons=reasons):
        related: dict[int, list[dict[str, Any]]] = {}
        for at, query in enumerate(found.query.tolist()):
            row = {
                "nct_id": nct_ids[found.neighbour[at]],
                "rank": int(found.rank[at]),
                "similarity": float(found.similarity[at]),
                "percentile": float(found.percentile[at]),
                "mutual": bool(found.mutual[at]),
            }
            related.setdefault(query, []).append(row | ({"reason": lines[at]} if reasons else {}))
        vectors = {field: index.unchecked(field)[block].astype(np.float64) for field in FIELDS}
        facts = index.study_facts(block.tolist())
        studies = index.store.studies(block.tolist())
        for at, (row, study) in enumerate(zip(block.tolist(), studies, strict=True)):
            document = flat_study(study)
            if details := facts[at]:
                document |= {
                    "other_numbers": [each.number for each in details.other_numbers],
                    "places": _places(details),
                }
            for field in FIELDS:
                if vectors[field][at].any():
                    document[f"{field}_vector"] = vectors[field][at].round(_DECIMALS).tolist()
            document |= {"terms": _terms(index, row, terms), "related": related.get(row, [])}
            kept = {name: value for name, value in document.items() if value not in _MISSING}
            yield study.nct_id, msgspec.json.encode(kept)
        done += len(block)
        progress("writing", done, index.n_studies, "studies")


def _places(facts: Facts) -> list[dict[str, float]]:
    """Return the places of the sites that have coordinates, each once."""
    found = [
        (site.latitude, site.longitude)
        for site in facts.sites
        if site.latitude is not None and site.longitude is not None
    ]
    return [{"lat": latitude, "lon": longitude} for latitude, longitude in dict.fromkeys(found)]


def _terms(index: OpenedIndex, row: int, terms: list[str]) -> dict[str, float]:
    """Return term → weight; a feature is positive."""
    weights = index.lexical.row(row)
    pairs = zip(weights.terms.tolist(), weights.weights.tolist(), strict=True)
    return {terms[number]: round(weight, _DECIMALS) for number, weight in pairs if weight > 0}
