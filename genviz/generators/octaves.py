"""DeepDream's octaves: a picture that is trained at one size after another, the smallest first."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.generators.pixels import Pixels
from genviz.images.pictures import resize
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Sample

_SMALLEST = 32  # pixels; anything smaller shows a network nothing


class Octaves(Generator):
    """The picture in a series of sizes, each ``scale`` times the one before (Mordvintsev et al. 2015; Kocur 2021).

    The smallest is trained for ``steps`` updates; its difference from the picture at that size is enlarged and added to
    the picture at the next size, which is then trained. The last size gets all remaining updates.

    Args:
        start, size, noise, range: of the largest size, as for `Pixels`.
        octaves: number of sizes; 4 in DeepDream. Those under 32 pixels are left out.
        scale: ratio of one size to the one before; 1.4 in DeepDream.
        steps: updates per size; 10 in DeepDream.
        streams: random streams, one per image.

    Raises:
        UserError: a setting is unknown, or the picture cannot be read.
    """

    holds_many = True

    def __init__(
        self,
        *,
        size: tuple[int, int] | int | None = None,
        start: str | Tensor = "grey",
        noise: float = 0.0,
        range: str = "clipped",
        octaves: int = 4,
        scale: float = 1.4,
        steps: int = 10,
        streams: Streams | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("octaves", octaves), ("steps", steps)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"generator.{name}={value} must be a whole number, 1 or more")
        if not scale > 1:
            raise UserError(f"generator.scale={scale} must be above 1: each octave is larger than the one before")
        if range == "sigmoid":
            raise UserError("generator.range=sigmoid does not work with octaves; use open or clipped")
        largest = Pixels(size=size, start=start, noise=noise, range=range, streams=streams)  # type: ignore[arg-type]
        self.size, self.steps = largest.size, steps
        sizes = _sizes(self.size, octaves, scale)
        with torch.no_grad():
            picture = largest().images
        pictures = [resize(picture, each) for each in sizes]
        for number, own in enumerate(pictures):
            self.register_buffer(f"picture_{number}", own, persistent=False)
        self.octaves = nn.ModuleList(
            Pixels(size=each, start=first, noise=0.0, range=range)  # type: ignore[arg-type]
            for each, first in zip(sizes, pictures, strict=True)
        )

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size

    @property
    def smallest_size(self) -> tuple[int, int]:
        return self._octave(0).size

    def forward(self) -> Sample:
        update = int(self.update)
        place = min(update // self.steps, len(self.octaves) - 1)
        octave = self._octave(place)
        if self.training:
            if place and update == place * self.steps:
                self._hand_on(place)
            return octave()
        with torch.no_grad():
            return Sample(resize(self._whole(place), self.size), octave().parameters)

    @torch.no_grad()
    def _hand_on(self, place: int) -> None:
        """Start an octave from its picture plus the gain of the one before."""
        octave, before = self._octave(place), self._octave(place - 1)
        gained = before().images - self._picture(place - 1).to(before.values)
        first = self._picture(place).to(octave.values) + resize(gained, octave.size)
        octave.values.copy_(255 * first - octave.mean)

    def _whole(self, place: int) -> Tensor:
        """The full-size picture plus the octave's gain."""
        octave = self._octave(place)
        images = octave().images
        if octave.size == self.size:
            return images
        gained = images - self._picture(place).to(images)
        return (self._picture(len(self.octaves) - 1).to(images) + resize(gained, self.size)).clamp(0, 1)

    def _picture(self, place: int) -> Tensor:
        """What an octave starts from."""
        return self.get_buffer(f"picture_{place}")

    def _octave(self, place: int) -> Pixels:
        octave = self.octaves[place]
        assert isinstance(octave, Pixels)
        return octave


def _sizes(largest: tuple[int, int], octaves: int, scale: float) -> list[tuple[int, int]]:
    sizes: list[tuple[int, int]] = []
    for down in range(octaves):
        size = round(largest[0] / scale**down), round(largest[1] / scale**down)
        if min(size) < _SMALLEST:
            break
        sizes.insert(0, size)
    return sizes or [largest]
