"""Train a small classifier to see what a large one sees: python distill.py data.root=photos/"""

from genviz.commands import distill

if __name__ == "__main__":
    distill()
