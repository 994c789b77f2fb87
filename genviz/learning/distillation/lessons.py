"""What heads on a frozen network learn from: the network's features of crops, and a teacher's scores for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.heads import Join
from genviz.errors import UserError
from genviz.images.pictures import resize
from genviz.learning.distillation.mixing import mixed
from genviz.learning.distillation.teachers import Teachers


class Lesson(NamedTuple):
    """Several crops, as heads learn from them."""

    features: Tensor
    """Of the frozen network, (n, c, h, w)."""

    scores: Tensor
    """The teachers', (n, classes)."""


class Lessons(nn.Module):
    """Makes `Lesson`\\ s of crops; nothing in it is trained.

    Args:
        trunk: the frozen network under the heads.
        layers: those of its layers that the heads read, `Join`\\ ed.
        teachers: see the crops without noise, at their input sizes.
        examiners: the same at their best input sizes, for whole pictures.
        sizes: input sizes of the trunk to choose from, in pixels.
        final_size: its input size for whole pictures, in pixels.
        mix: the share of batches that are mixed: half by mixup, half by CutMix; see
            `genviz.learning.distillation.mixing.mixed`.
        noise: largest standard deviation of Gaussian noise on the trunk's input, in units of [0, 1]; each crop draws
            its own.

    Raises:
        UserError: the trunk has no such layers, or no maps there, or cannot process pictures of these sizes.
    """

    def __init__(
        self,
        *,
        trunk: FrozenClassifier,
        layers: Sequence[str],
        teachers: Teachers,
        examiners: Teachers,
        sizes: Sequence[int],
        final_size: int,
        mix: float = 0.5,
        noise: float = 0.1,
    ) -> None:
        super().__init__()
        if not 0 <= mix <= 1:
            raise ValueError(f"mix={mix} must be a share from 0 to 1")
        if not noise >= 0:
            raise ValueError(f"noise={noise} is below 0")
        known = {layer.name: layer.shape for layer in trunk.outline.layers if len(layer.shape) == 3}
        if not layers or (unknown := [layer for layer in layers if layer not in known]):
            wrong = f"the trunk has no maps {unknown[0]}" if layers else "name one or more of the trunk's"
            raise UserError(f"student.layers: {wrong}; there are {', '.join(known)}")
        if not isinstance(sizes, list | tuple) or not sizes or not all(map(_are_pixels, sizes)):
            raise UserError(f"distillation.sizes={sizes} must be a list of pixels, such as [112,128,160]")
        if not _are_pixels(final_size):
            raise UserError(f"student.input_size={final_size} must be a whole number of pixels above 0")
        self.trunk, self.teachers, self.examiners, self.join = trunk, teachers, examiners, Join()
        self.layers, self.sizes, self.final_size = tuple(layers), tuple(sizes), final_size
        self.mix, self.noise = mix, noise
        self.trunk.outline = trunk.outline._replace(resizes=False)
        self.classes = len(teachers.labels)
        self.channels = max(self.shape(size)[0] for size in (*sizes, final_size))  # the same for each

    def forward(self, crops: Tensor, size: int | None = None) -> Lesson:
        """The lesson of ``crops`` (n, 3, h, w) of bytes, mixed and with noise; uses torch's random numbers.

        Args:
            size: input size of the trunk, in pixels; None: one of the ``sizes``.
        """
        if size is None:
            size = self.sizes[int(torch.randint(len(self.sizes), ()))]
        images = mixed(crops.float() / 255, self.mix)
        inputs = resize(images, (size, size))
        if self.noise:
            sigma = self.noise * torch.rand(len(inputs), 1, 1, 1, device=inputs.device)
            inputs = inputs + sigma * torch.randn_like(inputs)
        return self._lesson(inputs, images, self.teachers)

    def whole(self, pictures: Tensor) -> Lesson:
        """The lesson of whole ``pictures`` (n, 3, h, w) of bytes, unchanged."""
        images = pictures.float() / 255
        return self._lesson(resize(images, (self.final_size, self.final_size)), images, self.examiners)

    @torch.no_grad()
    def features(self, inputs: Tensor) -> Tensor:
        """The heads' input for RGB ``inputs`` (n, 3, h, w) in [0, 1]: (n, c, h / stride, w / stride)."""
        seen = self.trunk(inputs, self.layers)
        maps = [seen[layer] for layer in self.layers]
        return maps[0] if len(maps) == 1 else self.join(*maps)

    @torch.no_grad()
    def _lesson(self, inputs: Tensor, images: Tensor, teachers: Teachers) -> Lesson:
        return Lesson(self.features(inputs).float(), teachers(images))

    def shape(self, size: int) -> torch.Size:
        """The shape of the features of a crop of ``size`` by ``size`` pixels: channels, rows and columns.

        Raises:
            UserError: the trunk needs more pixels.
        """
        inputs = torch.zeros(1, 3, size, size, device=next(self.trunk.parameters()).device)
        try:
            return self.features(inputs).shape[1:]
        except RuntimeError as error:
            raise UserError(f"{size} x {size} pixels are too small for the student's trunk") from error


def _are_pixels(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
