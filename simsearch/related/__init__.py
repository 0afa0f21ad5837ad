"""The related list of every study, in one file."""
