"""Whether a map names the pixels that matter: deletion and insertion (Petsiuk et al. 2018, section 4.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from genviz.attribution.rectified import Scores
from genviz.images.pictures import MEAN_COLOUR, colour

_KERNEL, _SIGMA = 11, 5.0  # of the blur, in pixels: the paper's code


class Faithfulness(NamedTuple):
    """Areas under the curves of a value over the share of pixels that are gone, or there."""

    deletion: float
    """The most important pixels become grey first: small is good."""
    insertion: float
    """The most important pixels appear first in a blurred picture: large is good."""


@torch.no_grad()
def faithfulness(
    value: Scores, image: Tensor, importance: Tensor, *, steps: int = 20, at_once: int = 8
) -> Faithfulness:
    """The two areas for one picture, by the trapezoidal rule.

    Args:
        value: maps pictures (n, 3, h, w) to one number each, such as the probability of a class.
        image: RGB in [0, 1], (1, 3, h, w).
        importance: of each pixel, (h, w). Pixels of the same importance go in an order that has no direction.
        steps: equal steps from none of the pixels to all; the paper's have 224 pixels each.
        at_once: pictures in one pass.
    """
    pixels = importance.numel()
    shuffled = torch.randperm(pixels, generator=torch.Generator().manual_seed(0)).to(importance.device)
    order = shuffled[importance.flatten()[shuffled].argsort(descending=True, stable=True)]
    place = torch.empty_like(order)
    place[order] = torch.arange(pixels, device=order.device)
    gone = place.view(1, 1, *importance.shape) < torch.arange(steps + 1, device=order.device).view(-1, 1, 1, 1) * (
        pixels / steps
    )  # (steps + 1, 1, h, w)
    sides = [min(_KERNEL, 2 * side - 1) for side in (image.shape[3], image.shape[2])]  # of the kernel
    blurred = gaussian_blur(image, sides, [_SIGMA, _SIGMA])
    grey = colour(MEAN_COLOUR, image) / 255
    return Faithfulness(
        *(
            float(torch.trapezoid(torch.cat([value(part) for part in pictures.split(at_once)])) / steps)
            for pictures in (torch.where(gone, grey, image), torch.where(gone, image, blurred))
        )
    )
