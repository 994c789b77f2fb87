"""Gradient steps of fixed length."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from genviz.errors import UserError


class NormalizedAscent(Optimizer):
    """x <- x - lr g / mean |g|, for each image separately: DeepDream's step (Mordvintsev et al. 2015; Kocur's lecture).

    Ascent on the score, since the loss is its negative.

    Args:
        params: each (n, ...), for n images.
        lr: mean absolute change of a value per step; 1.5 of 255 in DeepDream.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float = 1.5) -> None:
        if not lr > 0:
            raise UserError(f"lr={lr} must be above 0")
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
                    size = x.grad.abs().reshape(len(x), -1).mean(1).clamp_min(1e-12)
                    x.sub_(group["lr"] * x.grad / size.view(-1, *[1] * (x.ndim - 1)))
        return loss
