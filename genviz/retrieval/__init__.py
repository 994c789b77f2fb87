"""Real pictures by what a network sees in them: those that a filter likes most, those that look alike, a map of all."""
