"""Training networks on pictures: the autoencoder whose decoder is a generator, distilled classifiers, and others."""
