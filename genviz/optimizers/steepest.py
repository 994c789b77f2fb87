"""Steps of a fixed norm in the steepest direction: the attacks' optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from genviz.errors import UserError

_TINY = 1e-10


class Steepest(Optimizer):
    """x <- x - lr d for each image, with d the direction in which the loss rises most for steps of norm 1.

    An image is a row of a parameter; of a network's weights, each row is taken by itself.

    With the largest absolute value as norm, d is the gradient's sign (Goodfellow et al. 2015); with the Euclidean norm,
    the gradient divided by it. With a momentum mu, d is that of g <- mu g + gradient / mean |gradient| (Dong et al.
    2018, Eq. 6; there the sum in place of the mean).

    Args:
        params: each (n, ...), for n images.
        lr: norm of a step, in units of the parameters: one number, or one for each image, (n,).
        norm: ``linf`` or ``l2``.
        momentum: mu; 0: none.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float | Tensor = 2 / 255,
        norm: Literal["linf", "l2"] = "linf",
        momentum: float = 0.0,
    ) -> None:
        if isinstance(lr, bool) or not isinstance(lr, Real | Tensor):
            raise UserError(f"optimizer.lr={'null' if lr is None else lr} must be a number")
        if not bool((torch.as_tensor(lr) >= 0).all()):
            raise UserError(f"optimizer.lr={lr} must be 0 or more")
        if str(norm) not in ("linf", "l2"):
            raise UserError(f"optimizer.norm={norm} is unknown; it takes linf or l2")
        if momentum < 0:
            raise UserError(f"optimizer.momentum={momentum} must be 0 or more")
        super().__init__(params, {"lr": lr, "norm": str(norm), "momentum": float(momentum)})

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
                    x.sub_(_per_image(group["lr"], x) * self._direction(x, group["norm"], group["momentum"]))
        return loss

    def _direction(self, x: nn.Parameter, norm: str, momentum: float) -> Tensor:
        gradient = x.grad
        assert gradient is not None
        if momentum:
            gradient = gradient / _spread(gradient.abs().reshape(len(x), -1).mean(1), x).clamp_min(
                torch.finfo(x.dtype).tiny
            )
            if "sum" in self.state[x]:
                gradient = gradient + momentum * self.state[x]["sum"]
            self.state[x]["sum"] = gradient
        if norm == "linf":
            return gradient.sign()
        return gradient / (_spread(gradient.reshape(len(x), -1).norm(dim=1), x) + _TINY)


def _per_image(lr: float | Tensor, x: Tensor) -> float | Tensor:
    return _spread(lr.to(x), x) if isinstance(lr, Tensor) and lr.ndim else lr


def _spread(values: Tensor, x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.ndim - 1))
