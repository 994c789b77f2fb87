"""Which training pictures a generated one resembles: matched key points, visual words, features, and chance."""
