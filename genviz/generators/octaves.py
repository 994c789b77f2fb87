"""DeepDream's octaves: a picture that is dreamt on small first, and larger and larger."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.generators.pixels import Pixels
from genviz.images.pictures import resize
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Sample

_SMALLEST = 32  # pixels; what is smaller shows a network nothing


class Octaves(Generator):
    """The picture in a series of sizes, each ``scale`` times the one before (Mordvintsev et al. 2015; Kocur 2021).

    For ``steps`` updates the smallest is trained; what it gained over the picture in that size is enlarged and added
    to the picture in the next, which is trained then. The last keeps all updates that are left.

    Args:
        start, size, noise, range: as `Pixels` takes them, of the largest.
        octaves: how many sizes; DeepDream has 4. Those under 32 pixels are left out.
        scale: from one to the next; 1.4 in DeepDream.
        steps: updates of each; 10 in DeepDream.
        streams: of random numbers, one an image.

    Raises:
        UserError: a setting is not known, or the picture cannot be read.
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
                raise UserError(f"generator.{name}={value} is no whole number from 1 up")
        if not scale > 1:
            raise UserError(f"generator.scale={scale}: one octave is larger than the one before, scale above 1")
        if range == "sigmoid":
            raise UserError("generator.range=sigmoid is not for octaves; it is open or clipped")
        largest = Pixels(size=size, start=start, noise=noise, range=range, streams=streams)  # type: ignore[arg-type]
        self.size, self.steps = largest.size, steps
        sizes = _sizes(self.size, octaves, scale)
        with torch.no_grad():
            picture = largest().images
        self.pictures = [resize(picture, each) for each in sizes]
        self.octaves = nn.ModuleList(
            Pixels(size=each, start=first, noise=0.0, range=range)  # type: ignore[arg-type]
            for each, first in zip(sizes, self.pictures, strict=True)
        )

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size

    @property
    def smallest_size(self) -> tuple[int, int]:
        return self._octave(0).size

    def forward(self) -> Sample:
        place = min(self.update // self.steps, len(self.octaves) - 1)
        octave = self._octave(place)
        if self.training:
            if place and self.update == place * self.steps:
                self._hand_on(place)
            return octave()
        with torch.no_grad():
            return Sample(resize(self._whole(place), self.size), octave().parameters)

    @torch.no_grad()
    def _hand_on(self, place: int) -> None:
        """Begin an octave with its picture and what the one before has gained."""
        octave, before = self._octave(place), self._octave(place - 1)
        gained = before().images - self.pictures[place - 1].to(before.values)
        first = self.pictures[place].to(octave.values) + resize(gained, octave.size)
        octave.values.copy_(255 * first - octave.mean)

    def _whole(self, place: int) -> Tensor:
        """The picture in its full size with what the octave has gained."""
        octave = self._octave(place)
        images = octave().images
        if octave.size == self.size:
            return images
        gained = images - self.pictures[place].to(images)
        return (self.pictures[-1].to(images) + resize(gained, self.size)).clamp(0, 1)

    def _octave(self, place: int) -> Pixels:
        octave = self.octaves[place]
        assert isinstance(octave, Pixels)
        return octave


def _sizes(largest: tuple[int, int], octaves: int, scale: float) -> list[tuple[int, int]]:
    shrunk = [scale**down for down in range(octaves - 1, -1, -1)]
    sizes = [(round(largest[0] / by), round(largest[1] / by)) for by in shrunk]
    return [size for size in sizes if min(size) >= _SMALLEST] or [largest]
