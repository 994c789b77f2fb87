"""Despraz's pretrained generator: the frozen decoder of a denoising autoencoder, of which only the code is trained."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.files import intact
from genviz.generators import decoder_file
from genviz.generators.decoder import EPSILON, Decoder
from genviz.generators.decoder_file import Sizes
from genviz.generators.decoders import SharedDecoder
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Sample

FILE = "decoder.safetensors"
_CHOICES = {"code": ("gains", "standardized"), "statistics": ("moving", "image", "training")}


class Pretrained(Generator):
    """The decoder of a denoising autoencoder, of which only the code f is trained (Despraz et al. 2017, section 4.2).

    Args:
        weights: ``default``, the decoder shipped with genviz; a ``.safetensors`` file from ``genviz pretrain``, which
            states its sizes; or ``random``, the paper's sizes without training, for a trial.
        code: ``gains``: f = relu(alpha) eps(1), initially alpha = 1, and eps multiplies by N(1, sigma) (Eq. 1; Table 1
            has f = 0 initially, which noise that multiplies would never leave). ``standardized``: f is alpha in
            standard deviations of the training pictures' codes around their mean, initially alpha = 0, and eps adds
            N(0, sigma).
        sigma: standard deviation of the noise, in ``train`` mode.
        statistics: what batch norm uses: the image's during training and, for the final image, their ``moving``
            averages (the paper); the ``image``'s throughout; or those of the autoencoder's ``training`` throughout.
        momentum: weight of the newest image in the moving averages; Keras' 0.99 is 0.01 here.
        streams: random streams, one per image; each image has its own code.

    Raises:
        UserError: a setting is unknown, or there are no such weights.
    """

    holds_many = True

    def __init__(
        self,
        *,
        weights: str = "default",
        code: Literal["gains", "standardized"] = "gains",
        sigma: float = 0.05,
        statistics: Literal["moving", "image", "training"] = "moving",
        momentum: float = 0.01,
        streams: Streams | None = None,
    ) -> None:
        super().__init__()
        self.streams = streams or Streams()
        for name, choice in (("code", code), ("statistics", statistics)):
            if choice not in _CHOICES[name]:
                raise UserError(f"generator.{name}={choice} is unknown; it takes {', '.join(_CHOICES[name])}")
        if sigma < 0:
            raise UserError(f"generator.sigma={sigma} must be a standard deviation, 0 or more")
        self.code, self.sigma, self.statistics = code, float(sigma), statistics

        def norm(channels: int) -> nn.BatchNorm2d:
            return nn.BatchNorm2d(channels, EPSILON, float(momentum))

        path = None if weights == "random" else _path(weights)
        sizes = Sizes() if path is None else decoder_file.read_sizes(path)
        decoder = self.streams.each(  # each stream draws as much as it would alone
            lambda: Decoder(**sizes._asdict(), norm=norm, frozen=True)
        )[0]
        count, numbers = len(self.streams), math.prod(decoder.code_shape)
        self.layers: Decoder | SharedDecoder = decoder
        self.register_buffer("code_mean", torch.zeros(1, numbers))
        self.register_buffer("code_std", torch.ones(1, numbers))
        if path is not None:
            tensors, self.weights_sha256 = decoder_file.read(path)
            try:
                self.load_state_dict(tensors)
            except RuntimeError as error:
                raise UserError(
                    f"{path} is damaged: its weights do not have the sizes it states; get it again"
                ) from error
        self.requires_grad_(False)
        if statistics == "image":
            for module in decoder:
                if isinstance(module, nn.BatchNorm2d):
                    module.track_running_stats, module.running_mean, module.running_var = False, None, None
        self.layers = SharedDecoder(decoder, count)
        for name in ("code_mean", "code_std"):
            setattr(self, name, self.get_buffer(name).repeat(count, 1))
        self.gains = nn.Parameter((torch.ones if code == "gains" else torch.zeros)(count, numbers))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        self.code_mean: Tensor
        self.code_std: Tensor
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def sha256_of(cls, **settings: Any) -> str | None:
        weights = settings.get("weights", "default")
        return None if weights == "random" else decoder_file.read_digest(_path(weights))

    @property
    def image_size(self) -> tuple[int, int]:
        return self.layers.image_size

    def train(self, mode: bool = True) -> Pretrained:
        super().train(mode)
        self.layers.train(mode and self.statistics != "training")
        return self

    def forward(self) -> Sample:
        noise: Tensor | float = 0.0
        if self.training and self.sigma > 0:
            noise = self.sigma * self.streams.normal(self.gains.shape[1]).to(self.gains)
        if self.code == "gains":
            code = self.gains.relu() * (1 + noise)
        else:
            code = self.code_mean + self.code_std * (self.gains + noise)
        code = code.unflatten(1, self.layers.code_shape)
        values: Tensor = self.layers(code, self.together)
        return Sample(values.to(self.std.dtype) * self.std + self.mean, {"gains": self.gains})


def _path(weights: str) -> Path:
    if not isinstance(weights, str):
        raise UserError(f"generator.weights={weights} must be a name")
    return intact(FILE) if weights == "default" else Path(weights).expanduser()
