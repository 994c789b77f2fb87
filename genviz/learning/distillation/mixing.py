"""Mixtures of two pictures, for a student that should see in a mixture what its teacher sees in it."""

from __future__ import annotations

import torch
from torch import Tensor


def mixed(images: Tensor, share: float) -> Tensor:
    """With a chance of ``share``, each of ``images`` (n, 3, h, w) with its neighbour in it: mixup or CutMix."""
    chance = float(torch.rand(()))
    others = images.roll(1, 0)
    if chance < share / 2:
        weight = 0.5 + 0.5 * torch.rand(len(images), 1, 1, 1).to(images)
        return images * weight + others * (1 - weight)
    if chance < share:
        side = images.shape[-1]
        height, width = (int(side * (0.3 + 0.4 * float(torch.rand(())))) for _ in range(2))
        top, left = (int(torch.randint(0, side - extent, ())) for extent in (height, width))
        images = images.clone()
        images[..., top : top + height, left : left + width] = others[..., top : top + height, left : left + width]
    return images


def mixed_lessons(features: Tensor, answers: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """A ``share`` of ``features`` (n, c, h, w) mixed with another's, and the ``answers`` (n, classes) alike.

    The answers are probabilities; a mixture gets the mixture of both (Verma et al. 2019, Manifold Mixup).
    """
    if not share:
        return features, answers
    weight = 1 - 0.5 * torch.rand(len(features), device=features.device) * among(len(features), share, features)
    order = torch.randperm(len(features), device=features.device)
    maps, rows = weight.view(-1, 1, 1, 1), weight.view(-1, 1)
    return features[order].lerp(features, maps), answers[order].lerp(answers, rows)


def among(count: int, share: float, like: Tensor) -> Tensor:
    """A random selection from ``count``, each with a chance of ``share``; on the device of ``like``."""
    return torch.rand(count, device=like.device) < share
