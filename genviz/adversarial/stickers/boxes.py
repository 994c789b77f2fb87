"""What a detector finds, drawn on the picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from matplotlib.font_manager import findfont
from torch import Tensor
from torchvision.utils import draw_bounding_boxes

from genviz.classifiers.frozen_detector import Detections

SURE = 0.5
"""Of a detection that is drawn: its score is higher."""
_COLOURS = ("#3c6ee6", "#e63c3c", "#148c3c", "#a04fc0", "#c07a1c", "#1c8a9c")
_LEAST = 384  # pixels: smaller pictures are enlarged, so that the labels can be read


def drawn_boxes(image: Tensor, found: Detections, labels: Sequence[str]) -> Tensor:
    """An image with its sure detections, each class in a colour of its own, enlarged by a whole number.

    Args:
        image: RGB in [0, 1], (3, h, w).
        found: in it, in its pixels.
        labels: of all classes.

    Returns:
        RGB bytes (rows, columns, 3).
    """
    scale = -(-_LEAST // min(image.shape[1:]))
    large = F.interpolate(image[None], scale_factor=scale)[0].mul(255).round().to(torch.uint8)
    sure = found.scores > SURE
    numbers = found.labels[sure].tolist()
    if not numbers:
        return large.permute(1, 2, 0)
    colours: list[str | tuple[int, int, int]] = [_COLOURS[number % len(_COLOURS)] for number in numbers]
    scores = found.scores[sure].tolist()
    drawn = draw_bounding_boxes(
        large,
        scale * found.boxes[sure].cpu(),
        [f"{labels[number]} {score:.2f}" for number, score in zip(numbers, scores, strict=True)],
        colours,
        width=4,
        font=findfont("DejaVu Sans"),  # which matplotlib brings along
        font_size=24,
        label_colors="white",
        label_background_colors=colours,
        fill_labels=True,
    )
    return drawn.permute(1, 2, 0)
