"""Random boxes of each image, enlarged."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from genviz.errors import UserError
from genviz.transforms.transform import Transform, is_pair


class RandomBoxes(Transform):
    """Square boxes of each image, smaller and smaller, each resized to the classifier's input (Fel et al. 2023).

    As in the published code (xplique), a box's centre is N(1/2, 0.15) and its side N(s, 0.05), clamped to [0.05, 1], as
    fractions of the image's sides; s moves linearly from the first share to the last. Outside the image is mid-grey.

    Args:
        boxes: per image and update.
        size: rows and columns that each box is resized to, bilinearly; None for those of the image.
        shares: s at the first and at the last update.
        updates: over which s changes.
    """

    def __init__(self, *, boxes: int, size: tuple[int, int] | None, shares: tuple[float, float], updates: int) -> None:
        super().__init__()
        if not isinstance(boxes, int) or boxes < 1 or not isinstance(updates, int) or updates < 1:
            raise UserError(f"transform: boxes={boxes} and updates={updates} must be whole numbers, 1 or more")
        if size is not None and not (is_pair(size) and all(isinstance(side, int) and side > 0 for side in size)):
            raise UserError(
                f"transform: size={size} must be a box's rows and columns, [224,224], or null for the image's"
            )
        if not is_pair(shares) or not all(0 < share <= 1 for share in shares):
            raise UserError(
                f"transform: shares={shares} must be a box's side at the first and at the last update, each above 0 "
                "and at most 1"
            )
        self.boxes, self.size, self.shares, self.updates = boxes, size and tuple(size), tuple(shares), updates

    def forward(self, images: Tensor) -> Tensor:
        """Cut ``images`` (n, 3, h, w) into (n * boxes, 3, *size), the boxes of an image next to each other."""
        count = len(images)
        rows, columns = self.size or images.shape[2:]
        first, last = self.shares
        share = first + (last - first) * min(1.0, self.update / max(1, self.updates - 1))
        boxes = self.boxes * (count // len(self.streams))  # of a stream's images, if they are views themselves
        centres = 0.3 * self.streams.normal(boxes, 2, 1).flatten(0, 1)  # in coordinates from -1 to 1
        sides = (share + 0.05 * self.streams.normal(boxes).flatten()).clamp(0.05, 1)
        motion = torch.cat([sides[:, None, None] * torch.eye(2, device=sides.device), centres], 2).to(
            images
        )  # (n * boxes, 2, 3)
        grid = F.affine_grid(motion, [len(motion), 3, rows, columns], align_corners=True)
        grid = grid.unflatten(0, (count, self.boxes)).flatten(1, 2)  # (n, boxes * rows, columns, 2)
        seen = 0.5 + F.grid_sample(images - 0.5, grid, align_corners=True)  # zeros outside
        return seen.unflatten(2, (self.boxes, rows)).transpose(1, 2).flatten(0, 1)
