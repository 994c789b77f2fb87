"""Training networks on pictures: the autoencoder whose decoder is a generator, and distilled classifiers."""
