"""VITAL: matching the activation distributions of real pictures in several layers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.files import PHOTOGRAPHS, intact
from genviz.images.folders import find_pictures
from genviz.images.pictures import UNREADABLE, read_upright, resize
from genviz.interfaces import SCORES, Classifier, Outline
from genviz.objectives.kept import Kept
from genviz.objectives.reference import Remembering, see
from genviz.targets.grammar import Target, parse_target
from genviz.targets.layers import find_filters
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


class Alignment(Remembering):
    """-sum_l w_l d_l(X), sort matching (Görgün et al. 2025).

    d_l(X) = mean_cp (sort_p X^l_cp - mean_r sort_p R^l_rcp)^2: in each channel c of layer l, the sorted activations X
    over positions p are matched to the mean sorted activations of real pictures r of the target. What is there counts,
    not where. Layers and weights follow the paper's code, and so do the settings of ``experiment=gorgun2025``. The
    paper picks a class's pictures by label; here they are those in a folder that the target responds to most, or all of
    them if there are no more than ``count``. The paper's relevance weighting, for filters within the network, is left
    out.

    Beside another objective, it holds a picture near natural ones, as DeepInversion does by means and variances (Yin et
    al. 2020). ``within`` makes that a bound: -a(X) sum_l w_l max(0, d_l(X) / mean_r d_l(R_r) - within). At 1, the
    picture may be as far from the mean of the real pictures as those are on average. What exceeds it is weighed by the
    target's own activation a(X), taken as a constant, so that one weight suits networks of any scale.

    Args:
        target: what the pictures show: classes, filters, neurons or layers; or several targets, one for each image.
        outline: the classifier's.
        pictures: a folder of real pictures, searched recursively; with ``within``, None for the photographs that ship
            with genviz.
        count: how many of them to use, 50 in the paper; None for all.
        layers: the layers l with their weights w_l, ``layer:conv1+layer1+layer4@10``; None for the last layer of each
            block, or of each map size if the blocks are unknown.
        within: None for the paper's distance.
        positions: at most so many of a layer's positions are sorted, those of a regular grid; None for all.
        weight: of the score in a sum of objectives.

    Raises:
        UserError: there are no pictures, or ``layers`` names something other than layers.
    """

    ranked = True
    takes_many = True

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline,
        *,
        pictures: str | None = None,
        count: int | None = 10,
        layers: str | None = None,
        within: float | None = None,
        positions: int | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        if within is not None and not 0 <= within < math.inf:
            raise UserError(f"objective.alignment.within={within} must be 0 or more, or null")
        if pictures is None and within is None:
            raise UserError("say where real pictures of the target are: pictures=FOLDER")
        for name, number in {"count": count, "positions": positions}.items():
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
                raise UserError(
                    f"objective.alignment.{name}={number} must be a whole number, 1 or more, or null for all"
                )
        self.pictures = str(intact(PHOTOGRAPHS)) if pictures is None else pictures
        self.paths = tuple(find_pictures(self.pictures, "pictures").pictures)
        self.count = len(self.paths) if count is None else count
        self.targets, self.weight = Targets(target), float(weight)
        self.within, self.apart = None if within is None else float(within), Kept[str]({})
        self.positions = positions
        aligned = parse_target(layers or _layers(outline), outline.labels, outline.layers)
        self.aligned = Targets(aligned)
        for unit in aligned.units:
            if unit.kind != "layer":
                raise UserError(
                    f"objective.alignment.layers must be layers, as in layer:relu1_1+relu2_1, not {unit.name}"
                )
            find_filters(unit.layer, outline.layers)  # raises if its channels are unknown

    @property
    def layers(self) -> tuple[str, ...]:
        own = self.aligned.layers
        return own if self.within is None else (*own, *self.targets.layers)

    @torch.no_grad()
    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        size = classifier.outline.input_size if classifier.outline.resizes else size
        if len(self.paths) <= self.count:
            real = [_real(classifier, self.paths, self.aligned.layers, size, self.positions)]
        else:
            best = (_best(self.paths, classifier, target, self.count) for target in self.targets.each)
            real = [_real(classifier, paths, self.aligned.layers, size, self.positions) for paths in best]
        if not all(real):
            raise UserError(f"pictures={self.pictures}: none of its {len(self.paths)} pictures can be decoded")
        self.wanted = {layer: torch.stack([own[layer].mean for own in real]) for layer in self.aligned.layers}
        self.apart = Kept({layer: torch.stack([own[layer].apart for own in real]) for layer in self.aligned.layers})
        if self.within is not None and not all((apart > 0).all() for _, apart in self.apart.items()):
            raise UserError(
                f"pictures={self.pictures}: objective.alignment.within compares with how far real pictures are from "
                "each other; give two or more that are not the same"
            )

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        loss = self._loss(seen)
        return -loss if self.within is None else -loss * self.targets.activation(seen).detach().relu()

    def _loss(self, seen: Mapping[str, Tensor]) -> Tensor:
        return self.aligned.total(lambda units: self._too_far(units.layer, seen[units.layer])[:, None])

    def _too_far(self, layer: str, activation: Tensor) -> Tensor:
        """What a layer costs, (n,): the paper's distance, or what exceeds the bound."""
        distance = _distance(_thinned(activation, self.positions), self.wanted[layer])
        if self.within is None:
            return distance
        apart = self.apart[layer]
        return (distance / apart.repeat_interleave(len(distance) // len(apart)) - self.within).relu()

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"alignment loss": self._loss(seen)}


class _Real(NamedTuple):
    """How a layer's activations are distributed in real pictures."""

    mean: Tensor
    """Of their sorted activations, (c, positions)."""

    apart: Tensor
    """The mean over the pictures of their distance from it, ()."""


def _real(
    classifier: Classifier,
    paths: Sequence[Path],
    layers: tuple[str, ...],
    size: tuple[int, int],
    positions: int | None,
) -> dict[str, _Real]:
    """What the pictures that can be decoded have in common, by layer."""
    means, squares = dict.fromkeys(layers, torch.zeros(())), dict.fromkeys(layers, torch.zeros(()))
    seen = 0
    for _, found in _look(classifier, paths, layers, size):
        seen += 1
        for layer, activation in found.items():
            ordered = _ordered(_thinned(activation, positions))[0]
            means[layer] = means[layer] + (ordered - means[layer]) / seen
            squares[layer] = squares[layer] + (ordered.square().mean() - squares[layer]) / seen
    return {layer: _Real(means[layer], squares[layer] - means[layer].square().mean()) for layer in layers if seen}


def _distance(activation: Tensor, wanted: Tensor) -> Tensor:
    """The mean squared difference (n,) of a layer's sorted activations from ``wanted``, (targets, c, positions)."""
    ordered = _ordered(activation)
    if wanted.shape[2] != ordered.shape[2]:  # the pictures have another size
        wanted = F.interpolate(wanted, ordered.shape[2], mode="linear", align_corners=True)
    if len(wanted) > 1:
        wanted = wanted.repeat_interleave(len(ordered) // len(wanted), 0)
    return (ordered - wanted).square().mean((1, 2))


def _thinned(activation: Tensor, positions: int | None) -> Tensor:
    """A layer's activation (n, c, ...) at every position, or at every second, third, … if there are too many."""
    sides, step = activation.shape[2:], 1
    while positions is not None and math.prod(-(-side // step) for side in sides) > positions:
        step += 1
    if step > 1:
        for axis, side in enumerate(sides, 2):
            activation = activation.index_select(axis, torch.arange(0, side, step, device=activation.device))
    return activation


def _ordered(activation: Tensor) -> Tensor:
    """A layer's activation (n, c, ...), sorted in ascending order within each channel, (n, c, positions)."""
    return activation.reshape(*activation.shape[:2], -1).sort(2).values


def _layers(outline: Outline) -> str:
    """The last layer of each block; if the blocks are unknown, of each map size before the class scores."""
    known = {layer.name for layer in outline.layers}
    for block in _BLOCKS:
        if {piece.partition("@")[0] for piece in block.split("+")} <= known:
            return f"layer:{block}"
    modules = [layer.module for layer in outline.layers]
    before = outline.layers[: modules.index(outline.head) if outline.head in modules else -1]
    maps = [layer for layer in before if layer.axis is not None and math.prod(layer.shape[1:]) > 1]
    for depth in range(max((layer.name.count(".") for layer in maps), default=0) + 1):
        last = {layer.shape[1:]: layer.name for layer in maps if layer.name.count(".") <= depth}
        if len(last) >= _BLOCKS_AT_LEAST:
            break
    if not maps:
        raise UserError(
            "no layer of this classifier has positions; name the layers to match: objective.alignment.layers=…"
        )
    return "layer:" + "+".join(last.values())


def _best(paths: tuple[Path, ...], classifier: Classifier, target: Target, count: int) -> list[Path]:
    """The ``count`` pictures that the ``target`` responds to most, strongest first."""
    seen: Iterable[tuple[Path, dict[str, Tensor]]]
    if target.layers == (SCORES,):
        seen = _scores(classifier, paths).items()
    else:
        seen = _look(classifier, paths, target.layers, classifier.outline.input_size)
    units = Targets(target).to(classifier.device)
    responses = {path: units.activation(found).item() for path, found in seen}
    return sorted(responses, key=lambda path: responses[path], reverse=True)[:count]


@lru_cache(maxsize=1)
def _scores(classifier: Classifier, paths: tuple[Path, ...]) -> dict[Path, dict[str, Tensor]]:
    """The class scores of each picture; cached for all classes of a sweep."""
    return dict(_look(classifier, paths, (SCORES,), classifier.outline.input_size))


def _look(
    classifier: Classifier, paths: Sequence[Path], layers: tuple[str, ...], size: tuple[int, int]
) -> Iterator[tuple[Path, dict[str, Tensor]]]:
    """The activations for the centre crop, at ``size`` pixels, of each picture that can be decoded."""
    for path in tqdm(paths, desc="reading pictures", unit="picture", delay=_PATIENCE, dynamic_ncols=True):
        if (picture := _middle(path, size)) is not None:
            yield path, see(classifier, picture.to(classifier.device), layers)


def _middle(path: Path, size: tuple[int, int]) -> Tensor | None:
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
