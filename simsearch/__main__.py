"""`python -m simsearch` is the command `simsearch`."""

from simsearch.cli import start

start()
