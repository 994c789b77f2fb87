"""The numbers in which a network was trained to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from genviz.errors import UserError

AUTO = "auto"
"""The setting that leaves the input space to the weights."""

CAFFE_MEAN = (104.0, 117.0, 123.0)
"""Mean of ImageNet in Caffe's networks: blue, green, red, 0-255."""

OXFORD_MEAN = (103.939, 116.779, 123.68)
"""The same in Oxford's, to three decimals (Simonyan & Zisserman 2014)."""


class InputSpace(nn.Module):
    """An affine map from RGB in [0, 1] to the numbers that a network takes: (scale * x - mean) / std.

    Values outside [0, 1] are mapped alike, so that a generator without an output range can be coupled.

    Args:
        channels: the order that the network takes; ``mean`` and ``std`` are in it.
        scale: 1 or 255.
        mean, std: one number a channel.

    Attributes:
        settings: these arguments.
    """

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
        if channels not in ("RGB", "BGR") or len(mean) != 3 or len(std) != 3 or not all(std):
            raise UserError(
                "an input space has channels RGB or BGR, a scale, and three numbers as mean and as std, none of std 0; "
                f"not channels={channels}, mean={list(mean)}, std={list(std)}"
            )
        self.channels = channels
        self.settings = {"channels": channels, "scale": scale, "mean": list(mean), "std": list(std)}
        offset = [-m / s for m, s in zip(mean, std, strict=True)]
        factor = [scale / s for s in std]
        self.register_buffer("factor", torch.tensor(factor).view(3, 1, 1), persistent=False)
        self.register_buffer("offset", torch.tensor(offset).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map RGB ``images`` (n, 3, h, w) to the network's numbers, (n, 3, h, w)."""
        if self.channels == "BGR":
            images = images.flip(1)
        return torch.addcmul(self.offset, images, self.factor)


def caffe(mean: Sequence[float] = CAFFE_MEAN) -> InputSpace:
    """Caffe's: BGR, 0-255, minus the ``mean`` of ImageNet."""
    return InputSpace(channels="BGR", scale=255.0, mean=mean)


def input_space_of(settings: str | Mapping[str, Any]) -> InputSpace:
    """What ``classifier.input_space`` means: ``caffe``, or the arguments of `InputSpace`.

    Raises:
        UserError: neither.
    """
    if settings == "caffe":
        return caffe()
    if not isinstance(settings, Mapping):
        raise UserError(
            f"classifier.input_space={settings} is not known; "
            "it is auto, torchvision, caffe, or channels, scale, mean and std"
        )
    try:
        return InputSpace(**settings)
    except TypeError as error:
        raise UserError(
            f"classifier.input_space={dict(settings)}: {error}; it takes channels, scale, mean and std"
        ) from error
