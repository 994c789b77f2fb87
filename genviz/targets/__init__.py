"""Targets, which say what should fire: their grammar, the names in it, and the responses of their units."""
