"""Train a denoising autoencoder, whose decoder is a generator: python pretrain.py data.root=photos/"""

from genviz.commands.main import main

if __name__ == "__main__":
    main("pretrain", called="pretrain.py")
