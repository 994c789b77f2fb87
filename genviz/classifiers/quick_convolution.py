"""Convolutions of a frozen network, computed otherwise than torch would where that is faster on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import get_proxy_mode


class QuickConvolution(nn.Conv2d):
    """`torch.nn.Conv2d` with frozen weights; where its own way does not apply or pay, torch's.

    Its results are in channels last, as torch's are where the weights are.
    """

    @staticmethod
    def suits(layer: nn.Conv2d) -> bool:
        """Whether this kind may stand in for ``layer``."""
        raise NotImplementedError

    def applies(self, input: Tensor) -> bool:
        """Whether ``input`` are maps in float32 on a CPU with MKL, outside autocast and compilers."""
        if type(input) not in (Tensor, nn.Parameter) or get_proxy_mode() is not None:  # compilers have their own ways
            return False
        exact = input.dtype == self.weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        frozen = not self.weight.requires_grad and (self.bias is None or not self.bias.requires_grad)
        return exact and frozen and input.device.type == "cpu" and input.ndim == 4 and torch.backends.mkl.is_available()


def quicken(network: nn.Module, *kinds: type[QuickConvolution]) -> None:
    """Turn those convolutions of ``network`` that gain from it into one of these kinds, in place.

    The network is in channels last. Only the layers' class changes, as in `torch.nn.utils.parametrize`: names, weights
    and hooks stay.
    """
    for module in network.modules():
        if type(module) is nn.Conv2d and isinstance(module.weight, nn.Parameter):
            module.__class__ = next((kind for kind in kinds if kind.suits(module)), nn.Conv2d)
