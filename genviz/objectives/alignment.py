"""The distribution of real pictures' activations, in several layers at once: VITAL."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from genviz.errors import UserError
from genviz.images.folders import find_pictures
from genviz.images.pictures import UNREADABLE, read_upright, resize
from genviz.interfaces import SCORES, Classifier, Outline
from genviz.objectives.reference import Remembering, see
from genviz.targets.grammar import Target, parse_target
from genviz.targets.responses import read, weighted

_BLOCKS = (
    "conv1+layer1+layer2+layer3+layer4",  # ResNets
    "features.conv0+features.denseblock1+features.denseblock2+features.denseblock3+features.denseblock4@100",
    "features.0@10+features.2.1+features.4.1+features.6.1+features.7.2",  # ConvNeXts
    "conv_proj+encoder.layers.encoder_layer_2+encoder.layers.encoder_layer_9+encoder.layers.encoder_layer_20"
    "+encoder.layers.encoder_layer_23",  # ViT-L
    "conv_proj+encoder.layers.encoder_layer_0+encoder.layers.encoder_layer_4+encoder.layers.encoder_layer_8"
    "+encoder.layers.encoder_layer_11",  # ViT-B
    "relu1_2+relu2_2+relu3_4+relu4_4+relu5_4",  # VGG19; from here on, ours
    "relu1_2+relu2_2+relu3_3+relu4_3+relu5_3",  # VGG16
    "features.1+features.3+features.5+norm",  # Swins
)
"""The layers of the published code, with their weights, where it knows the network; the first that a network has."""
_BLOCKS_AT_LEAST = 3  # that the outer layers show, or those within them are looked at
_PATIENCE = 2.0  # seconds before a progress bar is shown


class Alignment(Remembering):
    """-sum_l w_l mean_cp (sort_p X^l_cp - mean_r sort_p R^l_rcp)^2, sort matching (Görgün et al. 2025).

    Of each channel c of layer l, the activations X at its positions p, in their order, are to be what those of real
    pictures r of the target are on average: what is there counts, not where. The layers and their weights are those of
    the paper's code, as are, in ``experiment=gorgun2025``, its numbers. The paper's pictures of a class are drawn from
    those with its label; here they are the ones of a folder that the target responds to most, and all of a folder that
    holds no more. Its relevance, by which it weighs the activations of filters within the network, is left out.

    Args:
        target: what the pictures are of: classes, filters, neurons or layers.
        outline: of the classifier.
        pictures: a folder of real pictures, however nested.
        count: how many of them; 50 in the paper.
        layers: the layers l with their weights w_l, ``layer:conv1+layer1+layer4@10``; None for the last one of each
            block, where the blocks are known, and of each number of positions, where they are not.
        weight: of the score beside other objectives'.

    Raises:
        UserError: there are no pictures, or something else than layers is named.
    """

    ranked = True

    def __init__(
        self,
        target: Target,
        outline: Outline,
        *,
        pictures: str | None = None,
        count: int = 10,
        layers: str | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        if pictures is None:
            raise UserError("say where real pictures of the target are: pictures=FOLDER")
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise UserError(f"objective.alignment.count={count} is no whole number from 1 up")
        self.pictures, self.paths = pictures, tuple(find_pictures(pictures, "pictures").pictures)
        self.target, self.count, self.weight = target, count, float(weight)
        self.aligned = parse_target(layers or _layers(outline), outline.labels, outline.layers)
        for unit in self.aligned.units:
            if unit.kind != "layer":
                raise UserError(f"objective.alignment.layers are whole layers, layer:relu1_1+relu2_1, not {unit.name}")

    @property
    def layers(self) -> tuple[str, ...]:
        return self.aligned.layers

    @torch.no_grad()
    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        paths = self.paths if len(self.paths) <= self.count else _best(self.paths, classifier, self.target, self.count)
        size = classifier.outline.input_size if classifier.outline.resizes else size
        self.wanted, seen = {}, 0
        for _, found in _look(classifier, paths, self.layers, size):
            seen += 1
            for layer, activation in found.items():
                ordered, mean = _ordered(activation)[0], self.wanted.get(layer, torch.zeros(()))
                self.wanted[layer] = mean + (ordered - mean) / seen
        if seen == 0:
            raise UserError(f"pictures={self.pictures}: none of its {len(self.paths)} pictures can be decoded")

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        losses = []
        for unit in self.aligned.units:
            ordered = _ordered(seen[unit.layer])
            wanted = self.wanted[unit.layer]
            if wanted.shape[1] != ordered.shape[2]:  # in a picture of another size: as many, evenly
                wanted = F.interpolate(wanted[None], ordered.shape[2], mode="linear", align_corners=True)[0]
            losses.append((ordered - wanted).square().mean((1, 2)))
        return -weighted(self.aligned, torch.stack(losses, 1))

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"alignment loss": -self(seen)}


def _ordered(activation: Tensor) -> Tensor:
    """Of each channel of a layer's activation (n, c, ...) the numbers, the smallest first, (n, c, positions)."""
    return activation.reshape(*activation.shape[:2], -1).sort(2).values


