"""Every layer of many architectures: each can be named, and a filter of it trains its own channel and no other.

    python benchmarks/architectures.py                 # all whose package is installed
    python benchmarks/architectures.py swin_t vit_b_16 # some
    python benchmarks/architectures.py --every 10      # every tenth layer

Networks have random weights and small inputs. Of each layer, a channel is chosen (seeded); the target has to name that
layer, the gradient of the target with respect to the module's own output has to lie in one slice of one dimension, as
large as the layer has channels, and five updates have to change the picture. Exit status 1 if one does not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import genviz  # before torchvision, where torch is a CPU build
from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.tracing.taps import look, module_of
from genviz.interfaces import SCORES, Layer
from genviz.targets.grammar import parse_target
from genviz.targets.layers import find_layer
from genviz.targets.responses import responses
from genviz.targets.units import Targets

TORCHVISION = {
    **dict.fromkeys(
        (
            *("alexnet", "vgg11_bn", "resnet18", "squeezenet1_1", "densenet121", "shufflenet_v2_x0_5", "mnasnet0_5"),
            *("mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "swin_t"),
        ),
        64,
    ),
    "vit_b_32": 64,
}
TIMM = {
    "convnext_atto": 64,
    "swin_tiny_patch4_window7_224": 224,
    "vit_tiny_patch16_224": 224,
    "mixer_s32_224": 224,
    "resnet10t": 64,
    "poolformerv2_s12": 128,  # at 64, the mean of what its last mixers subtract is 0
}
UPDATES = 5


def _transformers() -> dict[str, tuple[Callable[[], nn.Module], int]]:
    import transformers as t

    small = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    vit = t.ViTConfig(image_size=32, patch_size=8, **small)
    swin = t.SwinConfig(image_size=32, patch_size=2, embed_dim=12, depths=[2, 2], num_heads=[2, 2], window_size=4)
    convnext = t.ConvNextConfig(hidden_sizes=[12, 24], depths=[1, 1], num_stages=2)
    resnet = t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return {
        "ViTForImageClassification": (lambda: t.ViTForImageClassification(vit), 32),
        "SwinForImageClassification": (lambda: t.SwinForImageClassification(swin), 32),
        "ConvNextForImageClassification": (lambda: t.ConvNextForImageClassification(convnext), 32),
        "ResNetForImageClassification": (lambda: t.ResNetForImageClassification(resnet), 32),
    }


def networks() -> dict[str, tuple[Callable[[], nn.Module], int]]:
    """What builds each network whose package is installed, and the side of its input."""
    import torchvision

    def of_torchvision(name: str, size: int) -> nn.Module:
        arguments: dict[str, Any] = {"image_size": size} if name.startswith("vit") else {}
        return torchvision.models.get_model(name, weights=None, num_classes=10, **arguments)

    found: dict[str, tuple[Callable[[], nn.Module], int]] = {
        name: (partial(of_torchvision, name, size), size) for name, size in TORCHVISION.items()
    }
    try:
        import timm

        found |= {
            f"timm {name}": (partial(timm.create_model, name, num_classes=10), size) for name, size in TIMM.items()
        }
    except ImportError:
        print("timm is not installed")
    try:
        found |= _transformers()
    except ImportError:
        print("transformers is not installed")
    return found


def faults(build: Callable[[], nn.Module], side: int, *, every: int = 1) -> Iterator[str]:
    """What is wrong with each layer of a network, if anything; one line each."""
    torch.manual_seed(0)
    classifier = genviz.from_module(_lively(build()), input_size=side, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    for layer in classifier.outline.layers[::every]:
        name = layer.name if layer.axis is not None else f"{layer.name}/1"
        if layer.axis is None:
            print(f"    {layer.name} {layer.shape}: the dimension has to be stated", flush=True)
        try:
            for fault in _faults_of(classifier, layer, name, side):
                yield f"{layer.name} {layer.shape}: {fault}"
        except (genviz.UserError, RuntimeError) as error:
            yield f"{layer.name} {layer.shape}: {error}"


def _lively(network: nn.Module) -> nn.Module:
    """``network`` with random biases, so that hardly any ReLU is dead, and no head of zeros, as ViT's is at first."""
    for parameter in network.parameters():
        if parameter.ndim == 1 or not parameter.any():
            nn.init.normal_(parameter, 0.5, 0.5)
    return network


