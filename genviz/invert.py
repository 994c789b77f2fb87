"""How well each layer can be inverted: python -m genviz.invert pictures=photos/ layers=[relu1,relu3]"""

from genviz.commands import invert

if __name__ == "__main__":
    invert()
