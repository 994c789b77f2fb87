"""Train a network to see what another sees: python distill.py data.root=photos/"""

from genviz.commands.main import main

if __name__ == "__main__":
    main("distill", called="distill.py")
