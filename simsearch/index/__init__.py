"""An index on disk: its directory, its files, and the generation that a reader has opened."""
