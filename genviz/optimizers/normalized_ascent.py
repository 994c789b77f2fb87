"""Gradient steps of fixed length."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from genviz.errors import UserError


class NormalizedAscent(Optimizer):
    """x <- x - lr g / size, for each image separately, where size is mean |g| or the root of mean g^2.

    The first is DeepDream's step (Mordvintsev et al. 2015; Kocur's lecture), the second Chollet's (2016), with 1e-5
    added to the size, as Réda & Xu (2018) use it.

    Ascent on the score, since the loss is its negative.

    Args:
        params: each (n, ...), for n images.
        lr: mean absolute change of a value per step, or its root mean square; 1.5 of 255 in DeepDream.
        by: what the gradient is divided by, ``mean`` or ``rms``.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float = 1.5, by: Literal["mean", "rms"] = "mean") -> None:
        if not lr > 0:
            raise UserError(f"optimizer.lr={lr} must be above 0")
        if by not in ("mean", "rms"):
            raise UserError(f"optimizer.by={by} is unknown; it takes mean, rms")
        self.by = by
        super().__init__(params, {"lr": float(lr)})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for x in group["params"]:
                if x.grad is not None:
                    g = x.grad.reshape(len(x), -1)
                    size = g.abs().mean(1).clamp_min(1e-12) if self.by == "mean" else g.square().mean(1).sqrt() + 1e-5
                    x.sub_(group["lr"] * x.grad / size.view(-1, *[1] * (x.ndim - 1)))
        return loss
