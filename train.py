"""Train a generator until a target fires: python train.py target=class:harmonica"""

from genviz.commands.configured import program

if __name__ == "__main__":
    program("train")(prog_name="train.py")
