"""Answers and facts as text. Nothing here prints."""
