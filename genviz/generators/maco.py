"""MACO: the phases of an image with the magnitude spectrum of natural images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.files import intact
from genviz.generators import spectrum
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Sample

FILE = "spectrum.safetensors"
_NOT_ZERO = 1e-5  # added to a standard deviation


class Maco(Generator):
    """RGB = sigmoid(C S(F^-1(A e^(i S(phi))))), in [0, 1]; only the phases phi are trained (Fel et al. 2023).

    A is the mean magnitude spectrum of natural images in decorrelated colours, F^-1 the inverse Fourier transform, C
    correlates the colours. S standardizes an image's values to mean 0 and standard deviation 1, as the published code
    does (xplique, Horama): the larger the phases, the less an optimizer step turns them. At the lowest and the highest
    horizontal frequency, a real image has one wave where two phases are trained, and it may be weaker than A. A is
    genviz's own measurement (`genviz.generators.spectrum`), and the paper's transparency is not drawn.

    Args:
        size: rows and columns, in pixels.
        weights: A: ``default``, the spectrum shipped with genviz, or a file from ``genviz spectrum``.
        streams: random streams, one per image.

    Raises:
        UserError: the size is invalid, or there is no such file.
    """

    holds_many = True

    def __init__(
        self, *, size: tuple[int, int] = (224, 224), weights: str = "default", streams: Streams | None = None
    ) -> None:
        super().__init__()
        if not isinstance(size, Sequence) or len(size) != 2 or not all(isinstance(s, int) and s > 1 for s in size):
            raise UserError(f"generator.size={size} must be rows and columns, such as [224,224], 2 or more of each")
        self.size = (size[0], size[1])
        known, self.weights_sha256 = spectrum.read(_path(weights))
        magnitude = spectrum.at_size(known, self.size)
        self.register_buffer("magnitude", magnitude, persistent=False)
        self.register_buffer("colours", spectrum.colours(), persistent=False)
        self.magnitude: Tensor
        self.colours: Tensor
        self.phases = nn.Parameter((streams or Streams()).normal(*magnitude.shape))

    @classmethod
    def sha256_of(cls, **settings: Any) -> str | None:
        return spectrum.read_digest(_path(settings.get("weights", "default")))

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size

    def forward(self) -> Sample:
        phases = _standardized(self.phases)
        values = torch.fft.irfft2(torch.polar(self.magnitude.expand_as(phases), phases), s=self.size, norm="ortho")
        images = torch.einsum("rc,nchw->nrhw", self.colours, _standardized(values)).sigmoid()
        return Sample(images, {"phases": self.phases.flatten(1)})


def _standardized(values: Tensor) -> Tensor:
    """Standardize each image's ``values`` (n, ...) to mean 0 and standard deviation 1."""
    whole = tuple(range(1, values.ndim))
    centred = values - values.mean(whole, keepdim=True)
    return centred / (centred.std(whole, correction=0, keepdim=True) + _NOT_ZERO)


def _path(weights: str) -> Path:
    if not isinstance(weights, str):
        raise UserError(f"generator.weights={weights} must be a name")
    return intact(FILE) if weights == "default" else Path(weights).expanduser()
