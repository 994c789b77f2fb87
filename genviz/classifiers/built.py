"""Networks built by a function of an installed package, with weights from a file."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from genviz.classifiers.box_scores import Detector
from genviz.classifiers.from_module import likely_picture
from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import input_space_of
from genviz.classifiers.labels import Labels, labels_of
from genviz.classifiers.outline import check_resize, outline_of
from genviz.classifiers.sizes import Size, size_of
from genviz.classifiers.torchvision import fill
from genviz.classifiers.tracing.calling import Calling, Probe, probe
from genviz.classifiers.tracing.class_scores import said
from genviz.classifiers.tracing.copies import freeze, unwrapped
from genviz.classifiers.weight_files import state_dict
from genviz.classifiers.weight_files.weights import RANDOM, Weights, fingerprint
from genviz.errors import UserError
from genviz.files import sha256
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD
from genviz.interfaces import Outline

REFUSALS = (TypeError, ValueError, LookupError, RuntimeError, AssertionError, OSError)
"""What a builder may raise at arguments that it does not take."""

_RANDOM_SEED = 0  # weights=random is the same network for every run


class BuiltClassifier(FrozenClassifier):
    """The network that ``builder`` returns, frozen; its layers have the names of its modules.

    The builder is code of an installed package, and is run; no code in a weights file is.

    Args:
        builder: ``package.module:function``, or ``package.module:Class.method``; it returns a module that maps images
            (n, 3, h, w) to class scores (n, classes).
        arguments: of the builder, by name.
        weights: a ``.pth`` or ``.safetensors`` file with its state dict; or ``random``.
        input_space: the arguments of `InputSpace`, or ``caffe``; None for ImageNet's mean and standard deviation.
        input_size: side of the square input, or rows and columns, in pixels; None for ``own_size``.
        own_size: the side at which the network works best, in pixels.
        labels: None for ImageNet's 1,000; a file with one label per line, a list, or a dict by number.
        resize: False: take images at their own size.
        package: the builder's package as ``pip install`` names it, for the message when it is missing.

    Raises:
        UserError: there is no such builder, its network is no classifier, or the weights do not fit.
    """

    def __init__(
        self,
        *,
        builder: str,
        weights: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        input_space: str | Mapping[str, Any] | None = None,
        input_size: Size | None = None,
        own_size: int = 224,
        labels: Labels | None = None,
        resize: bool = True,
        package: str | None = None,
    ) -> None:
        outline, calling = _plan(
            builder=builder,
            weights=weights,
            arguments=arguments,
            input_size=input_size,
            own_size=own_size,
            labels=labels,
            resize=resize,
            package=package,
        )
        assert weights is not None
        build = find_builder(builder, package)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_RANDOM_SEED)
            network = unwrapped(build(**(arguments or {}))).eval()
        if weights == RANDOM:
            found = Weights(network.state_dict(), RANDOM, fingerprint(network.state_dict()))
        else:
            found = from_file(weights)
            fill(network, found, builder)
        space = input_space_of({"mean": IMAGENET_MEAN, "std": IMAGENET_STD} if input_space is None else input_space)
        network.to(calling.dtype)
        source, part = found.source, said(calling.scores)
        super().__init__(
            network,
            outline,
            space,
            weights_source=source + (f", class scores: its output's {part}" if part else ""),
            weights_sha256=found.sha256,
            calling=calling,
        )

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        return _plan(**settings)[0]


def _plan(**settings: Any) -> tuple[Outline, Calling]:
    """The outline of the network, and how it is called."""
    builder, weights, named = settings["builder"], settings.get("weights"), settings.get("labels")
    for name, value in (("builder", builder), ("weights", weights or "")):
        if not isinstance(value, str):
            raise UserError(f"classifier.{name}={value} must be a name")
    if weights is None:
        raise UserError(
            f"{builder} comes without weights; give classifier.weights=FILE.safetensors, FILE.pth or random"
        )
    given = settings.get("input_size")
    size = size_of(settings.get("own_size", 224) if given is None else given)
    labels = labels_of("vgg16", named)
    arguments = checked_arguments(settings.get("arguments"))
    build = find_builder(builder, settings.get("package"))
    try:
        network = _without_weights(build, arguments)
    except REFUSALS as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"classifier.builder={builder} does not take {dict(arguments)}: {why}") from error
    if isinstance(network, Detector):
        raise UserError(f"classifier.builder={builder} makes a detector; use classifier=detector for it")
    found = _probe(network, build, arguments, builder, size, len(labels))
    if found.classes != len(labels):
        raise UserError(
            f"the network has {found.classes} classes but there are {len(labels)} labels; "
            "name them with classifier.labels=FILE, one label per line"
        )
    outline = outline_of(network, found.trace.layers, labels, size)
    return outline._replace(resizes=check_resize(settings)), found.calling


def checked_arguments(arguments: Any) -> Mapping[str, Any]:
    """The arguments of a builder, by name; none for None.

    Raises:
        UserError: they are no names and values.
    """
    if arguments is not None and not isinstance(arguments, Mapping):
        raise UserError(f"classifier.arguments={arguments} must be names and values, such as {{num_classes: 10}}")
    return arguments or {}


def from_file(weights: str) -> Weights:
    """The weights in a ``.pth`` or ``.safetensors`` file.

    Raises:
        UserError: there is no such file, or it holds none.
    """
    path = Path(weights).expanduser()
    if not path.is_file():
        raise UserError(f"there is no weights file {path}; classifier.weights takes a .pth or .safetensors file")
    return Weights(state_dict.read(path), path.name, sha256(path))


def find_builder(name: str, package: str | None) -> Callable[..., nn.Module]:
    """The function that ``name``, ``package.module:function``, refers to.

    Raises:
        UserError: there is none.
    """
    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise UserError(f"classifier.builder={name} must be of the form package.module:function")
    if not all(part.isidentifier() for part in module.split(".")):
        raise UserError(
            f"classifier.builder={name} must name a module, package.module:function, not its file; "
            "put the file's folder into PYTHONPATH"
        )
    try:
        found: Any = importlib.import_module(module)
    except SyntaxError as error:
        raise UserError(f"classifier.builder={name}: {module} is not valid Python ({error})") from error
    except ImportError as error:
        remedy = f"pip install {package or module.partition('.')[0]}"
        raise UserError(f"classifier.builder={name}: {error}; {remedy} may provide it") from error
    for part in path.split("."):
        if (found := getattr(found, part, None)) is None:
            raise UserError(f"classifier.builder={name}: {module} has no {path}")
    if not callable(found):
        raise UserError(f"classifier.builder={name} cannot be called")
    return found


def _without_weights(build: Callable[..., nn.Module], arguments: Mapping[str, Any]) -> nn.Module:
    """The network on the meta device."""
    try:
        with torch.device("meta"):
            network = build(**arguments)
    except (NotImplementedError, RuntimeError):  # it computes with the values it draws
        network = build(**arguments)
    network = unwrapped(network)
    if not isinstance(network, nn.Module):
        raise TypeError(f"it returns a {type(network).__name__}, not a module")
    return network.to("meta").eval()


def _probe(
    network: nn.Module,
    build: Callable[..., nn.Module],
    arguments: Mapping[str, Any],
    builder: str,
    size: tuple[int, int],
    classes: int,
) -> Probe:
    """How the ``network``, on the meta device, is called; of one that needs values, by building it again."""
    try:
        return probe(network, torch.empty(1, 3, *size, device="meta"), classes)
    except UserError as error:
        with torch.random.fork_rng(devices=[]):
            try:
                return probe(freeze(unwrapped(build(**arguments))), likely_picture(size), classes)
            except UserError:
                raise UserError(f"classifier.builder={builder}: {error}") from error
