"""What a classifier sees, asked from Python or of a whole folder: each file answers one question."""
