"""Files of weights: where they come from, and how each of their formats is read."""
