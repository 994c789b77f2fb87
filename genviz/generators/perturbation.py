"""The generator whose parameters are a picture within reach of a given one: a perturbation."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.generators.pixels import picture_of, size_of
from genviz.images.pictures import resize
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Sample

Norm = Literal["linf", "l2"]
NORMS = ("linf", "l2")
_LEVELS = 255
_SLACK = 1e-3  # of a level: what 8/255 may lose in single precision


class Perturbation(Generator):
    """Pictures that differ from the given ones by no more than epsilon.

    The parameters are the pictures themselves. After each update they are projected: onto the ball around the given
    pictures, then onto [0, 1] (projected gradient descent; Madry et al. 2018). The given pictures are rounded to 8
    bits, and in ``eval`` mode the images are what a PNG can hold: rounded towards the given pictures where rounding
    would leave the ball.

    Args:
        image: the picture's file; or RGB in [0, 1], (n, 3, h, w), one for each stream or for all.
        size: rows and columns that the pictures are resized to; None: theirs.
        epsilon: the largest norm of a perturbation, in units of [0, 1]: one number, or one for each picture, (n,).
        norm: ``linf``, the largest absolute value; or ``l2``, the Euclidean norm of all values.
        start: ``zero``, the given pictures; or ``random``, as the projected gradient begins: uniform in the ball of
            ``linf``, or for ``l2`` in a random direction, at a distance uniform up to epsilon.
        streams: random streams, one per image.

    Raises:
        UserError: a setting is unknown, or the picture cannot be read.

    >>> import torch
    >>> from genviz.generators.perturbation import Perturbation
    >>> perturbation = Perturbation(image=torch.rand(1, 3, 8, 8), epsilon=8 / 255, start="random")
    >>> float((perturbation().images - perturbation.original).abs().max()) <= 8 / 255
    True
    """

    holds_many = True

    def __init__(
        self,
        *,
        image: str | Tensor | None,
        size: tuple[int, int] | int | None = None,
        epsilon: float | Tensor = 8 / 255,
        norm: Norm = "linf",
        start: Literal["zero", "random"] = "zero",
        streams: Streams | None = None,
    ) -> None:
        super().__init__()
        streams = streams or Streams()
        self.norm: Norm = norm
        if norm not in NORMS:
            raise UserError(f"generator.norm={norm} is unknown; it takes {' or '.join(NORMS)}")
        if start not in ("zero", "random"):
            raise UserError(f"generator.start={start} is unknown; it takes zero or random")
        picture = picture_of(image) if isinstance(image, str | Tensor) else None
        if picture is None:
            raise UserError(f"generator.image={image} must be a picture's file: image=FILE")
        picture = resize(picture, size_of(size, picture))
        picture = (_LEVELS * picture.clamp(0, 1)).round() / _LEVELS
        self.register_buffer("original", picture.expand(len(streams), -1, -1, -1).clone(), persistent=False)
        reach = torch.as_tensor(epsilon, dtype=picture.dtype).expand(len(streams)).view(-1, 1, 1, 1)
        if not bool((reach >= 0).all()):
            raise UserError(f"generator.epsilon={epsilon} must be 0 or more")
        self.register_buffer("epsilon", reach.clone(), persistent=False)
        self.original: Tensor
        self.epsilon: Tensor
        self.values = nn.Parameter(self.original.clone())
        if start == "random":
            with torch.no_grad():
                self.values.add_(_in_ball(streams, self.epsilon, self.norm, tuple(picture.shape[1:]))).clamp_(0, 1)

    @property
    def image_size(self) -> tuple[int, int]:
        rows, columns = self.original.shape[2:]
        return rows, columns

    def forward(self) -> Sample:
        images = self.values if self.training else self.written()
        return Sample(images, {"perturbation": self.values - self.original})

    @torch.no_grad()
    def constrain(self) -> None:
        """Project onto the ball, and onto [0, 1]."""
        away = self.values - self.original
        if self.norm == "linf":
            away = torch.maximum(torch.minimum(away, self.epsilon), -self.epsilon)
        else:
            away = away * (self.epsilon / _length(away).clamp_min(1e-12)).clamp(max=1)
        self.values.copy_((self.original + away).clamp(0, 1))

    @torch.no_grad()
    def written(self) -> Tensor:
        """The pictures in steps of 1/255, still in the ball."""
        base = (_LEVELS * self.original).round()
        away = _LEVELS * self.values - base
        reach = _LEVELS * self.epsilon
        if self.norm == "linf":
            most = (reach + _SLACK).floor()
            away = torch.maximum(torch.minimum(away.round(), most), -most)
        else:
            away = _within(away, reach)
        return (base + away).clamp(0, _LEVELS) / _LEVELS


def _within(away: Tensor, reach: Tensor) -> Tensor:
    """Whole numbers near ``away`` (n, c, h, w) of a Euclidean norm of at most ``reach``.

    All are rounded towards 0; then as many of those that lost most as fit are rounded up.
    """
    lower = away.trunc()
    lost = (away - lower).abs().flatten(1)
    cost = (2 * lower.abs() + 1).flatten(1)  # of one more, squared
    order = lost.argsort(dim=1, descending=True, stable=True)
    room = (reach + _SLACK).square().flatten(1) - lower.square().flatten(1).sum(1, keepdim=True)
    fits = (cost.gather(1, order).double().cumsum(1) <= room) & (lost.gather(1, order) >= 0.5)
    up = torch.zeros_like(fits).scatter(1, order, fits).view_as(away)
    return torch.where(up, lower + away.sign(), lower)


def _in_ball(streams: Streams, epsilon: Tensor, norm: Norm, shape: tuple[int, ...]) -> Tensor:
    if norm == "linf":
        return epsilon * streams.uniform(-1, 1, *shape).to(epsilon)
    direction, radius = streams.normal(*shape).to(epsilon), streams.uniform(0, 1, 1, 1, 1).to(epsilon)
    return epsilon * radius * direction / _length(direction)


def _length(values: Tensor) -> Tensor:
    return values.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
