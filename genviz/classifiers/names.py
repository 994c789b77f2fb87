"""The papers' layer names, for networks that have them: conv1_1, relu1_1, ... pool5, fc6, ... fc8."""

from __future__ import annotations

from torch import nn

_PLAIN = {nn.Conv2d: "conv", nn.BatchNorm2d: "bn", nn.ReLU: "relu", nn.MaxPool2d: "pool", nn.Linear: "fc"}


def paper_names(architecture: str, network: nn.Module) -> dict[str, str]:
    """The papers' layer names by module name, for the modules of ``network`` that have one."""
    if architecture.startswith("vgg"):
        return _vgg(network)
    if architecture == "alexnet":
        return _alexnet(network)
    if architecture.startswith("squeezenet"):
        return _squeezenet(network)
    return {}


def vgg_convolutions(count: int) -> tuple[str, ...]:
    """The convolutions of the VGG with ``count`` of them; () if there is none (Simonyan & Zisserman 2014, Table 1)."""
    blocks = {8: (1, 1, 2, 2, 2), 10: (2, 2, 2, 2, 2), 13: (2, 2, 3, 3, 3), 16: (2, 2, 4, 4, 4)}.get(count, ())
    return tuple(f"conv{block}_{number}" for block, last in enumerate(blocks, 1) for number in range(1, last + 1))


def _vgg(network: nn.Module) -> dict[str, str]:
    """Blocks end at a pool; within a block, each convolution starts a new number (Simonyan & Zisserman 2014)."""
    names, block, number = {}, 1, 0
    for index, module in enumerate(_children(network, "features")):
        number += isinstance(module, nn.Conv2d)
        kind = _PLAIN[type(module)]
        names[f"features.{index}"] = f"pool{block}" if kind == "pool" else f"{kind}{block}_{number}"
        if kind == "pool":
            block, number = block + 1, 0
    return names | _fully_connected(network, first=6)


def _alexnet(network: nn.Module) -> dict[str, str]:
    """Each convolution starts a new number (Krizhevsky et al. 2012)."""
    names, number = {}, 0
    for index, module in enumerate(_children(network, "features")):
        number += isinstance(module, nn.Conv2d)
        names[f"features.{index}"] = f"{_PLAIN[type(module)]}{number}"
    return names | _fully_connected(network, first=6)


def _squeezenet(network: nn.Module) -> dict[str, str]:
    """Convolutions and fire modules share one count, conv1, fire2, ... conv10 (Iandola et al. 2016, Table 1)."""
    names, number = {}, 0
    for group in ("features", "classifier"):
        for index, module in enumerate(_children(network, group)):
            fire = type(module).__name__ == "Fire"
            number += fire or isinstance(module, nn.Conv2d)
            kind = "fire" if fire else "pool" if isinstance(module, nn.AdaptiveAvgPool2d) else _PLAIN.get(type(module))
            if kind:
                names[f"{group}.{index}"] = f"{kind}{number}"
    return names


def _fully_connected(network: nn.Module, first: int) -> dict[str, str]:
    names, number = {}, first - 1
    for index, module in enumerate(_children(network, "classifier")):
        number += isinstance(module, nn.Linear)
        if type(module) in _PLAIN:
            names[f"classifier.{index}"] = f"{_PLAIN[type(module)]}{number}"
    return names


def _children(network: nn.Module, group: str) -> list[nn.Module]:
    return list(network.get_submodule(group).children())
