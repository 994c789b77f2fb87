"""A linear network of three classes on 8 x 8 pixels, whose boundaries are planes, and pictures for it."""

import numpy as np
import torch
from PIL import Image
from torch import nn

SIDE = 8
LABELS = ("first", "second", "third")
WORDS = [
    "classifier=module",
    "classifier.builder=linear_network:network",
    "classifier.weights=random",
    f"classifier.input_size={SIDE}",
    "classifier.input_space={mean:[0.5,0.5,0.5],std:[1,1,1]}",
    "classifier.labels=[first,second,third]",
    "trainer.accelerator=cpu",
    "logger=none",
]


def network(seed=0, classes=3):
    linear = nn.Linear(3 * SIDE * SIDE, classes)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(linear.weight.shape, generator=torch.Generator().manual_seed(seed)))
        linear.bias.zero_()
    return nn.Sequential(nn.Flatten(), linear).requires_grad_(False)


def other():
    return network(seed=1)


def folder(root, count=12):
    """Write pictures of faint noise, each of another; the contrast is low, so that little fools."""
    root.mkdir(parents=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(108, 148, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{number:02}.png")
    return root


class Masked(nn.Module):
    """Probabilities whose gradient vanishes in bright pictures."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        sharp = 1 + 1e5 * (images.mean((1, 2, 3), keepdim=True)[:, :, 0, 0] > 0).float()
        return (sharp * self.inner(images)).softmax(1)


def masked():
    return Masked(network())


class Scaled(nn.Module):
    """The same weights, and scores of another sign or size."""

    def __init__(self, inner, factor):
        super().__init__()
        self.inner, self.factor = inner, factor

    def forward(self, images):
        return self.factor * self.inner(images)


def scaled(factor=1.0):
    return Scaled(network(), factor)


def alone():
    return network(classes=1)
