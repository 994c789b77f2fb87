"""Real pictures, as a classifier sees them."""
