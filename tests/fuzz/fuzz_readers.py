"""Fuzz all readers with libFuzzer (pip install atheris):

    python tests/fuzz/fuzz_readers.py -runs=1000000 -max_len=6000 -timeout=20 -rss_limit_mb=2048

The first byte of an input selects how the rest is wrapped, so that mutations reach the content of
compressed files and archives. Any exception other than our own errors is a crash.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))

with atheris.instrument_imports(include=["simsearch.records", "simsearch.study"]):
    from forms import AACT_TABLES, FORMS, zipped

    from simsearch.errors import SimsearchError
    from simsearch.records import Gone, Study, read_draft, read_studies, sources  # noqa: F401

FOLDER = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))  # noqa: PTH112
PATH = FOLDER / "input"
TABLES = list(AACT_TABLES)


def content_of(data: bytes) -> bytes:
    """Wrap the input as its first byte selects."""
    kind, body = data[0] % 16, data[1:]
    if kind == 8:
        return gzip.compress(body, 1)
    if kind == 9:
        return zipped({"a": body})
    if kind >= 10:
        return zipped(AACT_TABLES | {TABLES[(kind - 10) % len(TABLES)]: body})
    return body


def read(data: bytes) -> None:
    """Read one input to its end."""
    if not data:
        return
    PATH.write_bytes(content_of(data))
    try:
        for outcome in read_studies(PATH):
            if isinstance(outcome, Study):
                outcome.title.encode()
                outcome.summary.encode()
            elif not isinstance(outcome, Gone):
                assert "\n" not in str(outcome), outcome
        read_draft(PATH)
    except SimsearchError as error:
        assert "\n" not in str(error), error


def main() -> None:
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    for number, content in enumerate(FORMS.values()):
        (corpus / str(number)).write_bytes(b"\0" + content)
    for number, table in enumerate(AACT_TABLES.values()):
        (corpus / f"table{number}").write_bytes(bytes([10 + number]) + table)
    for number, name in enumerate(("json lines", "csv", "xml")):
        (corpus / f"gzip{number}").write_bytes(b"\x08" + FORMS[name])
        (corpus / f"zip{number}").write_bytes(b"\x09" + FORMS[name])
    atheris.Setup([*sys.argv, str(corpus)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
