"""The command where no script `genviz` is on the path: python -m genviz train target=class:harmonica"""

from genviz.commands.main import main

if __name__ == "__main__":
    main(called="python -m genviz")
