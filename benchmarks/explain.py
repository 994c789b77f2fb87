"""What explaining costs over loops written by hand: python benchmarks/explain.py [PICTURES]

Saliency of random pictures, one after the other, in turn with PyTorch's own calls on the same network; and occlusion,
in turn with captum's on it, at the number of pictures in one pass that is fastest there. SqueezeNet 1.0 with random
weights; printed are seconds and the median ratio.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from captum.attr import Occlusion
from torch import Tensor

import genviz
from genviz.attribution.gradients import saliency
from genviz.attribution.occlusion import occlusion
from genviz.attribution.score import Score
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD
from genviz.targets.grammar import parse_target

CLASS, SIZE, STRIDE = 593, 32, 32
BATCHES = (1, 4, 8, 16, 32)


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="?", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    classifier = genviz.load_classifier("squeezenet1_0", weights="random")
    outline = classifier.outline
    score = Score(classifier, parse_target(f"class:{CLASS}", outline.labels, outline.layers))
    network = copy.deepcopy(classifier.network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    images = torch.rand(arguments.pictures, 3, *outline.input_size)

    def bare(some: Tensor) -> Tensor:
        scores: Tensor = network((some - mean) / std)
        return scores[:, CLASS]

    def bare_saliency(image: Tensor) -> Tensor:
        image = image.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(bare(image).sum(), image)
        return slopes.abs().amax(1)

    def captums(at_once: int) -> Tensor:
        made: Tensor = Occlusion(bare).attribute(
            images[:1], (3, SIZE, SIZE), (3, STRIDE, STRIDE), 0.5, perturbations_per_eval=at_once
        )
        return made

    ratios = []
    for chunk in images.chunk(arguments.rounds):
        ours = seconds(lambda: [saliency(score, image) for image in chunk.split(1)])  # noqa: B023
        theirs = seconds(lambda: [bare_saliency(image) for image in chunk.split(1)])  # noqa: B023
        ratios.append(ours / theirs)
        print(f"saliency: ours {ours / len(chunk):.4f} s, by hand {theirs / len(chunk):.4f} s, ratio {ratios[-1]:.3f}")
    print(f"saliency: median ratio {statistics.median(ratios):.3f}, {len(images)} pictures")

    with torch.no_grad():
        best = min(BATCHES, key=lambda at_once: min(seconds(lambda: captums(at_once)) for _ in range(2)))
        ratios = []
        for _ in range(arguments.rounds):
            ours = seconds(lambda: occlusion(score, images[:1], size=SIZE, stride=STRIDE))
            theirs = seconds(lambda: captums(best))
            ratios.append(ours / theirs)
            print(f"occlusion: ours {ours:.3f} s, captum's {theirs:.3f} s ({best} at once), ratio {ratios[-1]:.3f}")
    print(f"occlusion: median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
