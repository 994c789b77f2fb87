"""How a layer's activations are distributed: sorted within each channel, in real pictures and in generated ones."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.images.pictures import UNREADABLE, read_upright, resize
from genviz.interfaces import Classifier, Outline
from genviz.objectives.reference import see
from genviz.targets.grammar import parse_target
from genviz.targets.layers import before_scores, find_filters
from genviz.targets.units import Targets

_BLOCKS = (
    "conv1+layer1+layer2+layer3+layer4",  # ResNets
    "features.conv0+features.denseblock1+features.denseblock2+features.denseblock3+features.denseblock4@100",
    "features.0@10+features.2.1+features.4.1+features.6.1+features.7.2",  # ConvNeXts
    "conv_proj+encoder.layers.encoder_layer_2+encoder.layers.encoder_layer_9+encoder.layers.encoder_layer_20"
    "+encoder.layers.encoder_layer_23",  # ViT-L
    "conv_proj+encoder.layers.encoder_layer_0+encoder.layers.encoder_layer_4+encoder.layers.encoder_layer_8"
    "+encoder.layers.encoder_layer_11",  # ViT-B
    "relu1_2+relu2_2+relu3_4+relu4_4+relu5_4",  # VGG19; from here on not in the published code
    "relu1_2+relu2_2+relu3_3+relu4_3+relu5_3",  # VGG16
    "features.1+features.3+features.5+norm",  # Swins
)
"""Layers and weights, the published code's where it covers the network; the first entry that a network has is used."""
_BLOCKS_AT_LEAST = 3  # map sizes; if the outer layers show fewer, nested ones are searched
_PATIENCE = 2.0  # seconds before a progress bar is shown


def layers_to_compare(layers: str, outline: Outline, setting: str) -> Targets:
    """The layers that a setting names, with their weights, ``layer:conv1+layer1+layer4@10``.

    Args:
        setting: its name, for the error message.

    Raises:
        UserError: it names something other than layers, or one whose channels are unknown.
    """
    target = parse_target(layers, outline.labels, outline.layers)
    for unit in target.units:
        if unit.kind != "layer":
            raise UserError(f"{setting} must be layers, as in layer:relu1_1+relu2_1, not {unit.name}")
        find_filters(unit.layer, outline.layers)  # raises if its channels are unknown
    return Targets(target)


def last_of_blocks(outline: Outline) -> list[str]:
    """The last layer of each block, ``layer4@10``; if the blocks are unknown, of each map size before the class scores.

    An empty list if no layer has positions.
    """
    known = {layer.name for layer in outline.layers}
    for block in _BLOCKS:
        if {piece.partition("@")[0] for piece in block.split("+")} <= known:
            return block.split("+")
    maps = [layer for layer in before_scores(outline) if layer.axis is not None and math.prod(layer.shape[1:]) > 1]
    maps = [layer for layer in maps if layer.name.startswith("backbone")] or maps  # of a detector, not its boxes
    for depth in range(max((layer.name.count(".") for layer in maps), default=0) + 1):
        last = {layer.shape[1:]: layer.name for layer in maps if layer.name.count(".") <= depth}
        if len(last) >= _BLOCKS_AT_LEAST:
            break
    return list(last.values())


class Distribution:
    """The mean of pictures' sorted activations in a layer, and how far they are from it.

    Attributes:
        pictures: how many were added.
        mean: of their sorted activations, (c, positions).
    """

    def __init__(self) -> None:
        self.pictures, self.mean, self._square = 0, torch.zeros(()), torch.zeros(())

    def add(self, activation: Tensor) -> None:
        """Add a picture, whose activation is (1, c, ...)."""
        own = ordered(activation)[0]
        self.pictures += 1
        self.mean = self.mean + (own - self.mean) / self.pictures
        self._square = self._square + (own.square().mean() - self._square) / self.pictures

    @property
    def apart(self) -> Tensor:
        """The mean over the pictures of their `distance` from the mean, ()."""
        return self._square - self.mean.square().mean()


def distribution(
    classifier: Classifier,
    paths: Sequence[Path],
    layers: tuple[str, ...],
    size: tuple[int, int],
    positions: int | None = None,
) -> dict[str, Distribution]:
    """What the pictures that can be decoded have in common, by layer, of at most ``positions`` positions."""
    found = {layer: Distribution() for layer in layers}
    for _, seen in look(classifier, paths, layers, size):
        for layer, activation in seen.items():
            found[layer].add(thinned(activation, positions))
    return found


def distance(activation: Tensor, wanted: Tensor) -> Tensor:
    """The mean squared difference (n,) of a layer's sorted activations from ``wanted``, (targets, c, positions)."""
    own = ordered(activation)
    if wanted.shape[2] != own.shape[2]:  # the pictures have another size
        wanted = F.interpolate(wanted, own.shape[2], mode="linear", align_corners=True)
    if len(wanted) > 1:
        wanted = wanted.repeat_interleave(len(own) // len(wanted), 0)
    return (own - wanted).square().mean((1, 2))


def ordered(activation: Tensor) -> Tensor:
    """A layer's activation (n, c, ...), sorted in ascending order within each channel, (n, c, positions)."""
    return activation.reshape(*activation.shape[:2], -1).sort(2).values


def thinned(activation: Tensor, positions: int | None) -> Tensor:
    """A layer's activation (n, c, ...) at every position, or at every second, third, … if there are too many."""
    sides, step = activation.shape[2:], 1
    while positions is not None and math.prod(-(-side // step) for side in sides) > positions:
        step += 1
    if step > 1:
        for axis, side in enumerate(sides, 2):
            activation = activation.index_select(axis, torch.arange(0, side, step, device=activation.device))
    return activation


def look(
    classifier: Classifier, paths: Sequence[Path], layers: tuple[str, ...], size: tuple[int, int]
) -> Iterator[tuple[Path, dict[str, Tensor]]]:
    """The activations for the centre crop, at ``size`` pixels, of each picture that can be decoded."""
    for path in tqdm(paths, desc="reading pictures", unit="picture", delay=_PATIENCE, dynamic_ncols=True):
        if (picture := middle(path, size)) is not None:
            yield path, see(classifier, picture.to(classifier.device), layers)


def middle(path: Path, size: tuple[int, int]) -> Tensor | None:
    """The largest centre crop of a picture, resized to ``size``, (1, 3, *size); None if it is damaged."""
    try:
        picture = read_upright(path)
    except (UserError, *UNREADABLE) as error:
        warnings.warn(f"left out: {error}", stacklevel=2)
        return None
    scale = max(size[0] / picture.shape[2], size[1] / picture.shape[3])
    rows, columns = (max(side, round(scale * old)) for side, old in zip(size, picture.shape[2:], strict=True))
    top, left = (rows - size[0]) // 2, (columns - size[1]) // 2
    return resize(picture, (rows, columns))[:, :, top : top + size[0], left : left + size[1]]
