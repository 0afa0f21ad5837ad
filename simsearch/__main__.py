"""`python -m simsearch` is the command `simsearch`."""

from simsearch.cli.main import main

main()
