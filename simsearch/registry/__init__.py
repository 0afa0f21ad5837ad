"""Talking to ClinicalTrials.gov: its API, a local mirror of it, and what brings it up to date."""