def _faults_of(classifier: FrozenClassifier, layer: Layer, name: str, side: int) -> Iterator[str]:
    outline, images = classifier.outline, torch.rand(1, 3, side, side, requires_grad=True)
    shape = find_layer(name, outline.layers).shape
    channel = _alive(classifier, name, images, shape[0])
    target = parse_target(f"filter:{name}:{channel}", outline.labels, outline.layers)
    if target.layers != (name,):
        yield f"is named {target.layers}"
    optimizer = torch.optim.SGD([images], 1.0)
    before = images.detach().clone()
    for _ in range(UPDATES):
        score = Targets(target).activation(classifier(images, [name])).sum()
        (gradient,) = torch.autograd.grad(score, images)
        images.grad = gradient / gradient.abs().max().clamp(min=1e-30)
        optimizer.step()
    if torch.equal(images.detach(), before):
        yield "the picture does not change"
    if name != SCORES:
        yield from _elsewhere(classifier, name, images, channel, shape)
        yield from _by_bias(classifier, layer, name, images.detach(), channel)


def _alive(classifier: FrozenClassifier, name: str, images: Tensor, channels: int) -> int:
    """A channel that the picture can change, if one of some is: random ReLUs are often dead."""
    means = responses(classifier(images, [name])[name], "filter")[0]
    for channel in torch.randperm(channels)[:30].tolist():
        (gradient,) = torch.autograd.grad(means[channel], images, retain_graph=True)
        if gradient.any():
            return int(channel)
    return 0


def _elsewhere(
    classifier: FrozenClassifier, name: str, images: Tensor, channel: int, shape: tuple[int, ...]
) -> Iterator[str]:
    """Whether the gradient with respect to the module's own output lies in one slice, that of ``channel``."""
    place = classifier._place(name)
    with torch.no_grad():
        own = look(classifier.network, classifier._inputs(images), [place.tap])[place.tap]
    own = own.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(place.ordered(own, 1)[:, channel].sum(), own)
    touched = gradient.nonzero()
    fixed = [
        dim for dim in range(own.ndim) if own.shape[dim] == shape[0] and touched[:, dim].unique().tolist() == [channel]
    ]
    if not fixed or len(touched) * shape[0] != own.numel():
        yield f"the gradient is not that of channel {channel} alone"


def _by_bias(classifier: FrozenClassifier, layer: Layer, name: str, images: Tensor, channel: int) -> Iterator[str]:
    """Whether the module's bias of a channel, if it has one for each, changes that channel alone."""
    bias = getattr(module_of(classifier.network, layer.module), "bias", None)
    if layer.axis is None or not isinstance(bias, Tensor) or bias.shape != layer.shape[:1]:
        return
    seen = classifier(images, [name])[name]
    with torch.no_grad():
        bias[channel] += 1
        changed = (classifier(images, [name])[name] - seen).abs().transpose(0, 1).flatten(1).sum(1)
        bias[channel] -= 1
    if changed.gt(1e-3 * changed.max()).nonzero().flatten().tolist() != [channel]:
        yield f"channel {channel} of the weights is another one of the layer"


def main() -> int:
    """Run the campaign; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    wrong = 0
    for name, (build, side) in networks().items():
        if given.names and name not in given.names and name.split()[-1] not in given.names:
            continue
        begun, found = time.monotonic(), []
        for fault in faults(build, side, every=given.every):
            found.append(fault)
            print(f"    {fault[:200]}", flush=True)
        wrong += len(found)
        print(f"{name}: {len(found)} faults, {time.monotonic() - begun:.0f} s", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