def _layers(outline: Outline) -> str:
    """The last layer of each block; of each number of positions before the class scores are made, if none is known."""
    known = {layer.name for layer in outline.layers}
    for block in _BLOCKS:
        if {piece.partition("@")[0] for piece in block.split("+")} <= known:
            return f"layer:{block}"
    modules = [layer.module for layer in outline.layers]
    before = outline.layers[: modules.index(outline.head) if outline.head in modules else -1]
    maps = [layer for layer in before if math.prod(layer.shape[1:]) > 1]
    for depth in range(max((layer.name.count(".") for layer in maps), default=0) + 1):
        last = {layer.shape[1:]: layer.name for layer in maps if layer.name.count(".") <= depth}
        if len(last) >= _BLOCKS_AT_LEAST:
            break
    if not maps:
        raise UserError("no layer of this classifier has positions; say which layers: objective.alignment.layers=…")
    return "layer:" + "+".join(last.values())


def _best(paths: tuple[Path, ...], classifier: Classifier, target: Target, count: int) -> list[Path]:
    """The ``count`` pictures that the ``target`` responds to most, in that order."""
    seen: Iterable[tuple[Path, dict[str, Tensor]]]
    if target.layers == (SCORES,):
        seen = _scores(classifier, paths).items()
    else:
        seen = _look(classifier, paths, target.layers, classifier.outline.input_size)
    responses = {path: weighted(target, read(target, found).activations).item() for path, found in seen}
    return sorted(responses, key=lambda path: responses[path], reverse=True)[:count]


@lru_cache(maxsize=1)
def _scores(classifier: Classifier, paths: tuple[Path, ...]) -> dict[Path, dict[str, Tensor]]:
    """The class scores of each picture; once for all classes of a sweep."""
    return dict(_look(classifier, paths, (SCORES,), classifier.outline.input_size))


def _look(
    classifier: Classifier, paths: Sequence[Path], layers: tuple[str, ...], size: tuple[int, int]
) -> Iterator[tuple[Path, dict[str, Tensor]]]:
    """What is seen in the middle of each picture that can be decoded, in ``size`` pixels."""
    for path in tqdm(paths, desc="looking at pictures", unit="picture", delay=_PATIENCE, dynamic_ncols=True):
        if (picture := _middle(path, size)) is not None:
            yield path, see(classifier, picture.to(next(classifier.parameters()).device), layers)


def _middle(path: Path, size: tuple[int, int]) -> Tensor | None:
    """The middle of a picture, as large as it fills ``size`` and no larger, (1, 3, *size); None if it is damaged."""
    try:
        picture = read_upright(path)
    except (UserError, *UNREADABLE) as error:
        warnings.warn(f"left out: {error}", stacklevel=2)
        return None
    scale = max(size[0] / picture.shape[2], size[1] / picture.shape[3])
    rows, columns = (max(side, round(scale * old)) for side, old in zip(size, picture.shape[2:], strict=True))
    top, left = (rows - size[0]) // 2, (columns - size[1]) // 2
    return resize(picture, (rows, columns))[:, :, top : top + size[0], left : left + size[1]]
