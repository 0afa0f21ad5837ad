"""The design of a study and of those like it: side by side, and summed up.

Pure functions over `Study` and its `Facts`; nothing here reads an index.
"""
