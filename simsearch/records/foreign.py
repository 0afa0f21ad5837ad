"""What content is that people take for records of ClinicalTrials.gov, and what to do instead.

Everything is told from the first bytes or from the names in an archive.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

_AS_CSV = "save the sheet as CSV UTF-8 and use that file"
_OTHER_REGISTRY = (
    "simsearch reads records of ClinicalTrials.gov: look these studies up there by their NCT IDs"
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_EVERY_SECOND = re.compile(rb"(?:[^\0]\0){4}|(?:\0[^\0]){4}")
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_AACT_TABLE = re.compile(rb'(?:"?id"?\|)?"?nct_id"?\|', re.IGNORECASE)

_SIGNS = {
    "an export of the WHO's ICTRP": (
        rb"(?:<\?xml[^>]*>\s*)?<(?:Trials_downloaded_from_)?ICTRP",
        rb"\"?TrialID\"?[,;\t]",
    ),
    "a file of the EU Clinical Trials Register (EudraCT)": (
        rb"EU Clinical Trials Register|EudraCT Number:",
        rb"[^{\[<].{0,400}?\n\s*(?:[A-Z][.0-9]* )?EudraCT Number:",
    ),
    "a file of the EU's Clinical Trials Information System (CTIS)": (
        rb"\[?\{?\s*(?:\"[a-zA-Z]+\"\s*:\s*\[?\s*\{?\s*){0,3}\"ctNumber\"",
        rb"\"?(?:Trial number|EU CT number|EUCT number)\"?[,;\t]",
    ),
    "an export of the ISRCTN registry": (
        rb"(?:<\?xml[^>]*>\s*)?<(?:allTrials|fullTrial|trial)\b[^>]*isrctn",
        rb"\"?ISRCTN(?: number)?\"?[,;\t]",
    ),
}
_FOREIGN = tuple(
    (re.compile(b"|".join(signs), re.IGNORECASE | re.DOTALL), name)
    for name, signs in _SIGNS.items()
)

_MAX_NAMES = 4
_MAX_NAME = 30


def foreign_form(head: bytes) -> str:
    """Return what content of another registry or program is, with the step that helps, or `""`.

    Args:
        head: its first bytes, without white space before them.
    """
    if head.startswith(_UTF16) or _EVERY_SECOND.match(head):
        return "it is UTF-16 text: save it as UTF-8 (in Excel: CSV UTF-8) and use that file"
    if head.startswith(_OLD_EXCEL):
        return f"it is an old Excel workbook or another Office document: {_AS_CSV}"
    for sign, name in _FOREIGN:
        if sign.match(head):
            return f"it is {name}: {_OTHER_REGISTRY}"
    if _AACT_TABLE.match(head):
        return (
            "it is one table of AACT: its studies are joined from all tables, so name the zip or "
            "the folder that holds studies.txt and the others"
        )
    return ""


def foreign_archive(names: Sequence[str]) -> str:
    """Return what a zip with members of these names is, with the step that helps, or `""`."""
    held = set(names)
    if "xl/workbook.xml" in held or "xl/workbook.bin" in held:
        return f"it is an Excel workbook: {_AS_CSV}"
    if {"content.xml", "mimetype"} <= held:
        return f"it is an OpenDocument file: {_AS_CSV}"
    if any(PurePosixPath(name).parts[:1] == ("word",) for name in held):
        return "it is a Word document: it has no study records"
    return ""


def other_table(head: bytes) -> str:
    """Return why a table with other columns than the site's is not read, or `""` for no table.

    Args:
        head: its first bytes.
    """
    line = head.partition(b"\n")[0].decode("utf-8", "replace").strip()
    delimiter = max(",;\t|", key=line.count)
    try:
        names = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return ""
    named = [" ".join(name.split()) for name in names if name.strip()]
    if len(named) < 2 or any(len(name) > _MAX_NAME for name in named):  # noqa: PLR2004 - a table
        return ""
    shown = ", ".join(named[:_MAX_NAMES]) + (", …" if len(named) > _MAX_NAMES else "")
    return (
        f"it is a table with the columns {shown}: the site's table has NCT Number and Study Title, "
        "so rename these two (docs/forms.md has the others)"
    )
