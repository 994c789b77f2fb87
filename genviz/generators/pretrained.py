"""Despraz's generator with pretraining: the decoder of a denoising autoencoder, frozen; only its code is trained."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.files import shipped
from genviz.generators import decoder_file
from genviz.generators.decoder import EPSILON, Decoder
from genviz.generators.decoder_file import Sizes
from genviz.images import IMAGENET_MEAN, IMAGENET_STD
from genviz.interfaces import Generator, Sample

FILE = "decoder.safetensors"
_CHOICES = {"code": ("gains", "standardized"), "statistics": ("moving", "image", "training")}


class Pretrained(Generator):
    """The decoder of a denoising autoencoder, of which only the code f is trained (Despraz et al. 2017, section 4.2).

    Args:
        weights: ``default``, the decoder that comes with genviz; a ``.safetensors`` file of ``pretrain.py``'s, which
            says how large it is; or ``random``, the paper's sizes with no training, to try it.
        code: ``gains``: f = relu(alpha) eps(1), alpha = 1 at first, and eps multiplies by N(1, sigma) (Eq. 1, Table 1).
            ``standardized``: f is alpha in standard deviations of the training pictures' codes around their mean,
            alpha = 0 at first, and eps adds N(0, sigma).
        sigma: standard deviation of the noise, in ``train`` mode.
        statistics: what batch norm uses: those of the image as it is trained and, in the settled picture, their
            ``moving`` averages (the paper); those of the ``image`` throughout; those of the ``training`` of the
            autoencoder throughout.
        momentum: weight of the newest image in the moving averages; Keras' 0.99 is 0.01 here.

    Raises:
        UserError: a setting is not known, or there are no such weights.
    """

    def __init__(
        self,
        *,
        weights: str = "default",
        code: Literal["gains", "standardized"] = "gains",
        sigma: float = 0.05,
        statistics: Literal["moving", "image", "training"] = "moving",
        momentum: float = 0.01,
    ) -> None:
        super().__init__()
        for name, choice in (("code", code), ("statistics", statistics)):
            if choice not in _CHOICES[name]:
                raise UserError(f"generator.{name}={choice} is not known; it is {', '.join(_CHOICES[name])}")
        if sigma < 0:
            raise UserError(f"generator.sigma={sigma}: a standard deviation is not negative")
        self.code, self.sigma, self.statistics = code, float(sigma), statistics

        def norm(channels: int) -> nn.BatchNorm2d:
            return nn.BatchNorm2d(channels, EPSILON, float(momentum))

        path = None if weights == "random" else _path(weights)
        sizes = Sizes() if path is None else decoder_file.read_sizes(path)
        self.layers = Decoder(**sizes._asdict(), norm=norm, frozen=True)
        numbers = math.prod(self.layers.code_shape)
        self.register_buffer("code_mean", torch.zeros(1, numbers))
        self.register_buffer("code_std", torch.ones(1, numbers))
        if path is not None:
            tensors, self.weights_sha256 = decoder_file.read(path)
            try:
                self.load_state_dict(tensors)
            except RuntimeError as error:
                raise UserError(
                    f"{path} is damaged: its weights are not of the sizes that it says; get it again"
                ) from error
        self.requires_grad_(False)
        if statistics == "image":
            for module in self.layers:
                if isinstance(module, nn.BatchNorm2d):
                    module.track_running_stats, module.running_mean, module.running_var = False, None, None
        self.gains = nn.Parameter(torch.ones(1, numbers) if code == "gains" else torch.zeros(1, numbers))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        self.code_mean: Tensor
        self.code_std: Tensor
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def image_size(self) -> tuple[int, int]:
        return self.layers.image_size

    def train(self, mode: bool = True) -> Pretrained:
        super().train(mode)
        self.layers.train(mode and self.statistics != "training")
        return self

    def forward(self) -> Sample:
        noise = self.sigma * torch.randn_like(self.gains) if self.training and self.sigma > 0 else 0.0
        if self.code == "gains":
            code = self.gains.relu() * (1 + noise)
        else:
            code = self.code_mean + self.code_std * (self.gains + noise)
        code = code.unflatten(1, self.layers.code_shape)
        values: Tensor = self.layers(code.contiguous(memory_format=torch.channels_last))
        return Sample(values.float() * self.std + self.mean, {"gains": self.gains})


def _path(weights: str) -> Path:
    if not isinstance(weights, str):
        raise UserError(f"generator.weights={weights} is no name")
    return shipped("checkpoints") / FILE if weights == "default" else Path(weights).expanduser()
