"""Write the command reference: `python docs/make_commands.py > docs/commands.md`.

typer generates it from the commands themselves; their examples, which typer leaves as
running text, become console blocks here. A test compares the file with this output.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys


def main() -> None:
    """Print the reference."""
    generated = subprocess.run(
        [
            sys.executable,
            "-m",
            "typer",
            "simsearch.cli.main",
            "utils",
            "docs",
            "--name",
            "simsearch",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    text = html.unescape(generated)
    print(
        re.sub(r"\x08\n((?:simsearch|zcat) [^`]+?)\n\n", r"```console\n\1\n```\n\n", text).strip()
    )


if __name__ == "__main__":
    main()
