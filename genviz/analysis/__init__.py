"""Analyses of what a classifier sees, from Python or over a folder; each file answers one question."""
