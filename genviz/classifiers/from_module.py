"""A classifier from any module."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.labels import Labels, read_labels
from genviz.classifiers.outline import sketch_network
from genviz.classifiers.weights import fingerprint, not_finite
from genviz.errors import UserError
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD


def from_module(
    network: nn.Module,
    *,
    input_size: int,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    scale: float = 1.0,
    labels: Labels | None = None,
    resize: bool = True,
) -> FrozenClassifier:
    """A frozen copy of ``network``, which itself is not changed.

    Its layers have the names of its modules, ``layer3.0.conv2``; the classifier's ``outline.layers`` lists them.

    Args:
        network: maps RGB images (n, 3, h, w) to class scores (n, classes).
        input_size: side of the square input, in pixels.
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
    _check(network, input_size, mean, std)
    frozen = _without_hooks(copy.deepcopy(network)).eval()
    parameter = next(frozen.parameters(), torch.zeros(()))
    try:
        with torch.no_grad():
            scores = frozen(torch.zeros(1, 3, input_size, input_size, device=parameter.device))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise UserError(
            f"the network cannot take (1, 3, {input_size}, {input_size}): {str(error).splitlines()[0]}"
        ) from error
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise UserError(f"the network returns {shape}, not class scores (n, classes); wrap it in a module that does")
    if scores.isnan().any() and (odd := not_finite(frozen)):
        raise UserError(f"the network holds weights that are not finite, and answers with nan: {', '.join(odd[:3])}")
    names = tuple(map(str, range(scores.shape[1]))) if labels is None else read_labels(labels, scores.shape[1])
    if len(names) != scores.shape[1]:
        raise UserError(f"the network has {scores.shape[1]} classes but there are {len(names)} labels")
    outline = sketch_network(frozen, names, input_size)._replace(resizes=resize)
    return FrozenClassifier(
        frozen,
        outline,
        InputSpace(scale=scale, mean=mean, std=std).to(parameter.device),
        weights_source=type(network).__name__,
        weights_sha256=fingerprint(frozen.state_dict()),
    )


def _check(network: nn.Module, size: object, mean: object, std: object) -> None:
    """Raise a `UserError` for what cannot be a network or its input."""
    if isinstance(network, torch.jit.ScriptModule):
        raise UserError("a ScriptModule does not show its layers; give the module that it was made from")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise UserError(f"input_size={size!r} must be the side of the square input, in pixels")
    for name, values in {"mean": mean, "std": std}.items():
        numbers = list(values) if isinstance(values, Iterable) else []
        if len(numbers) != 3 or not all(isinstance(number, int | float) for number in map(_plain, numbers)):
            raise UserError(f"{name}={values!r} must be three numbers, for red, green and blue")


def _plain(number: Any) -> Any:
    return number.item() if hasattr(number, "item") else number


def _without_hooks(network: nn.Module) -> nn.Module:
    """``network`` without the hooks that somebody has put on it; torch's own, such as spectral norm's, stay."""
    for module in network.modules():
        for hooks in _hooks_of(module):
            for number, hook in list(hooks.items()):
                if not type(hook).__module__.startswith("torch."):
                    del hooks[number]
    return network


def _hooks_of(module: nn.Module) -> tuple[dict[int, Any], ...]:
    """Every kind of hook that a forward or a backward pass runs."""
    return module._forward_pre_hooks, module._forward_hooks, module._backward_pre_hooks, module._backward_hooks
