"""The input space that a network was trained in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from genviz.errors import UserError

AUTO = "auto"
"""The setting by which the weights decide."""

CAFFE_MEAN = (104.0, 117.0, 123.0)
"""ImageNet's mean in Caffe's networks: blue, green, red, 0-255."""

OXFORD_MEAN = (103.939, 116.779, 123.68)
"""The same in Oxford's networks, to three decimals (Simonyan & Zisserman 2014)."""


class InputSpace(nn.Module):
    """An affine map from RGB in [0, 1] to a network's input: (scale * x - mean) / std.

    Values outside [0, 1] are mapped in the same way, so that a generator with an open range can be coupled.

    Args:
        channels: the order in which the network takes them, as do ``mean`` and ``std``.
        scale: 1 or 255.
        mean, std: one number per channel.

    Attributes:
        settings: these arguments.
        means: ``mean`` as numbers.
    """

    mean_kind = "mean"

    def __init__(
        self,
        *,
        channels: Literal["RGB", "BGR"] = "RGB",
        scale: float = 1.0,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        super().__init__()
        self.factor: Tensor
        self.offset: Tensor
        means, stds, scales = _numbers(mean), _numbers(std), _numbers([scale])
        if channels not in ("RGB", "BGR") or (len(means), len(stds), len(scales)) != (3, 3, 1) or not all(stds):
            raise UserError(
                "an input space has channels RGB or BGR, a scale, and three finite numbers each for mean and std, no "
                f"std 0; not channels={channels}, scale={scale}, mean={mean}, std={std}"
            )
        self.channels, self.means = channels, means
        self.settings = {"channels": channels, "scale": scales[0], "mean": means, "std": stds}
        offset = [-m / s for m, s in zip(means, stds, strict=True)]
        factor = [scales[0] / s for s in stds]
        self.register_buffer("factor", torch.tensor(factor).view(3, 1, 1), persistent=False)
        self.register_buffer("offset", torch.tensor(offset).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map RGB ``images`` (n, 3, h, w) to the network's input, (n, 3, h, w)."""
        if self.channels == "BGR":
            images = images.flip(1)
        return torch.addcmul(
            self.offset, images.to(self.factor.dtype), self.factor
        )  # in double precision, if asked for


def _numbers(values: Any) -> list[float]:
    """``values``, which may be NumPy's or torch's, as Python's own numbers; empty if one is none, or not finite."""
    try:
        numbers = [value.item() if hasattr(value, "item") else value for value in values]
    except (TypeError, ValueError, RuntimeError):
        return []
    usable = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
    return numbers if usable else []


def caffe(mean: Sequence[float] = CAFFE_MEAN) -> InputSpace:
    """Caffe's input space: BGR, 0-255, minus ImageNet's ``mean``."""
    return InputSpace(channels="BGR", scale=255.0, mean=mean)


def rgb(mean: Sequence[float] = CAFFE_MEAN) -> InputSpace:
    """MatConvNet's input space: RGB, 0-255, minus ImageNet's ``mean``, which is given as blue, green, red."""
    return InputSpace(channels="RGB", scale=255.0, mean=[*reversed(mean)])


def input_space_of(settings: str | Mapping[str, Any], *others: str) -> InputSpace:
    """The input space for ``classifier.input_space``: ``caffe``, or the arguments of `InputSpace`.

    Args:
        others: the other words that the classifier takes, for the message.

    Raises:
        UserError: it is neither.
    """
    if settings == "caffe":
        return caffe()
    if not isinstance(settings, Mapping):
        raise UserError(
            f"classifier.input_space={settings} is unknown; "
            f"it takes {', '.join([*others, 'caffe'])}, or channels, scale, mean and std"
        )
    try:
        return InputSpace(**settings)
    except TypeError as error:
        raise UserError(
            f"classifier.input_space={dict(settings)}: {error}; it takes channels, scale, mean and std"
        ) from error
