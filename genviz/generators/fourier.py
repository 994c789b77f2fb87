"""Fourier coefficients of an image, scaled as in natural images and with decorrelated colours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.images.pictures import COLOUR_CORRELATION
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Sample


class Fourier(Generator):
    """RGB = sigmoid(C F^-1(a z) / 4), in [0, 1] (Olah et al. 2017, lucid).

    z are the trained coefficients, a = 1 / max(f, 1 / side)^decay the amplitude of natural images at frequency f in
    cycles per pixel, F^-1 the orthonormal inverse Fourier transform, C the square root of the covariance of natural
    images' colours.

    Args:
        size: rows and columns, in pixels.
        deviation: standard deviation of the initial coefficients.
        decay: exponent of the amplitude; 1 for natural images.
        streams: random streams, one per image.
    """

    holds_many = True

    def __init__(
        self,
        *,
        size: tuple[int, int] = (224, 224),
        deviation: float = 0.01,
        decay: float = 1.0,
        streams: Streams | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(size, Sequence) or len(size) != 2 or not all(isinstance(s, int) and s > 1 for s in size):
            raise UserError(f"generator.size={size} must be rows and columns, such as [224,224], 2 or more of each")
        rows, columns = size
        self.size = (rows, columns)
        frequency = torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)[None])
        amplitude = frequency.clamp_min(1 / max(rows, columns)).pow(-float(decay))
        self.register_buffer("amplitude", amplitude[..., None], persistent=False)
        colours = torch.tensor(COLOUR_CORRELATION)
        self.register_buffer("colours", colours / colours.norm(dim=0).max(), persistent=False)
        self.amplitude: Tensor
        self.colours: Tensor
        self.coefficients = nn.Parameter(float(deviation) * (streams or Streams()).normal(3, *frequency.shape, 2))

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size

    def forward(self) -> Sample:
        spectrum = torch.view_as_complex((self.amplitude * self.coefficients).contiguous())
        values = torch.fft.irfft2(spectrum, s=self.size, norm="ortho") / 4
        images = torch.einsum("rc,nchw->nrhw", self.colours, values).sigmoid()
        return Sample(images, {"coefficients": self.coefficients.flatten(1)})
