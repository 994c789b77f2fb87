"""Despraz's generator: a feature vector, upsampled and convolved to an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.images import COLOUR_CORRELATION, IMAGENET_MEAN, IMAGENET_STD
from genviz.interfaces import Generator, Sample

_EPSILON = 1e-3  # of Keras' batch normalization, which the paper's code used
_CHOICES = {
    "noise": ("additive", "multiplicative"),
    "output": ("standardized", "sigmoid", "decorrelated"),
    "statistics": ("moving", "image"),
}


class ConvolutionalGenerator(Generator):
    """The generative network G of Despraz et al. (2017, Table 2), and its family at other sizes.

    A constant feature vector is perturbed and weighted, f = alpha eps(f0) (Eq. 1, f0 = 1), and shaped to `code_shape`.
    Each stage upsamples it twice (nearest), then applies a `valid` and a `same` convolution, each followed by ReLU and
    batch normalization. The head upsamples once more and makes the three channels. With the defaults the side grows
    5-10-9-9-18-16-16-32-30-30-60-58-58-116-113-113-226-224.

    Args:
        pretrained: False: the head is one convolution, and every parameter trains, 5,240,841 of them. True: the head is
            convolutions of 64, 64 and 3 channels; the gains alpha begin at 1, pass a ReLU, and they alone train, 3,200.
        weights: what fills a pretrained generator, its state dict in a ``.safetensors`` file, or ``random`` to try it.
        code_shape: channels, rows and columns of the feature vector.
        widths: channels of each stage.
        kernels: kernel size of each stage's convolutions.
        noise: ``additive``, N(0, sigma) added to f0, or ``multiplicative``, f0 times N(1, sigma) (Table 1).
        sigma: standard deviation of the noise, in ``train`` mode.
        output: ``standardized``: the last batch norm's values are standard deviations of natural images around their
            mean, so that gamma = 1 is a natural contrast and the range is open, as in the paper. ``sigmoid``: a sigmoid
            keeps RGB in [0, 1]. ``decorrelated``: so it does, after natural images' correlation of colours.
        contrast: the last batch norm's first gamma.
        statistics: what batch norm uses in ``eval`` mode: the ``moving`` averages of training (the paper), or those of
            the noiseless ``image`` itself.
        momentum: weight of the newest image in the moving averages; Keras' 0.99 is 0.01 here.
    """

    def __init__(
        self,
        *,
        pretrained: bool = False,
        weights: str | None = None,
        code_shape: Sequence[int] = (128, 5, 5),
        widths: Sequence[int] = (512, 256, 256, 128, 128),
        kernels: Sequence[int] = (2, 3, 3, 3, 4),
        noise: Literal["additive", "multiplicative"] = "additive",
        sigma: float = 2.0,
        output: Literal["standardized", "sigmoid", "decorrelated"] = "standardized",
        contrast: float = 1.0,
        statistics: Literal["moving", "image"] = "moving",
        momentum: float = 0.01,
    ) -> None:
        super().__init__()
        code_shape, widths, kernels = tuple(code_shape), tuple(widths), tuple(kernels)
        _check(code_shape, widths, kernels, {"noise": noise, "output": output, "statistics": statistics}, sigma)
        self.code_shape, self.kernels = code_shape, kernels
        self.pretrained, self.noise, self.sigma, self.output = pretrained, noise, float(sigma), output

        def norm(channels: int) -> nn.BatchNorm2d:
            return nn.BatchNorm2d(channels, _EPSILON, float(momentum), track_running_stats=statistics == "moving")

        layers: list[nn.Module] = []
        channels = code_shape[0]
        for width, kernel in zip(widths, kernels, strict=True):
            layers.append(nn.Upsample(scale_factor=2))
            layers += [nn.Conv2d(channels, width, kernel), nn.ReLU(), norm(width)]
            layers += [_pad_same(kernel), nn.Conv2d(width, width, kernel), nn.ReLU(), norm(width)]
            channels = width
        layers.append(nn.Upsample(scale_factor=2))
        if pretrained:
            layers += [nn.Conv2d(channels, 64, 3), nn.ReLU(), norm(64)]
            layers += [_pad_same(3), nn.Conv2d(64, 64, 3), nn.ReLU(), norm(64), _pad_same(3), nn.Conv2d(64, 3, 3)]
        else:
            layers.append(nn.Conv2d(channels, 3, 3))
            layers += [nn.ReLU()] if output == "standardized" else []  # the paper's; a sigmoid needs both signs
        self.layers = nn.Sequential(*layers, norm(3))
        self.gains = nn.Parameter(torch.ones(1, math.prod(code_shape)))
        self._initialize(float(contrast))
        if pretrained:
            self._fill(weights)
        mixing = torch.tensor(COLOUR_CORRELATION) if output == "decorrelated" else torch.eye(3)
        self.register_buffer("colours", mixing / mixing.norm(dim=0).max(), persistent=False)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # on a CPU, a step takes 0.6 of the time

    @property
    def gamma(self) -> Tensor:
        """The scale of the last batch norm, (3,): the contrast of the three channels (Eq. 3)."""
        last_norm = self.layers[-1]
        assert isinstance(last_norm, nn.BatchNorm2d)
        return last_norm.weight

    @property
    def image_size(self) -> tuple[int, int]:
        rows, columns = self.code_shape[1:]
        for kernel in (*self.kernels, 3):
            rows, columns = 2 * rows - kernel + 1, 2 * columns - kernel + 1
        return rows, columns

    def forward(self) -> Sample:
        gains = self.gains.relu() if self.pretrained else self.gains
        code = (gains * self._perturbed(torch.ones_like(gains))).unflatten(1, self.code_shape)  # Eq. 1
        values = self.layers(code.contiguous(memory_format=torch.channels_last))
        parameters = {"gains": self.gains, "gamma": self.gamma[None]}
        if self.output == "standardized":
            return Sample(values.float() * self.std + self.mean, parameters)
        return Sample(torch.einsum("rc,nchw->nrhw", self.colours, values).float().sigmoid(), parameters)

    def _perturbed(self, vector: Tensor) -> Tensor:
        if not self.training or self.sigma == 0:
            return vector
        noise = self.sigma * torch.randn_like(vector)
        return vector + noise if self.noise == "additive" else vector * (1 + noise)

    def _initialize(self, contrast: float) -> None:
        """As Keras does: Glorot & Bengio's (2010) uniform weights, biases 0."""
        for module in self.layers:
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        nn.init.constant_(self.gamma, contrast)
        if not self.pretrained:
            # Keras takes sqrt(size) for both fans of a locally connected layer's weights (size, 1, 1).
            nn.init.uniform_(self.gains, -(bound := math.sqrt(3 / math.sqrt(self.gains.numel()))), bound)

    def _fill(self, weights: str | None) -> None:
        if weights is None:
            raise UserError(
                "a pretrained generator needs its weights: generator.weights=FILE.safetensors, or random to try it"
            )
        if weights != "random":
            try:
                self.load_state_dict(load_file(weights))
            except (OSError, SafetensorError, RuntimeError) as error:
                raise UserError(f"generator.weights={weights} does not fit this generator ({error})") from error
        self.layers.requires_grad_(False)


