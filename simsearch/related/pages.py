"""The list of every study as a small JSON and an HTML fragment, for sites without a server.

A file of lists becomes `0354/NCT03540472.json` and `.html`, in folders by the first four digits,
and at last `index.json`, which says what they were made from.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from simsearch.errors import RelatedFileError
from simsearch.files import html_safe, written_whole
from simsearch.index.opened import OpenedIndex
from simsearch.study import Study, phase_label, status_label

LISTS_FILE = "simsearch-lists.jsonl"
"""The file of lists in the folder of pages; it stays there."""

_SCHEMA = "simsearch.pages/1"


def write_pages(index: OpenedIndex, lists: Path) -> int:
    """Write the JSON and the fragment of each study in a file of lists, beside it.

    Args:
        index: the index that the lists are of.
        lists: the file, as JSON Lines.

    Returns:
        how many studies have theirs.

    Raises:
        RelatedFileError: a file cannot be written.
    """
    folder, facts, n = lists.parent, index.facts, 0
    built = {"generation": facts.generation, "records_date": facts.records_date}
    try:
        for nct_id, rows in _lists(lists):
            place = folder / nct_id[3:7]
            place.mkdir(exist_ok=True)
            numbers = index.store.rows_of_studies([row["neighbour_id"] for row in rows])
            studies = index.store.studies(numbers)
            shape = {
                "schema": _SCHEMA,
                "nct_id": nct_id,
                **built,
                "neighbours": _shape(rows, studies),
            }
            (place / f"{nct_id}.json").write_bytes(msgspec.json.encode(shape))
            fragment = _fragment(studies, facts.records_date)
            (place / f"{nct_id}.html").write_text(fragment, encoding="utf-8")
            n += 1
        with written_whole(folder / "index.json") as file:
            file.write(msgspec.json.encode({"schema": _SCHEMA, **built, "n_studies": n}))
    except OSError as error:
        raise RelatedFileError(
            str(folder), f"cannot be written: {error.strerror or error}; run it again"
        ) from error
    return n


def _lists(path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each study of a file of lists with its rows."""
    with path.open("rb") as file:
        rows = map(msgspec.json.decode, file)
        for nct_id, its in groupby(rows, key=lambda row: str(row["nct_id"])):
            yield nct_id, list(its)


def _shape(rows: list[dict[str, Any]], studies: list[Study]) -> list[dict[str, Any]]:
    return [
        {
            "rank": row["rank"], "nct_id": study.nct_id, "title": study.title,
            "status": study.status, "phases": study.phases, "similarity": row["similarity"],
            "url": study.url,
        }
        for row, study in zip(rows, studies, strict=True)
    ]  # fmt: skip


def _fragment(studies: list[Study], date: str) -> str:
    """Return the list as HTML, with the classes of the one that a server gives (docs/web.md)."""
    items = "".join(f"<li>{_item(each)}</li>\n" for each in studies)
    return (
        f'<section class="simsearch">\n<h2 class="simsearch-title">More related trials</h2>\n'
        f'<ol class="simsearch-list">\n{items}</ol>\n<p class="simsearch-source">Similar by topic. '
        f'Data to <time datetime="{html_safe(date)}">{html_safe(date)}</time>. '
        "ClinicalTrials.gov</p>\n</section>\n"
    )


def _item(study: Study) -> str:
    phase = phase_label(study.phases)
    facts = (study.nct_id, status_label(study.status), f"phase {phase}" if phase else "")
    line = " · ".join(filter(None, facts))
    title = html_safe(study.title or study.nct_id)
    about = f'<span class="simsearch-facts">{html_safe(line)}</span>'
    return f'<a href="{html_safe(study.url)}">{title}</a> {about}'
