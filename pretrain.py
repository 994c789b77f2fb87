"""Train a denoising autoencoder, whose decoder is a generator: python pretrain.py data.root=photos/"""

from genviz.commands.configured import program

if __name__ == "__main__":
    program("pretrain")(prog_name="pretrain.py")
