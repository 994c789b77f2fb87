"""A narrow VGG16 with made numbers, written as torch, Keras and Caffe write one."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.vgg import VGG, make_layers

from genviz.classifiers.names import paper_names

SIDE, CLASSES = 7, 10
"""Of what torchvision's VGG pools pool5 to; and of the scores."""

WIDTHS = [4, 4, "M", 5, 5, "M", 6, 6, 6, "M", 7, 7, 7, "M", 8, 8, 8, "M"]


def narrow(*, seed: int = 0) -> VGG:
    """Torchvision's VGG16 with a few channels."""
    with torch.device("meta"):  # where the dense layers of a VGG cost nothing
        network = VGG(make_layers(WIDTHS), init_weights=False)
        dense = network.classifier
        dense[0], dense[3], dense[6] = nn.Linear(8 * SIDE**2, 12), nn.Linear(12, 12), nn.Linear(12, CLASSES)
    network.to_empty(device="cpu")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for parameter in network.parameters():  # none of them 0, that each matters
            nn.init.uniform_(parameter, -0.3, 0.4)
    return network.eval()


def by_layer(network: VGG) -> dict[str, tuple[Tensor, Tensor]]:
    """Weight and bias by the papers' names."""
    named = paper_names("vgg16", network)
    weighing = (nn.Conv2d, nn.Linear)
    return {
        named[name]: (module.weight.detach(), module.bias.detach())
        for name, module in network.named_modules()
        if isinstance(module, weighing)
    }


def keras_name(paper_name: str) -> str:
    """``block1_conv1`` for ``conv1_1``, ``fc1`` for ``fc6``."""
    dense = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}
    return dense.get(paper_name) or f"block{paper_name[4]}_conv{paper_name[6]}"


def keras_arrays(
    network: VGG, *, theano: bool = False, turned: bool = True
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias by Keras' names, in TensorFlow's order or in Theano's, where kernels may be turned."""
    arrays = {}
    for name, (weight, bias) in by_layer(network).items():
        kernel = weight.numpy()
        if kernel.ndim == 4:
            kernel = kernel.transpose(2, 3, 1, 0) if not theano else kernel[:, :, ::-1, ::-1] if turned else kernel
        elif name == "fc6" and not theano:
            kernel = np.stack([row.reshape(-1, SIDE, SIDE).transpose(1, 2, 0).flatten() for row in kernel], axis=1)
        else:
            kernel = kernel.T
        arrays[keras_name(name)] = (kernel, bias.numpy())
    return arrays


def write_keras(path: Path, arrays: dict[str, tuple[np.ndarray, np.ndarray]], layout: str = "{0}/{0}_{1}_1:0") -> None:
    """Write as Keras 1 does, or in another layout of a layer's name and ``W`` or ``b``."""
    with h5py.File(path, "w") as file:
        for name, pair in arrays.items():
            for kind, array in zip("Wb", pair, strict=True):
                file[layout.format(name, kind)] = array


def varint(number: int) -> bytes:
    """Protobuf's coding of a whole number."""
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def field(number: int, content: bytes | int) -> bytes:
    """Protobuf's coding of a field of bytes, or of a whole number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(values: Tensor, *, old: bool, double: bool = False) -> bytes:
    """Caffe's BlobProto; the old ones have four dimensions."""
    numbers = values.flatten().tolist()
    packed = field(8, struct.pack(f"<{len(numbers)}d", *numbers)) if double else b""
    packed = packed or field(5, struct.pack(f"<{len(numbers)}f", *numbers))
    if old:
        shape = (1,) * (4 - values.ndim) + tuple(values.shape)
        return b"".join(field(1 + place, length) for place, length in enumerate(shape)) + packed
    return packed + field(7, field(1, b"".join(varint(length) for length in values.shape)))


def write_caffe(path: Path, layers: dict[str, tuple[Tensor, ...]], *, old: bool, double: bool = False) -> None:
    """Write as Caffe does, ``old`` as its version 1, with the layers without weights in between."""
    content = field(1, b"VGG_ILSVRC_16_layers")
    for name, tensors in layers.items():
        blobs = [blob(values, old=old, double=double) for values in tensors]
        if old:
            layer = field(2, b"below") + field(3, name.encode()) + field(4, name.encode()) + field(5, 4)
            content += field(2, layer + b"".join(field(6, one) for one in blobs))
            content += field(2, field(4, b"relu") + field(5, 18))
        else:
            layer = field(1, name.encode()) + field(2, b"Convolution") + b"".join(field(7, one) for one in blobs)
            content += field(100, layer) + field(100, field(1, b"relu") + field(2, b"ReLU"))
    path.write_bytes(content)
