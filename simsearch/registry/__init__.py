"""Talking to ClinicalTrials.gov: its API, and fetching studies into the local mirror.

The mirror itself is in `simsearch.records.mirror`, because it is a form of records.
"""
