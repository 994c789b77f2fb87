"""A frozen network's layers with genviz's own heads for the class scores: VGG16 without its 500 MB."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import fx, nn

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.heads import Heads, HeadsFile, Join, Shape
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.labels import Labels, labels_of
from genviz.classifiers.names import paper_names
from genviz.classifiers.outline import build, check_resize, sketch_network
from genviz.classifiers.sizes import Size, size_of
from genviz.classifiers.torchvision import TorchvisionClassifier, drawn, fill
from genviz.classifiers.weight_files import vgg_file
from genviz.classifiers.weight_files.weights import DEFAULT, RANDOM, Weights, entry, find
from genviz.errors import UserError
from genviz.files import SHIPPED, intact, sha256, shipped
from genviz.interfaces import Outline

HEADS, TRUNK = "heads.safetensors", "vgg16.safetensors"
_ANY_SIZE = 224  # for architectures that need one
_LISTED = (nn.Conv2d, nn.ReLU)  # the layers of a head that a target can name


class HeadedClassifier(FrozenClassifier):
    """A network up to one or more of its layers, with the mean of the class scores of `Heads` on top.

    By default VGG16's own thirteen convolutions (Simonyan & Zisserman 2014, the weights that the papers used) and heads
    trained on them by ``genviz distill``.

    Args:
        heads: ``default``, those shipped with genviz, or a ``.safetensors`` file from ``genviz distill``.
        weights: of the network below: ``default``, those that the heads were trained on; a file, which may lack what
            the heads replace; or ``random``. With ``heads=default``, a complete VGG16 uses its own class scores.
        input_size: side of the square input, or rows and columns, in pixels; None for that of the heads.
        labels: None for ImageNet's 1,000; a file with one label per line, a list, or a dict by number.
        resize: False: take images at their own size.

    Raises:
        UserError: there are no such weights or heads, or they do not fit together.
    """

    def __init__(
        self,
        *,
        heads: str = DEFAULT,
        weights: str = DEFAULT,
        input_size: Size | None = None,
        labels: Labels | None = None,
        resize: bool = True,
    ) -> None:
        settings: dict[str, Any] = {"weights": weights, "input_size": input_size, "labels": labels, "resize": resize}
        outline = self.sketch(heads=heads, **settings)
        architecture = _known(heads).architecture
        if _is_whole(heads, weights):
            whole = TorchvisionClassifier(architecture=architecture, **settings)
            network, space = whole.network, whole.input_space
            source, digest, trunk_sha256 = whole.weights_source, whole.weights_sha256, whole.weights_sha256
        else:
            network, space, source, digest, trunk_sha256 = _headed(heads, weights)
        super().__init__(
            network, outline, space, weights_source=source, weights_sha256=digest, architecture=architecture
        )
        self.trunk_sha256 = trunk_sha256

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        heads, weights = settings.get("heads", DEFAULT), settings.get("weights", DEFAULT)
        size, named = settings.get("input_size"), settings.get("labels")
        for name, value in (("heads", heads), ("weights", weights)):
            if not isinstance(value, str):
                raise UserError(f"classifier.{name}={value} must be a name")
        if size is not None:
            size = size_of(size)
        if _is_whole(heads, weights):
            given = {name: value for name, value in settings.items() if name != "heads"}
            return TorchvisionClassifier.sketch(architecture=_known(heads).architecture, **given)
        known = _known(heads)
        labels = labels_of(known.architecture, named)
        if (classes := known.shapes[0].classes) != len(labels):
            raise UserError(
                f"the heads have {classes} classes but there are {len(labels)} labels; "
                "name them with classifier.labels=FILE, one label per line"
            )
        outline = _sketch(known.architecture, known.layers, known.shapes, labels, size_of(size or known.input_size))
        return outline._replace(resizes=check_resize(settings))


def cut(architecture: str, layers: Sequence[str], shapes: Sequence[Shape]) -> tuple[fx.GraphModule, dict[str, str]]:
    """Torchvision's ``architecture`` up to ``layers``, with heads on top, without weights, on the meta device.

    Modules keep torchvision's names; ``heads`` comes last.

    Returns:
        The network, and the papers' layer names by module name.

    Raises:
        UserError: the architecture has no such layer.
    """
    with torch.device("meta"):
        network = build(architecture, 2, _ANY_SIZE, initialize=False)
        named = paper_names(architecture, network)
        module_of = {paper: module for module, paper in named.items()}
        read = [module_of.get(layer, layer) for layer in layers]
        modules = dict(network.named_modules())
        if unknown := [layer for layer, module in zip(layers, read, strict=True) if module not in modules]:
            raise UserError(f"{architecture} has no layer {unknown[0]}; genviz layers {architecture} lists them")
        graph = _Tracer(read).trace(network)
        network.add_module("join", Join())
        network.add_module("heads", Heads(shapes))
    called = {str(node.target): node for node in graph.nodes if node.op == "call_module"}
    maps = tuple(called[module] for module in read)
    end = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_before(end):
        features = maps[0] if len(maps) == 1 else graph.call_module("join", maps)
        end.args = (graph.call_module("heads", (features,)),)
    whole = fx.GraphModule(network, graph, architecture).eval()
    whole.graph.eliminate_dead_code()
    whole.recompile()
    whole.delete_all_unused_submodules()
    return whole, named


class _Tracer(fx.Tracer):
    """Traces a network down to the modules in ``read``; all others stay whole."""

    def __init__(self, read: Sequence[str]) -> None:
        super().__init__()
        self.read = read

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        return not any(module.startswith(f"{module_qualified_name}.") for module in self.read)


@lru_cache
def _sketch(
    architecture: str,
    layers: tuple[str, ...],
    shapes: tuple[Shape, ...],
    labels: tuple[str, ...],
    size: tuple[int, int],
) -> Outline:
    network, named = cut(architecture, layers, shapes)
    outline = sketch_network(network, labels, size, named=named)
    modules = dict(network.named_modules())
    unlisted = {name for name in modules if name.startswith("heads") and not isinstance(modules[name], _LISTED)}
    listed = tuple(layer for layer in outline.layers if layer.module not in unlisted)
    return outline._replace(layers=listed, head="heads")


def read_heads(heads: str) -> tuple[HeadsFile, Heads, str]:
    """The metadata, the heads and the sha256 of ``default``, those shipped with genviz, or of a file.

    Raises:
        UserError: there is no such file, it holds no heads, or it is damaged.
    """
    known = _known(heads)
    path = intact(HEADS) if heads == DEFAULT else _path(heads)
    return known, known.load(path), SHIPPED[HEADS] if heads == DEFAULT else sha256(path)


def _known(heads: str) -> HeadsFile:
    try:
        return HeadsFile.read(_path(heads))
    except UserError:
        if heads == DEFAULT:
            intact(HEADS)
        raise


def _path(heads: str) -> Path:
    return shipped(HEADS) if heads == DEFAULT else Path(heads).expanduser()


def _weights(known: HeadsFile, weights: str) -> Weights:
    """The weights of the network below the heads.

    Raises:
        UserError: they are not available, or not those that the heads were trained on.
    """
    if weights == RANDOM:
        return drawn(known.architecture, known.shapes[0].classes, _ANY_SIZE)
    if weights != DEFAULT:
        return find(known.architecture, weights, whole=False)
    if known.trunk_sha256 == SHIPPED[TRUNK]:
        return Weights(load_file(intact(TRUNK)), TRUNK, known.trunk_sha256)
    found = find(known.architecture, DEFAULT)
    if found.sha256 != known.trunk_sha256:
        raise UserError(
            f"the heads were trained on weights of {known.architecture} with sha256 {known.trunk_sha256}, but "
            f"{found.source} has {found.sha256}; give the original ones: classifier.weights=FILE"
        )
    return found


def _headed(heads: str, weights: str) -> tuple[nn.Module, InputSpace, str, str, str]:
    """A truncated network with heads: the network, input space, source, and hashes of all and of the trunk."""
    known, loaded, digest = read_heads(heads)
    network, _ = cut(known.architecture, known.layers, known.shapes)
    found = _weights(known, weights)
    if heads == DEFAULT and weights not in (DEFAULT, RANDOM) and found.input_space is None:
        raise UserError(
            f"{found.source} does not have Oxford's convolutions, on which the heads were trained; give it with its "
            "dense layers, as classifier=vgg16, or with heads of its own: classifier.heads=FILE"
        )
    fill(network, found, known.architecture, without="heads.")
    network.heads = loaded
    whose = f"{known.architecture.upper()}'s" if weights == DEFAULT else f"of {found.source}"
    return (
        network,
        found.input_space or InputSpace(**known.input_space),
        f"layers up to {known.layers[-1]} are {whose}; class scores by {known.origin}",
        hashlib.sha256((found.sha256 + digest).encode()).hexdigest(),
        found.sha256,
    )


def _is_whole(heads: str, weights: str) -> bool:
    """Whether ``weights`` bring their own class scores and no other heads are requested."""
    if heads != DEFAULT or weights in (DEFAULT, RANDOM):
        return False
    if (known := entry(_known(heads).architecture, weights)) is not None:
        return known.meta["categories"] is not None
    path = Path(weights).expanduser()
    return path.is_file() and _has_dense_layers(path, path.stat().st_mtime_ns)


@lru_cache
def _has_dense_layers(path: Path, changed: int) -> bool:  # noqa: ARG001 - a changed file is read again
    return vgg_file.has_dense_layers(path)  # takes seconds for Caffe's
