"""Gradient descent for natural pre-images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from genviz.errors import UserError


class PreImage(Optimizer):
    """Algorithm 1 of Mahendran & Vedaldi (2016), AdaGrad with a short memory and momentum:

        G <- rho G + g^2
        mu <- rho mu - g / (1 / eta + sqrt G)
        x <- P(x + mu)

    P rescales each pixel's colour vector to a length of at most B+. The paper's energies are divided by h w, and its
    code multiplies eta by h w; so does this one.

    Args:
        params: images x (n, 3, h, w), or grey ones (n, 1, h, w), in 0-255 minus the mean colour.
        lr: eta_0, before the multiplication by h w; 0.01 B^2 / alpha in the paper.
        rho: decay of both memories.
        bound: B+; None for no projection.
        until: the step at which the rate drops to a tenth and the momentum restarts, as in the second stage of the
            paper's code; None for never.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.01 * 80**2 / 6,
        rho: float = 0.9,
        bound: float | None = 160.0,
        until: int | None = None,
    ) -> None:
        if not lr > 0 or not 0 <= rho < 1 or not (bound is None or bound > 0):
            raise UserError(f"optimizer: lr={lr} and bound={bound} must be above 0, and rho={rho} from 0 to below 1")
        if until is not None and (not isinstance(until, int) or isinstance(until, bool) or until < 0):
            raise UserError(f"optimizer.until={until} must be a whole number of steps, or null for never")
        super().__init__(params, {"lr": float(lr), "rho": float(rho), "bound": bound, "until": until})

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
                    self._move(x, group)
        return loss

    def _move(self, x: Tensor, group: dict[str, Any]) -> None:
        state, gradient, rho = self.state[x], x.grad, group["rho"]
        assert gradient is not None
        if not state:
            state["squares"], state["momentum"] = torch.zeros_like(x), torch.zeros_like(x)
            state["step"] = 0
        late = group["until"] is not None and state["step"] >= group["until"]
        if state["step"] == group["until"]:
            state["momentum"].zero_()
        state["step"] += 1
        state["squares"].mul_(rho).addcmul_(gradient, gradient)
        rate = (0.1 if late else 1.0) * group["lr"] * (x.shape[-2] * x.shape[-1] if _is_image(x) else 1)
        state["momentum"].mul_(rho).sub_(gradient / (1 / rate + state["squares"].sqrt()))
        x.add_(state["momentum"])
        if group["bound"] is not None and _is_image(x):
            lengths = x.square().sum(1, keepdim=True).sqrt()  # on a CPU, forty times as fast as torch's norm
            x.mul_((group["bound"] / lengths.clamp_min(1e-12)).clamp_max(1))


def _is_image(x: Tensor) -> bool:
    return x.ndim == 4 and x.shape[1] in (1, 3)
