"""The input space of networks that were trained on pictures stretched to [0, 1] one by one."""

from __future__ import annotations

from torch import Tensor

from genviz.classifiers.input_space import InputSpace


class Stretched(InputSpace):
    """As `InputSpace`, then (x - min) / (max - min), over all values of each picture (Réda & Xu 2018, their code).

    A picture of a single colour becomes one of the differences between the means, or black.

    Args:
        channels, scale, mean, std: as for `InputSpace`.
    """

    mean_kind = "mean, and then stretched to [0, 1],"

    def forward(self, images: Tensor) -> Tensor:
        """Map RGB ``images`` (n, 3, h, w) to the network's input, (n, 3, h, w), in [0, 1]."""
        inputs = super().forward(images)
        low, high = inputs.amin((1, 2, 3), keepdim=True), inputs.amax((1, 2, 3), keepdim=True)
        return (inputs - low) / (high - low).clamp_min(1e-7)
