"""The denoising autoencoder, whose decoder is a generator."""
