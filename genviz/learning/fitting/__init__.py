"""Training classifiers on labelled pictures, from the beginning and again on others."""
