"""Train a denoising autoencoder, whose decoder is a generator: python pretrain.py data.root=photos/"""

from genviz.commands import pretrain

if __name__ == "__main__":
    pretrain()
