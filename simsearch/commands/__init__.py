"""The commands of `simsearch`, a file each: parse, call the library, print."""
