"""A classifier from any module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from genviz.classifiers.box_scores import Detector
from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.frozen_detector import from_detector
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.labels import Labels, read_labels
from genviz.classifiers.outline import outline_of
from genviz.classifiers.sizes import Size, size_of
from genviz.classifiers.tracing.calling import probe
from genviz.classifiers.tracing.class_scores import said
from genviz.classifiers.tracing.copies import copied, freeze, unwrapped
from genviz.classifiers.weight_files.weights import fingerprint
from genviz.errors import UserError
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD


def from_module(
    network: nn.Module,
    *,
    input_size: Size,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    scale: float = 1.0,
    labels: Labels | None = None,
    resize: bool = True,
) -> FrozenClassifier:
    """A frozen copy of ``network``, which itself is not changed. The copy keeps only torch's own hooks.

    Its layers have the names of its modules, ``layer3.0.conv2``; the classifier's ``outline.layers`` lists them.

    Args:
        network: maps RGB images (n, 3, h, w) to class scores (n, classes), which may be part of a tuple, a dict or an
            object with ``logits``; or a detector of torchvision's, whose own ``mean`` and ``std`` hold.
        input_size: side of the square input, or rows and columns, in pixels.
        mean, std, scale: of its input: (scale * x - mean) / std, with x in [0, 1]; ImageNet's by default.
        labels: of the classes: a list, a dict by number, or a file of them; None for their numbers.
        resize: False: take images at their own size.

    Raises:
        UserError: it does not take such images, or does not return class scores; or an argument is of the wrong kind.

    >>> import genviz, torch
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    >>> classifier = genviz.from_module(network, input_size=32, labels=["north", "east", "south", "west"])
    >>> [layer.name for layer in classifier.outline.layers]
    ['0', '1', '2', 'scores']
    """
    network = unwrapped(network)
    size = _check(network, input_size, mean, std)
    with torch.inference_mode(False):  # whose tensors cannot be trained through
        frozen = freeze(copied(network))
        device = next(chain(frozen.parameters(), frozen.buffers()), torch.zeros(())).device
        space = InputSpace(scale=scale, mean=mean, std=std).to(device)
        if isinstance(frozen, Detector):
            return from_detector(frozen, input_size=size, labels=labels, resize=resize)
        given = labels if labels is None or isinstance(labels, Mapping) else read_labels(labels)
        known = len(given) if isinstance(given, tuple) else None
        found = probe(frozen, space(likely_picture(size).to(device)), known)
        names = tuple(map(str, range(found.classes))) if given is None else read_labels(given, found.classes)
        if len(names) != found.classes:
            classes = "1 class, whose opposite is class:0@-1," if found.classes == 1 else f"{found.classes} classes"
            raise UserError(f"the network has {classes} but there are {len(names)} labels")
        part = said(found.calling.scores)
        return FrozenClassifier(
            frozen,
            outline_of(frozen, found.trace.layers, names, size)._replace(resizes=resize),
            space,
            weights_source=type(network).__name__ + (f", class scores: its output's {part}" if part else ""),
            weights_sha256=fingerprint(frozen.state_dict()),
            calling=found.calling,
        )


def likely_picture(size: tuple[int, int]) -> Tensor:
    """A picture to try a network with, (1, 3, h, w) in [0, 1]: noise, always the same."""
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))


def _check(network: object, size: Any, mean: object, std: object) -> tuple[int, int]:
    """The size; a `UserError` for what cannot be a network, or its input."""
    if not isinstance(network, nn.Module):
        raise UserError(f"the network must be a torch.nn.Module, not {network!r:.80}")
    tensors = (*network.parameters(), *network.buffers())
    if any(is_lazy(value) for value in tensors):
        raise UserError("the network has lazy modules without weights yet; call it once with pictures of their size")
    if any(value.is_meta for value in tensors):
        raise UserError(
            "the network is on the meta device and has no weights; call network.to_empty(device='cpu'), then load its "
            "state dict"
        )
    rows_and_columns = size_of(size, "input_size")
    for name, values in {"mean": mean, "std": std}.items():
        numbers = list(values) if isinstance(values, Iterable) else []
        if len(numbers) != 3 or not all(isinstance(number, int | float) for number in map(_plain, numbers)):
            raise UserError(f"{name}={values!r} must be three numbers, for red, green and blue")
    return rows_and_columns


def _plain(number: Any) -> Any:
    return number.item() if hasattr(number, "item") else number
