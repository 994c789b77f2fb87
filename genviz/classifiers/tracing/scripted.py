"""TorchScript's modules, which take no hooks: made part of a network whose layers can be read, as far as they can."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import nn


class Scripted(nn.Module):
    """A scripted module as a layer; what is inside it cannot be read."""

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.script = script

    def __getattr__(self, name: str) -> Any:
        """Also what the scripted module has."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("script"), name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Scripted:  # the scripted module's would return that alone
        return Scripted(copy.deepcopy(self.script, memo))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the scripted module."""
        return self.script(*args, **kwargs)


def opened(network: nn.Module) -> nn.Module:
    """``network`` with its scripted modules as `Scripted`, and scripted `torch.nn.Sequential` as such, in place."""
    if isinstance(network, torch.jit.ScriptModule):
        if getattr(network, "original_name", "") == "Sequential" and any(True for _ in network.children()):
            return nn.Sequential(OrderedDict((name, opened(child)) for name, child in network.named_children()))
        return Scripted(network)
    for parent in list(network.modules()):
        if isinstance(parent, Scripted | torch.jit.ScriptModule):
            continue
        for name, child in parent.named_children():
            if isinstance(child, torch.jit.ScriptModule):
                parent.add_module(name, opened(child))
    return network


def hidden_in(network: nn.Module) -> str:
    """Why some modules cannot be named; '' if all can."""
    scripted = [(name, module.script) for name, module in network.named_modules() if isinstance(module, Scripted)]
    closed = [name for name, script in scripted if list(script.children())]
    if not closed:
        return ""
    return f"{', '.join(name or 'the network' for name in closed[:3])} is scripted, and what is inside cannot be read"
