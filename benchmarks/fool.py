"""What an attack costs beside torchattacks: python benchmarks/fool.py [PICTURES]

PGD and FGSM on random pictures, in batches, in turn with torchattacks' on the same network: the attacks alone; and all
that genviz does with a picture, which is two passes before and after, and three PNGs, beside theirs with a PNG of the
result written and looked at. SqueezeNet 1.0 with random weights; printed are seconds and the median ratio of speeds.
torchattacks comes with pip install --no-deps "torchattacks>=3.5,<4".
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

import genviz  # isort: skip - before torchvision
import torchattacks
from torch import Tensor, nn
from torchvision.utils import save_image

from genviz.adversarial.examples.attack import attack, pictures_at_once
from genviz.adversarial.examples.attacker import Attacker, Picture, Plan
from genviz.adversarial.examples.methods import Steps
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD, read_image
from genviz.targets.grammar import parse_target

EPSILON, SIZE = 8 / 255, 2 / 255
METHODS = {"pgd": Steps(10, SIZE, random_start=True), "fgsm": Steps(1, EPSILON)}


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="?", type=int, default=1000)
    parser.add_argument("--at-once", type=int, help="default: genviz fool's own")
    parser.add_argument("--side", type=int, default=224, help="of a picture, in pixels")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    arguments = parser.parse_args()
    classifier = genviz.load_classifier("squeezenet1_0", weights="random", input_size=arguments.side)
    at_once = arguments.at_once or pictures_at_once(classifier.outline.input_size)
    outline, own = classifier.outline, copy.deepcopy(classifier.network)

    class Net(nn.Module):
        """The network with its input space, as torchattacks takes it; without a last ReLU nothing is changed."""

        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))

        def forward(self, images: Tensor) -> Tensor:
            scores: Tensor = own((images - self.mean) / self.std)
            return scores

    net = Net().eval()
    images = torch.rand(arguments.pictures, 3, arguments.side, arguments.side).mul(255).round() / 255
    theirs: dict[str, Any] = {
        "pgd": torchattacks.PGD(net, EPSILON, SIZE, 10),
        "fgsm": torchattacks.FGSM(net, EPSILON),
    }
    with TemporaryDirectory() as folder:
        for name in arguments.methods:
            steps, other = METHODS[name], theirs[name]
            plan = Plan(None, (EPSILON,), {EPSILON: steps}.__getitem__, "linf", 1)
            attacker = Attacker(classifier, None, plan, Path(folder), {"accelerator": "cpu", "devices": 1})

            def ours(some: Tensor, labels: Tensor, steps: Steps = steps) -> None:
                targets = [parse_target(f"class:{own}@-1", outline.labels, outline.layers) for own in labels.tolist()]
                reach, every = torch.full((len(some),), EPSILON), [steps] * len(some)
                attack(classifier, some, targets, reach, every, seeds=range(len(some)))

            def ours_whole(some: Tensor, attacker: Attacker = attacker) -> None:
                pictures = [Picture(str(n), "", image[None], n, None) for n, image in enumerate(some)]
                list(attacker.attack(pictures, lambda: False))

            def theirs_whole(some: Tensor, other: Any = other) -> None:
                with torch.no_grad():
                    labels = net(some).argmax(1)
                files = [Path(folder) / f"{number}.png" for number in range(len(some))]
                for file, image in zip(files, other(some, labels), strict=True):
                    save_image(image, file)
                with torch.no_grad():
                    net(torch.cat([read_image(file) for file in files]))

            ratios: dict[str, list[float]] = {"alone": [], "whole": []}
            for some in images.split(at_once):
                with torch.no_grad():
                    labels = net(some).argmax(1)
                pairs = {
                    "alone": (lambda: ours(some, labels), lambda: other(some, labels)),  # noqa: B023
                    "whole": (lambda: ours_whole(some), lambda: theirs_whole(some)),  # noqa: B023
                }
                for what, (mine, rival) in pairs.items():
                    took, needed = seconds(mine), seconds(rival)
                    ratios[what].append(needed / took)
                    print(f"{name}, {what}: ours {took:.3f} s, torchattacks {needed:.3f} s", flush=True)
            for what, found in ratios.items():
                print(f"{name}, {what}: speed {statistics.median(found):.3f} of torchattacks', {len(images)} pictures")


if __name__ == "__main__":
    main()
