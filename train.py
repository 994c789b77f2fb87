"""Train a generator until a target fires: python train.py target=class:harmonica"""

from genviz.commands.main import main

if __name__ == "__main__":
    main("train", called="train.py")
