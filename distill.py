"""Train a network to see what another sees: python distill.py data.root=photos/"""

from genviz.commands.configured import program

if __name__ == "__main__":
    program("distill")(prog_name="distill.py")
