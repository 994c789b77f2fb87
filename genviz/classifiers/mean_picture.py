"""The input space of networks that subtract a picture, the mean of those that they were trained on."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from genviz.classifiers.input_space import InputSpace
from genviz.errors import UserError
from genviz.images.pictures import resize


class MeanPicture(InputSpace):
    """255 x - mean, where the mean has a value of its own for each pixel.

    For inputs of another size, the picture is resized to theirs.

    Args:
        picture: (3, h, w), 0 to 255, its channels in the order ``channels``.
        channels: the order in which the network takes them.

    Attributes:
        settings: as of `InputSpace`, with the mean colour of the picture.

    Raises:
        UserError: it is no such picture.
    """

    mean_kind = "mean picture, on average"

    def __init__(self, picture: Tensor, *, channels: Literal["RGB", "BGR"]) -> None:
        if picture.ndim != 3 or len(picture) != 3 or not picture.numel() or not picture.isfinite().all():
            raise UserError(f"a mean picture has three channels and finite values; this has shape {[*picture.shape]}")
        colour = picture.double().mean((1, 2))
        super().__init__(channels=channels, scale=255.0, mean=colour.tolist())
        self.beside: Tensor
        self.picture = picture
        self.register_buffer("beside", (picture.double() - colour.view(3, 1, 1)).float()[None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map RGB ``images`` (n, 3, h, w) to the network's input, (n, 3, h, w)."""
        inputs = super().forward(images)
        beside = resize(self.beside, (inputs.shape[-2], inputs.shape[-1]))
        return inputs - beside.to(inputs.dtype)
