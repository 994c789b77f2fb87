"""A layer's kernels, and the order to look at filters in."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.tracing.origins import convolution_of
from genviz.errors import UserError
from genviz.interfaces import SCORES, Layer


class Kernels(NamedTuple):
    """Of a convolution."""

    layer: str
    """The convolution's name."""
    weights: Tensor
    """(filters, channels, rows, columns); of the first layer, for a picture in R, G, B from 0 to 1."""
    colours: bool
    """Whether they are those of the first layer."""


def kernels(classifier: FrozenClassifier, layer: Layer) -> Kernels:
    """The kernels of ``layer``, or of the convolution whose channels a ReLU's, a pooling's or a normalization's are.

    The first layer's take a picture in RGB in [0, 1], whatever order and scale of colours the network was trained with.

    Raises:
        UserError: there is no such convolution.
    """
    name = None if layer.name == SCORES else convolution_of(classifier.network, layer.module)
    if name is None:
        known = [each for each in classifier.outline.layers if _is_convolution(classifier, each)]
        such = f", such as {known[0].name}" if known else ""
        raise UserError(
            f"{layer.name} has no kernels: it is no 2-d convolution, and none is alone before it; name one{such}, "
            "or give a picture, whose activation maps are shown: image=FILE"
        )
    module = classifier.network.get_submodule(name)
    assert isinstance(module, nn.Conv2d)
    weights = module.weight.detach().float().cpu()
    first = next(each for each in classifier.network.modules() if isinstance(each, nn.Conv2d))
    colours = module is first and weights.shape[1] == 3
    if colours:
        weights = _on_rgb(weights, classifier.input_space)
    paper = next((each.name for each in classifier.outline.layers if each.module == name), name)
    return Kernels(paper, weights, colours)


def _is_convolution(classifier: FrozenClassifier, layer: Layer) -> bool:
    modules = dict(classifier.network.named_modules())
    return isinstance(modules.get(layer.module), nn.Conv2d)


def _on_rgb(weights: Tensor, space: InputSpace) -> Tensor:
    """The kernels that do to RGB in [0, 1] what ``weights`` do to the network's input."""
    weights = weights * space.factor.float().cpu()
    return weights.flip(1) if space.channels == "BGR" else weights


def ordered(values: Tensor, order: str) -> list[int]:
    """The filters in an order, from ``values`` (filters, ...) of each.

    ``number``; ``norm``: the Euclidean one, largest first; ``loudest``: largest value first; ``similarity``: the
    largest norm first, then each time the one with the smallest angle to the last.
    """
    flat = values.flatten(1).double()
    if order == "number":
        return list(range(len(flat)))
    if order == "similarity":
        return _chain(flat)
    sizes = flat.norm(dim=1) if order == "norm" else flat.amax(1)
    return sizes.sort(descending=True, stable=True).indices.tolist()


def _chain(flat: Tensor) -> list[int]:
    alike = F.normalize(flat) @ F.normalize(flat).T
    left = torch.ones(len(flat), dtype=torch.bool)
    found = [int(flat.norm(dim=1).argmax())]
    for _ in range(len(flat) - 1):
        left[found[-1]] = False
        found.append(int(alike[found[-1]].where(left, -torch.inf).argmax()))
    return found
