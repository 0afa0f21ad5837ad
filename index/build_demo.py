"""Build the demo index again: `python index/build_demo.py`, from the repository's root.

`simsearch rebuild` refuses to write over the demo; this is how its owners do it. One
generation stays, in float32, so that any processor gives the same build.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from simsearch import build_index, load_encoder, read_studies

INDEX = Path("index")


def main() -> None:
    """Replace the demo index by a build of demo.jsonl."""
    shutil.rmtree(INDEX / "demo", ignore_errors=True)
    encoder = load_encoder(precision="float32")
    report = build_index(read_studies(INDEX / "demo.jsonl"), INDEX / "demo", encoder)
    for leftover in (".lock", ".lock.owner"):
        (INDEX / "demo" / leftover).unlink(missing_ok=True)
    (INDEX / "demo" / ".demo").write_text("The demo index: `simsearch rebuild` leaves it alone.\n")
    print(f"{report.n_studies} studies, {report.bytes:,} bytes")


if __name__ == "__main__":
    main()
