"""The command `simsearch`: a file a command; each parses, asks the library, and prints."""
