"""Maps from gradients with respect to the pixels, by captum."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genviz.attribution.rectified import Scores


def saliency(score: Scores, images: Tensor) -> Tensor:
    """The largest absolute derivative over the colours of each pixel (Simonyan et al. 2014, section 3.1).

    Args:
        score: maps pictures to one number each.
        images: RGB in [0, 1], (n, 3, h, w).

    Returns:
        (n, h, w), not negative.
    """
    from captum.attr import Saliency  # takes seconds

    return Saliency(score).attribute(_leaf(images)).amax(1)


def smoothgrad(
    score: Scores, images: Tensor, *, samples: int = 25, sigma: float = 0.15, seed: int = 0, at_once: int = 8
) -> Tensor:
    """The mean of absolute derivatives over noisy copies of each picture (Smilkov et al. 2017), as `saliency`.

    Args:
        samples: noisy copies of each picture; the paper: 50.
        sigma: standard deviation of the noise, as a share of the picture's range; the paper: 0.1 to 0.2.
        seed: of the noise; each picture has the same. The process' own random state is left as it is.
        at_once: copies in one pass.
    """
    from captum.attr import NoiseTunnel, Saliency

    maps = []
    for image in images.split(1):
        spread = float(image.max() - image.min()) * sigma
        with torch.random.fork_rng(devices=[image.device] if image.is_cuda else []):
            torch.manual_seed(seed)
            made: Any = NoiseTunnel(Saliency(score)).attribute(
                _leaf(image), nt_type="smoothgrad", nt_samples=samples, nt_samples_batch_size=at_once, stdevs=spread
            )
        maps.append(made.amax(1))
    return torch.cat(maps)


def integrated_gradients(
    score: Scores, images: Tensor, *, points: int = 50, baseline: float = 0.0, at_once: int = 8
) -> Tensor:
    """The derivatives along the way from a uniform picture, times what changes on it (Sundararajan et al. 2017).

    They sum to what the score gains on that way.

    Args:
        points: on the way.
        baseline: the grey value of the uniform picture, in [0, 1]; 0: black.
        at_once: of them in one pass.

    Returns:
        (n, h, w), the sum over the colours, signed.
    """
    from captum.attr import IntegratedGradients

    uniform = torch.full_like(images[:1], baseline)
    integral = IntegratedGradients(score)
    maps = [
        integral.attribute(_leaf(image), uniform, n_steps=points, internal_batch_size=at_once)
        for image in images.split(1)
    ]
    return torch.cat(maps).sum(1).detach()


def _leaf(images: Tensor) -> Tensor:
    return images.detach().requires_grad_()
