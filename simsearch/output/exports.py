"""Formats of other tools: RIS and BibTeX for reference managers, a CSV for ASReview.

docs/exports.md describes them. What comes from records cannot end a line, a field or an entry.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from types import MappingProxyType

from simsearch.output.citations import (
    Citation,
    answer_citations,
    comparison_citations,
    diff_citations,
    plain,
)
from simsearch.output.diff import Bulletin
from simsearch.output.formats import View
from simsearch.search.answer import Answer
from simsearch.search.compare import Comparison

REGISTRY = "ClinicalTrials.gov"
_PROVIDER = "National Library of Medicine (US)"

ASREVIEW_COLUMNS = (
    "title", "abstract", "authors", "keywords", "url", "doi", "included", "year", "nct_id",
    "other_numbers", "notes",
)  # fmt: skip
"""ASReview reads the first eight; the others stay with the records."""

_TEX = MappingProxyType(
    str.maketrans(
        {
            "\\": r"{\textbackslash}", "{": r"{\textbraceleft}", "}": r"{\textbraceright}",
            "^": r"{\textasciicircum}", "~": r"{\textasciitilde}",
            **{character: rf"\{character}" for character in "#$%&_"},
        }
    )
)  # fmt: skip
"""Braces are no escaped braces: BibTeX counts those too."""


def answer_ris(answer: Answer, _: View) -> Iterator[str]:
    """Yield the neighbours as RIS, an entry each."""
    return map(_ris, answer_citations(answer))


def comparison_ris(comparison: Comparison, _: View) -> Iterator[str]:
    """Yield the studies that are compared as RIS."""
    return map(_ris, comparison_citations(comparison))


def diff_ris(bulletin: Bulletin, _: View) -> Iterator[str]:
    """Yield the studies added or changed, or the new neighbours, as RIS."""
    return map(_ris, diff_citations(bulletin))


def answer_bibtex(answer: Answer, _: View) -> Iterator[str]:
    """Yield the neighbours as BibTeX, an entry each."""
    return map(_bibtex, answer_citations(answer))


def comparison_bibtex(comparison: Comparison, _: View) -> Iterator[str]:
    """Yield the studies that are compared as BibTeX."""
    return map(_bibtex, comparison_citations(comparison))


def diff_bibtex(bulletin: Bulletin, _: View) -> Iterator[str]:
    """Yield the studies added or changed, or the new neighbours, as BibTeX."""
    return map(_bibtex, diff_citations(bulletin))


def answer_asreview(answer: Answer, view: View) -> Iterator[str]:
    """Yield the CSV that ASReview opens: query studies (`included` is 1), then the neighbours."""
    return _asreview(answer_citations(answer, with_query=True), view)


def comparison_asreview(comparison: Comparison, view: View) -> Iterator[str]:
    """Yield the studies that are compared as the CSV that ASReview opens."""
    return _asreview(comparison_citations(comparison, with_query=True), view)


def diff_asreview(bulletin: Bulletin, view: View) -> Iterator[str]:
    """Yield the CSV that ASReview opens: watched studies (`included` is 1), then what is new."""
    return _asreview(diff_citations(bulletin, with_query=True), view)


def citations_ris(citations: Iterable[Citation]) -> Iterator[str]:
    """Yield any citations as RIS, an entry each."""
    return map(_ris, citations)


def citations_asreview(citations: Iterable[Citation], view: View) -> Iterator[str]:
    """Yield any citations as the CSV that ASReview opens."""
    return _asreview(citations, view)


def _ris(citation: Citation) -> str:
    """Return an entry. AN and M1 have the NCT ID, by which tools know a study again."""
    study = citation.study
    numbers = "; ".join(f"{each.registry} {each.number}".strip() for each in citation.other_numbers)
    fields = [
        ("TY", "DBASE"),
        ("AN", study.nct_id),
        ("M1", study.nct_id),
        ("TI", citation.title),
        ("ST", study.acronym),
        ("PY", citation.date[:4]),
        ("DA", citation.date.replace("-", "/")),
        ("AB", citation.abstract),
        *(("KW", word) for word in citation.keywords),
        ("PB", citation.publisher),
        ("C1", numbers),
        ("DB", REGISTRY),
        ("DP", _PROVIDER),
        ("Y2", citation.records_date.replace("-", "/")),
        ("UR", study.url),
        *(("N1", note) for note in citation.notes),
    ]
    lines = [f"{tag}  - {plain(text)}\n" for tag, text in fields if text]
    return "".join((*lines, "ER  - \n\n"))


def _asreview(citations: Iterable[Citation], view: View) -> Iterator[str]:
    """Yield the CSV; never with a byte order mark, which costs ASReview the titles."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(ASREVIEW_COLUMNS), lineterminator="\n")
    writer.writeheader()
    yield text.getvalue()
    for each in citations:
        text.seek(0)
        text.truncate()
        writer.writerow(view.csv_row(_asreview_row(each)))
        yield text.getvalue()


def _asreview_row(citation: Citation) -> dict[str, str]:
    """Return a row; lists are joined by `;`, at which ASReview splits them."""
    return {
        "title": citation.title,
        "abstract": citation.abstract,
        "authors": citation.publisher.replace(";", ","),
        "keywords": ";".join(word.replace(";", ",") for word in citation.keywords),
        "url": citation.study.url,
        "doi": "",
        "included": citation.label or ("1" if citation.is_query else ""),
        "year": citation.date[:4],
        "nct_id": citation.study.nct_id,
        "other_numbers": ";".join(each.number for each in citation.other_numbers),
        "notes": " | ".join(citation.notes),
    }


def _bibtex(citation: Citation) -> str:
    """Return an entry, keyed by the NCT ID; the sponsor is its author."""
    study = citation.study
    fields = {
        "title": f"{{{_tex(citation.title)}}}",
        "author": f"{{{_tex(citation.publisher)}}}" if citation.publisher else "",
        "year": citation.date[:4],
        "type": "Clinical trial registration",
        "number": study.nct_id,
        "howpublished": REGISTRY,
        "url": study.url,
        "urldate": citation.records_date,
        "abstract": _tex(citation.abstract),
        "keywords": _tex(
            ", ".join(" ".join(word.replace(",", " ").split()) for word in citation.keywords)
        ),
        "note": _tex(". ".join(citation.notes)),
    }
    lines = [f"  {name} = {{{text}}},\n" for name, text in fields.items() if text]
    return f"@misc{{{study.nct_id},\n{''.join(lines)}}}\n\n"


def _tex(text: str) -> str:
    return text.translate(dict(_TEX))
