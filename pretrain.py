"""Train a denoising autoencoder, whose decoder is a generator: python pretrain.py data.root=photos/"""

from genviz.commands.pretrain import command

if __name__ == "__main__":
    command(prog_name="pretrain.py")
