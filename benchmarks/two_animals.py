"""Do maps keep to the right half of a picture? python benchmarks/two_animals.py DOGS CATS [SETTINGS]

A picture of each folder side by side, and the same mirrored; both are explained in it, and counted are the maps that
have at least 80 % (of maps of pixels: 65 %) of their mass on the half that holds the class. A picture's class is the
WordNet id that its file or folder begins with (n02123597_1.jpg), or ``--left`` and ``--right``; only pictures are taken
that the network, alone, sees the class in. Negative values of a region's map have no mass.

SETTINGS are those of `genviz.load_classifier`, such as classifier=squeezenet1_0 classifier.weights=FILE.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

import genviz
from genviz.attribution.methods import METHODS, importance
from genviz.errors import UserError
from genviz.images.given import as_pictures
from genviz.interfaces import SCORES, Classifier

WAYS = (
    *("gradcam", "gradcam:log_probability", "cam", "occlusion", "saliency", "saliency:log_probability"),
    *("guided_backpropagation", "guided_backpropagation:log_probability"),
)
ENOUGH = {"region": 0.8, "pixels": 0.65, "projection": 0.65}


def known(
    classifier: Classifier, folder: Path, called: str | None, size: tuple[int, int]
) -> Iterator[tuple[Tensor, str]]:
    """The pictures (1, 3, h, w) that the network is right about, folder by folder in turn, and their classes."""
    outline, folders = classifier.outline, defaultdict(list)
    for file in sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png")):
        folders[file.parent].append(file)
    for file in filter(None, itertools.chain.from_iterable(itertools.zip_longest(*folders.values()))):
        target = called or f"class:{(file if file.parent == folder else file.parent).name.split('_')[0]}"
        (number,) = genviz.parse_target(target, outline.labels, outline.layers).units[0].index
        picture = as_pictures(file, size)
        with torch.no_grad():
            if int(classifier(picture, [SCORES])[SCORES].argmax()) == number:
                yield picture, target


def sides(found: list[float]) -> str:
    return " ".join(f"{share:.2f}" for share in found[-2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dogs", type=Path)
    parser.add_argument("cats", type=Path)
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--left", help="the class of the first folder's pictures, such as class:beagle")
    parser.add_argument("--right", help="of the second's")
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--side", type=int, default=160, help="of each half, in pixels")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), help="METHOD or METHOD:MEASURE")
    arguments = parser.parse_intermixed_args()
    size = (arguments.side, arguments.side)
    words = dict(word.removeprefix("classifier.").split("=", 1) for word in arguments.settings)
    name = words.pop("classifier", "embedded")
    alone = genviz.load_classifier(name, input_size=size, **words)
    both = genviz.load_classifier(name, input_size=(arguments.side, 2 * arguments.side), **words)
    dogs = itertools.islice(known(alone, arguments.dogs, arguments.left, size), arguments.pairs)
    cats = itertools.cycle(known(alone, arguments.cats, arguments.right, size))
    shares: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (dog, breed), (cat, other) in tqdm(list(zip(dogs, cats)), desc="pairs"):  # noqa: B905 - cats begin anew
        for mirrored, picture in enumerate((torch.cat((dog, cat), 3), torch.cat((dog, cat), 3).flip(3))):
            for animal, target in enumerate((breed, other)):
                for way in list(arguments.ways):
                    method, _, measure = way.partition(":")
                    try:
                        told = genviz.explain(both, picture, target, method=method, measure=measure or None, steps=0)
                    except UserError as error:
                        tqdm.write(f"{way}: {error}")
                        arguments.ways.remove(way)
                        continue
                    mass = importance(told.maps[method])[0].clamp(min=0).sum(0)
                    left = float(mass[: arguments.side].sum() / mass.sum().clamp(min=1e-12))
                    shares[way, animal].append(left if animal == mirrored else 1 - left)
        tqdm.write(", ".join(f"{way} {sides(shares[way, 0])} / {sides(shares[way, 1])}" for way in arguments.ways))
    for way in arguments.ways:
        enough = ENOUGH[METHODS[way.partition(":")[0]].kind]
        columns = []
        for animal in (0, 1):
            found = shares[way, animal]
            right = sum(share >= enough for share in found)
            columns.append(f"{right} of {len(found)} (median {statistics.median(found):.2f})")
        print(f"{way}, at least {enough:.0%}: first {columns[0]}, second {columns[1]}")


if __name__ == "__main__":
    main()
