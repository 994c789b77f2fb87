"""One run: its settings, its objects, its trainer, its checkpoint, and what the classifier makes of the result."""
