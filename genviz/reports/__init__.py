"""Pages on what was found."""
