"""Train a generator until a target fires: python train.py target=class:harmonica"""

from genviz.commands import train

if __name__ == "__main__":
    train()
