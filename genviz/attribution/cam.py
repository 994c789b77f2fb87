"""A layer's activations, weighted by what each channel does to the score: CAM, Grad-CAM, contributions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from genviz.attribution.rectified import guided_backpropagation
from genviz.attribution.score import Score
from genviz.errors import UserError
from genviz.interfaces import Layer

_TOLERANCE = 1e-3
_NO_PLACES = "no layer before {} has positions to make a map of; choose method=saliency"


def gradcam(score: Score, images: Tensor, layer: Layer | None) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, Eq. 1 and 2).

    ReLU of the channels' sum, each weighted by the mean of the score's derivatives with respect to it, enlarged
    bilinearly.

    Args:
        score: of the target.
        images: RGB in [0, 1], (n, 3, h, w).
        layer: one with positions, before the target.

    Returns:
        (n, h, w), not negative.

    Raises:
        UserError: the layer has no positions, or the score does not depend on it.
    """
    _, maps, slopes = _slopes(score, images, layer)
    return _enlarged((slopes.mean((2, 3), keepdim=True) * maps).sum(1).clamp_min(0), images)


def guided_gradcam(score: Score, images: Tensor, layer: Layer | None) -> Tensor:
    """Guided backpropagation, pixel by pixel times Grad-CAM (Selvaraju et al. 2017, section 3.2), (n, 3, h, w)."""
    return guided_backpropagation(score, images) * gradcam(score, images, layer)[:, None]


def cam(score: Score, images: Tensor, pooled: Layer | None) -> Tensor:
    """The class activation map (Zhou et al. 2016, Eq. 2), for a score that is a linear function of a layer's means.

    Args:
        score: of the target.
        images: RGB in [0, 1], (n, 3, h, w).
        pooled: the layer before the global average pooling.

    Returns:
        (n, h, w), signed: the score's share of each position, but for its constant part; enlarged bilinearly.

    Raises:
        UserError: there is no global average pooling followed by one linear layer between this layer and the target.
    """
    if pooled is None:
        raise UserError(_NO_PLACES.format(score.target))
    noise = torch.rand(1, *images.shape[1:], generator=torch.Generator().manual_seed(0)).to(images)
    probes = torch.cat([noise, torch.zeros_like(noise), torch.ones_like(noise)])
    each = [_slopes(score, image, pooled) for image in torch.cat([images, probes]).split(1)]  # some take no more
    scores, maps, slopes = (torch.cat(parts) for parts in zip(*each, strict=True))
    weighted = slopes * maps
    rest = scores - weighted.sum((1, 2, 3))  # the bias, and what does not come through this layer
    scale = _TOLERANCE * scores.abs().amax().clamp_min(weighted.abs().sum((1, 2, 3)).amax())
    same = (slopes - slopes[:1].mean((2, 3), keepdim=True)).abs().amax() <= _TOLERANCE * slopes.abs().amax()
    if not same or (rest - rest[0]).abs().amax() > scale:
        raise UserError(
            f"method=cam needs a global average pooling followed by one linear layer after {pooled.name}, and this "
            "network has none; choose method=gradcam, which is the same where there is one"
        )
    return _enlarged(weighted[: len(images)].sum(1), images)


def contributions(score: Score, images: Tensor, layer: Layer | None) -> Tensor:
    """How much each channel of a layer contributes: its activation times the score's derivative, summed over positions.

    That is, to first order, what the score would lose without the channel (Despraz et al. 2017, section 5.3).

    Returns:
        (n, c), in units of the score.

    Raises:
        UserError: the layer has no positions, or the score does not depend on it.
    """
    _, maps, slopes = _slopes(score, images, layer)
    return (maps * slopes).sum((2, 3))


def has_places(layer: Layer) -> bool:
    """Whether the layer's activations lie at positions, rows and columns."""
    return len(layer.shape) == 3 and max(layer.shape[1:]) > 1


def _slopes(score: Score, images: Tensor, layer: Layer | None) -> tuple[Tensor, Tensor, Tensor]:
    """The scores (n,), the layer's maps (n, c, h, w), and the scores' derivatives with respect to them."""
    if layer is None:
        raise UserError(_NO_PLACES.format(score.target))
    if not has_places(layer):
        raise UserError(f"layer={layer.name} has no positions to make a map of; choose a convolution, or its ReLU")
    with torch.enable_grad():
        scores, maps = score.with_layer(images.detach().requires_grad_(), layer.name)
        (slopes,) = torch.autograd.grad(scores.sum(), maps, allow_unused=True)
    if slopes is None:
        raise UserError(f"{score.target} does not depend on {layer.name}; choose a layer before it")
    return scores.detach(), maps.detach(), slopes


def _enlarged(maps: Tensor, images: Tensor) -> Tensor:
    return F.interpolate(maps[:, None], images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
