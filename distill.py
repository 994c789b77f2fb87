"""Train a network to see what another sees: python distill.py data.root=photos/"""

from genviz.commands.distill import command

if __name__ == "__main__":
    command(prog_name="distill.py")
