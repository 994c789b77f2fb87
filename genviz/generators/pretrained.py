"""Despraz's generator with pretraining: the decoder of a denoising autoencoder, frozen; only its code is trained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.files import atomic_write, sha256, shipped
from genviz.generators.decoder import EPSILON, Decoder
from genviz.generators.frozen_convolution import FrozenConvolution
from genviz.images import IMAGENET_MEAN, IMAGENET_STD
from genviz.interfaces import Generator, Sample

FILE = "decoder.safetensors"
FORMAT = "genviz.decoder.1"
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
        sizes = Sizes() if path is None else read_sizes(path)
        self.layers = Decoder(**sizes._asdict(), norm=norm, convolution=FrozenConvolution)
        numbers = math.prod(self.layers.code_shape)
        self.register_buffer("code_mean", torch.zeros(1, numbers))
        self.register_buffer("code_std", torch.ones(1, numbers))
        if path is not None:
            _fill(self, path)
            self.weights_sha256 = sha256(path)
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


class Sizes(NamedTuple):
    """How large a decoder is; as it is, the paper's."""

    code_shape: tuple[int, ...] = (128, 5, 5)
    widths: tuple[int, ...] = (512, 256, 256, 128, 128)
    kernels: tuple[int, ...] = (2, 3, 3, 3, 4)
    head: tuple[int, ...] = (64, 64)


def export(
    decoder: Decoder, sizes: Sizes, path: Path, *, code_mean: Tensor, code_std: Tensor, facts: Mapping[str, Any]
) -> None:
    """Write a trained decoder, its convolutions in half precision, with its sizes and how it came about as metadata.

    Args:
        path: a ``.safetensors`` file, replaced atomically.
        code_mean: of the training pictures' codes, each number by itself, (numbers,).
        code_std: their standard deviation, (numbers,).
        facts: data, settings, validation; kept as JSON.
    """
    state = {f"layers.{name}": value for name, value in decoder.state_dict().items()}
    state |= {"code_mean": code_mean[None], "code_std": code_std[None]}
    half = {name: value.half() if value.ndim == 4 else value for name, value in state.items()}
    contiguous = {name: value.contiguous().cpu() for name, value in half.items()}
    metadata = {name: json.dumps(value) for name, value in sizes._asdict().items()}
    with atomic_write(path) as file:
        file.write(save(contiguous, {"format": FORMAT, **metadata, "facts": json.dumps(facts)}))


def read_sizes(path: Path) -> Sizes:
    """How large the decoder in the file ``path`` is, without its weights.

    Raises:
        UserError: there is no such file, or it is none of ours.
    """
    if not path.is_file():
        raise UserError(
            f"there is no decoder {path}; generator.weights takes default, random, or a file of pretrain.py's"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')}, not {FORMAT}")
        return Sizes(*(tuple(int(n) for n in json.loads(metadata[name])) for name in Sizes._fields))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        why = str(error).strip().splitlines()[0][:120]
        raise UserError(f"{path} is no decoder ({why}); pretrain.py writes them") from error


def _fill(generator: Pretrained, path: Path) -> None:
    try:
        generator.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise UserError(f"{path} is damaged ({str(error).splitlines()[0][:120]}); get it again") from error
    if not all(bool(value.isfinite().all()) for value in generator.state_dict().values()):
        raise UserError(f"{path} holds numbers that are not finite; it cannot make pictures")


def _path(weights: str) -> Path:
    if not isinstance(weights, str):
        raise UserError(f"generator.weights={weights} is no name")
    return shipped("checkpoints") / FILE if weights == "default" else Path(weights).expanduser()
