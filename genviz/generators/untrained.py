"""Despraz's untrained generator: the whole network is trained until the target fires."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.generators.decoder import EPSILON, Decoder
from genviz.generators.decoders import Decoders
from genviz.images.pictures import COLOUR_CORRELATION, IMAGENET_MEAN, IMAGENET_STD
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Sample

_CHOICES = {"output": ("standardized", "sigmoid", "decorrelated"), "statistics": ("moving", "image")}


class Untrained(Generator):
    """The generative network G of Despraz et al. (2017, Table 2), with all 5,240,841 parameters trained.

    A constant feature vector is perturbed and weighted, f = alpha eps(f0) (Eq. 1, f0 = 1, eps adds N(0, sigma)),
    reshaped to `code_shape`, and decoded by a `Decoder`.

    Args:
        code_shape: channels, rows and columns of the feature vector.
        widths: channels of each stage.
        kernels: kernel size of each stage's convolutions.
        sigma: standard deviation of the noise, in ``train`` mode.
        output: ``standardized``: the last batch norm's output is in standard deviations of natural images around their
            mean, so that gamma = 1 is a natural contrast and the range is open, as in the paper. ``sigmoid``: a sigmoid
            keeps RGB in [0, 1]. ``decorrelated``: likewise, after applying natural images' colour correlation.
        contrast: initial gamma of the last batch norm.
        statistics: what batch norm uses in ``eval`` mode: the ``moving`` averages of training (the paper), or those of
            the noiseless ``image`` itself.
        momentum: weight of the newest image in the moving averages; Keras' 0.99 is 0.01 here.
        streams: random streams, one per image; each image has its own network.

    Raises:
        UserError: a setting is unknown, or the sizes do not fit together.
    """

    holds_many = True

    def __init__(
        self,
        *,
        code_shape: Sequence[int] = (128, 5, 5),
        widths: Sequence[int] = (512, 256, 256, 128, 128),
        kernels: Sequence[int] = (2, 3, 3, 3, 4),
        sigma: float = 2.0,
        output: Literal["standardized", "sigmoid", "decorrelated"] = "standardized",
        contrast: float = 1.0,
        statistics: Literal["moving", "image"] = "moving",
        momentum: float = 0.01,
        streams: Streams | None = None,
    ) -> None:
        super().__init__()
        for name, choice in (("output", output), ("statistics", statistics)):
            if choice not in _CHOICES[name]:
                raise UserError(f"generator.{name}={choice} is unknown; it takes {' or '.join(_CHOICES[name])}")
        if sigma < 0:
            raise UserError(f"generator.sigma={sigma} must be a standard deviation, 0 or more")
        self.sigma, self.output = float(sigma), output

        def norm(channels: int) -> nn.BatchNorm2d:
            return nn.BatchNorm2d(channels, EPSILON, float(momentum), track_running_stats=statistics == "moving")

        def draw() -> tuple[Decoder, Tensor]:
            layers = Decoder(
                code_shape=code_shape,
                widths=widths,
                kernels=kernels,
                rectified=output == "standardized",  # the paper's; a sigmoid needs both signs
                norm=norm,
            )
            nn.init.constant_(layers.gamma, float(contrast))
            # Keras uses sqrt(size) as both fans of a locally connected layer's weights (size, 1, 1).
            bound = math.sqrt(3 / math.sqrt(math.prod(code_shape)))
            return layers, torch.empty(1, math.prod(code_shape)).uniform_(-bound, bound)

        self.streams = streams or Streams()
        layers, gains = zip(*self.streams.each(draw), strict=True)
        self.layers = Decoders(layers)
        self.gains = nn.Parameter(torch.cat(gains))
        mixing = torch.tensor(COLOUR_CORRELATION) if output == "decorrelated" else torch.eye(3)
        self.register_buffer("colours", mixing / mixing.norm(dim=0).max(), persistent=False)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.colours: Tensor
        self.mean: Tensor
        self.std: Tensor
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # on a CPU, a step takes 0.6 of the time

    @property
    def image_size(self) -> tuple[int, int]:
        return self.layers.image_size

    def forward(self) -> Sample:
        vector = torch.ones_like(self.gains)
        if self.training and self.sigma > 0:
            vector = vector + self.sigma * self.streams.normal(vector.shape[1]).to(vector)
        code = (self.gains * vector).unflatten(1, self.layers.code_shape)  # Eq. 1
        values: Tensor = self.layers(code, self.together)
        parameters = {"gains": self.gains, "gamma": self.layers.gamma.view(-1, 3)}
        if self.output == "standardized":
            return Sample(values.to(self.std.dtype) * self.std + self.mean, parameters)
        if self.together or (self.together is None and values.device.type != "cpu"):
            return Sample(self._coloured(values), parameters)
        return Sample(torch.cat([self._coloured(image) for image in values.split(1)]), parameters)  # same bits as alone

    def _coloured(self, values: Tensor) -> Tensor:
        return torch.einsum("rc,nchw->nrhw", self.colours, values).to(self.colours.dtype).sigmoid()