def _pad_same(kernel: int) -> nn.Module:
    """Keras' `same`: one more on the right and at the bottom where the kernel is even."""
    return nn.ZeroPad2d(((kernel - 1) // 2, kernel // 2) * 2)


def _check(
    code_shape: tuple[int, ...],
    widths: tuple[int, ...],
    kernels: tuple[int, ...],
    choices: Mapping[str, str],
    sigma: float,
) -> None:
    numbers = (*code_shape, *widths, *kernels)
    if len(code_shape) != 3 or len(widths) != len(kernels) or not all(isinstance(n, int) and n > 0 for n in numbers):
        raise UserError(
            "a generator has a code_shape of three whole numbers, and one width and one kernel for each stage; "
            f"not code_shape={list(code_shape)}, widths={list(widths)}, kernels={list(kernels)}"
        )
    side = min(code_shape[1:])
    for kernel in (*kernels, 3):
        side = 2 * side - kernel + 1
        if side < 1:
            raise UserError(f"kernels={list(kernels)} leave nothing of a code of {code_shape[1]} x {code_shape[2]}")
    for name, choice in choices.items():
        if choice not in _CHOICES[name]:
            raise UserError(f"generator.{name}={choice} is not known; it is {' or '.join(_CHOICES[name])}")
    if sigma < 0:
        raise UserError(f"generator.sigma={sigma}: a standard deviation is not negative")
