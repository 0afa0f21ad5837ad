"""An index as Parquet files: for DuckDB, pandas, Spark and everything else that reads them.

studies.parquet      a study a row
related.parquet      a neighbour a row
embeddings.parquet   the vectors of the studies, and the weights of their terms
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from simsearch.callbacks import Progress, no_progress
from simsearch.encode.fields import FIELDS
from simsearch.errors import ExportError
from simsearch.export.flat import flat_study
from simsearch.export.folders import whole_folder
from simsearch.export.lists import RelatedBlock, RelatedLists
from simsearch.export.reasons import blocks_with_reasons
from simsearch.export.rows import Generation, generation_of
from simsearch.export.tables import STUDY
from simsearch.index.opened import OpenedIndex
from simsearch.related.lists import Ints

_METADATA = b"simsearch"  # the key in the schema; the value is JSON


def export_parquet(
    index: OpenedIndex,
    folder: Path,
    *,
    k: int = 10,
    reasons: bool = True,
    threads: int = 0,
    progress: Progress | None = None,
) -> int:
    """Write the files; return the number of related rows.

    Args:
        index: the index.
        folder: a new folder, or one that an earlier export made.
        k: neighbours in the related list of each study.
        reasons: say for each neighbour why it is one.
        threads: batches of lists computed at once; 0 for the number of cores.
        progress: called after every batch.

    Raises:
        ArgumentError: k is out of its range.
        ExportError: pyarrow is not installed, or the folder cannot be written.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ExportError("Parquet", "needs pyarrow: pip install 'simsearch[parquet]'") from error
    report = progress or no_progress
    schemas = _schemas(generation_of(index, k, with_reasons=reasons))
    with whole_folder(folder, "parquet") as place:
        lists = RelatedLists(index, k, threads, report)
        writers = {
            name: pq.ParquetWriter(place / f"{name}.parquet", schema, compression="zstd")
            for name, schema in schemas.items()
        }
        nct_ids = np.array(index.store.nct_ids())
        terms = np.array([term.decode() for term in index.lexical.terms.tolist()], dtype=object)
        done = 0
        for rows, found, lines in blocks_with_reasons(index, lists, reasons=reasons):
            tables = {
                "studies": _studies(index, rows),
                "related": _related(nct_ids, found, lines),
                "embeddings": _embeddings(index, nct_ids, terms, rows),
            }
            for name, columns in tables.items():
                writers[name].write_table(_table(columns, schemas[name]))
            done += len(rows)
            report("writing", done, index.n_studies, "studies")
        for writer in writers.values():
            writer.close()
    return lists.n_rows


def _schemas(wanted: Generation) -> dict[str, Any]:
    """Return file → its schema, with what identifies the export in the metadata."""
    import pyarrow as pa

    types = {
        "text": pa.string(), "text NOT NULL": pa.string(), "bigint": pa.int64(),
        "boolean": pa.bool_(), "text[] NOT NULL": pa.list_(pa.string()),
    }  # fmt: skip
    vector = pa.list_(pa.float32(), wanted.dimension)
    columns = {
        "studies": [(each.name, types[each.type]) for each in STUDY.columns],
        "related": [
            ("nct_id", pa.string()), ("rank", pa.int32()), ("neighbour_id", pa.string()),
            ("similarity", pa.float64()), ("percentile", pa.float32()), ("mutual", pa.bool_()),
            ("reason", pa.string()),
        ],
        "embeddings": [
            ("nct_id", pa.string()), *((field, vector) for field in FIELDS),
            ("terms", pa.list_(pa.string())), ("term_weights", pa.list_(pa.float32())),
        ],
    }  # fmt: skip
    metadata = {_METADATA: msgspec.json.encode(wanted)}
    return {name: pa.schema(fields, metadata=metadata) for name, fields in columns.items()}


def _table(columns: Mapping[str, Any], schema: Any) -> Any:
    import pyarrow as pa

    arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _studies(index: OpenedIndex, rows: Ints) -> dict[str, list[Any]]:
    flat = [flat_study(study) for study in index.store.studies(rows.tolist())]
    return {name: [None if e[name] == "" else e[name] for e in flat] for name in STUDY.names}


def _related(nct_ids: Any, found: RelatedBlock, lines: list[str]) -> dict[str, Any]:
    return {
        "nct_id": nct_ids[found.query],
        "rank": found.rank,
        "neighbour_id": nct_ids[found.neighbour],
        "similarity": found.similarity,
        "percentile": found.percentile.astype(np.float32),
        "mutual": found.mutual,
        "reason": [line or None for line in lines],
    }


def _embeddings(index: OpenedIndex, nct_ids: Any, terms: Any, rows: Ints) -> dict[str, Any]:
    weights = [index.lexical.row(row) for row in rows.tolist()]
    columns: dict[str, Any] = {"nct_id": nct_ids[rows]}
    for field in FIELDS:
        vectors = index.unchecked(field)[rows].astype(np.float32)
        filled = np.any(vectors, axis=1).tolist()
        columns[field] = [row if has else None for row, has in zip(vectors, filled, strict=True)]
    columns["terms"] = [terms[each.terms].tolist() for each in weights]
    columns["term_weights"] = [each.weights.astype(np.float32) for each in weights]
    return columns
