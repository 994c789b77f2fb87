"""Train a generator until a target fires: python train.py target=class:harmonica"""

from genviz.commands.train import command

if __name__ == "__main__":
    command(prog_name="train.py")
