"""What a class is to the network, and what else: python -m genviz.bias target=class:harmonica pictures=photos/"""

from genviz.commands import bias

if __name__ == "__main__":
    bias()
