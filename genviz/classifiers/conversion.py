"""MatConvNet's and Caffe's files of published networks as ``.safetensors``."""

from __future__ import annotations

from pathlib import Path

import torch

from genviz.classifiers.classic import PUBLISHED, differs, empty, fitting, placed, published
from genviz.classifiers.classic_networks import RECIPES
from genviz.classifiers.names import vgg_convolutions
from genviz.classifiers.outline import without_weights
from genviz.classifiers.sizes import Size
from genviz.classifiers.torchvision import fill
from genviz.classifiers.weight_files import converted_file, vgg_file
from genviz.classifiers.weight_files.contents import Contents
from genviz.classifiers.weight_files.weights import Weights
from genviz.errors import UserError
from genviz.files import sha256

NAMES = (*RECIPES, *vgg_file.ARCHITECTURES)
"""The classifiers whose published files can be read."""

_SIDE: Size = 224  # of a VGG's input


def convert(source: Path, target: Path, classifier: str | None = None) -> converted_file.Facts:
    """Write the network in ``source`` to ``target``, with its normalizations, mean and channel order as metadata.

    Args:
        source: a ``.mat`` of MatConvNet's or a ``.caffemodel``.
        target: a ``.safetensors`` file, replaced atomically.
        classifier: which network it is; None: by its layers.

    Raises:
        UserError: it is none of these networks, or ``target`` cannot be written.
    """
    if not source.is_file():
        raise UserError(f"there is no file {source}; genviz convert takes MatConvNet's .mat and Caffe's .caffemodel")
    if source.suffix.lower() not in PUBLISHED:
        raise UserError(f"{source} is no {' or '.join(PUBLISHED)} file; genviz convert takes MatConvNet's and Caffe's")
    if target.suffix.lower() != converted_file.SUFFIX:
        raise UserError(f"{target} must end in {converted_file.SUFFIX}")
    if classifier is not None and classifier not in NAMES:
        raise UserError(f"--classifier {classifier} is unknown; it takes {', '.join(NAMES)}")
    contents = published(source)
    name = classifier or _recognised(contents, source)
    network: torch.nn.Module
    if name in RECIPES:
        if (why := differs(contents, name)) is not None:
            raise UserError(f"{source} does not fit {name}: {why}")
        network, norms = empty(name, _classes(contents), contents), contents.norms
        state, space = placed(contents, network), contents.input_space
    else:
        vgg = vgg_file.load(source)
        if not vgg.has_dense_layers:
            raise UserError(f"{source} has no class scores: it lacks the dense layers fc6, fc7 and fc8")
        network, norms = without_weights(name, _classes(contents), _SIDE), {}
        state, space = vgg
    found = Weights(state, source.name, sha256(source), space)
    fill(network, found, name)  # or it says which layer does not fit
    facts = converted_file.Facts(name, norms, found.input_space)
    converted_file.write(
        target, network.state_dict(), facts, source={"source": found.source, "source_sha256": found.sha256}
    )
    return facts


def _classes(contents: Contents) -> int:
    return len(contents.state[f"{contents.weighted[-1]}.weight"])


def _recognised(contents: Contents, source: Path) -> str:
    """The classifier with these layers and shapes."""
    convolutions = [layer for layer in contents.weighted if layer.startswith("conv")]
    if convolutions and tuple(sorted(convolutions)) == vgg_convolutions(len(convolutions)):
        return dict(zip((8, 10, 13, 16), vgg_file.ARCHITECTURES, strict=True))[len(convolutions)]
    likely = fitting(contents)
    if len(likely) == 1:
        return likely[0]
    if likely:
        raise UserError(f"{source} fits {' and '.join(likely)}; say which it is: --classifier {likely[0]}")
    shapes = [f"{layer} {tuple(contents.state[f'{layer}.weight'].shape)}" for layer in contents.weighted[:2]]
    raise UserError(
        f"{source} is none of {', '.join(NAMES)}: its layers are {', '.join(shapes)}, ...; "
        "--classifier NAME says what differs from one of them"
    )
