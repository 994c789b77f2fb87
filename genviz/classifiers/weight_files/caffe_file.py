"""Networks in Caffe's ``.caffemodel``, version 1 (``layers``) and later (``layer``), and in its prototxt."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from torch import Tensor

from genviz.classifiers.classic_networks import Norm
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.mean_picture import MeanPicture
from genviz.classifiers.weight_files.contents import BIAS, WEIGHT, Contents, bar
from genviz.errors import UserError

SUFFIXES = (".caffemodel",)
_BYTES, _STRING, _INTEGER, _FLOAT = (
    FieldDescriptorProto.TYPE_BYTES,
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_INT64,
    FieldDescriptorProto.TYPE_FLOAT,
)
# The part of caffe.proto (Jia et al. 2014) that is read. Packed floats are bytes on the wire, and faster to read so.
_FIELDS: dict[str, dict[str, tuple[int, Any]]] = {
    "NetParameter": {"layers": (2, "V1LayerParameter"), "layer": (100, "LayerParameter")},
    "V1LayerParameter": {
        "name": (4, _STRING),
        "blobs": (6, "BlobProto"),
        "lrn_param": (18, "LRNParameter"),
        "transform_param": (36, "TransformationParameter"),
    },
    "LayerParameter": {
        "name": (1, _STRING),
        "blobs": (7, "BlobProto"),
        "transform_param": (100, "TransformationParameter"),
        "lrn_param": (118, "LRNParameter"),
    },
    "LRNParameter": {"local_size": (1, _INTEGER), "alpha": (2, _FLOAT), "beta": (3, _FLOAT), "k": (5, _FLOAT)},
    "TransformationParameter": {"scale": (1, _FLOAT), "mean_file": (4, _STRING), "mean_value": (5, _FLOAT)},
    "BlobProto": {
        "num": (1, _INTEGER),
        "channels": (2, _INTEGER),
        "height": (3, _INTEGER),
        "width": (4, _INTEGER),
        "data": (5, _BYTES),
        "shape": (7, "BlobShape"),
        "double_data": (8, _BYTES),
    },
    "BlobShape": {"dim": (1, _INTEGER)},
}
_REPEATED = ("layers", "layer", "blobs", "data", "double_data", "dim", "mean_value")
_LRN = {"local_size": 5, "alpha": 1.0, "beta": 0.75, "k": 1.0}  # what Caffe takes for what is not said
_PROTOTXT = ".prototxt"
_BLOCK = 1 << 24  # bytes read at once
_WHY = 120  # characters of a reason in a message


def read(path: Path) -> Contents:
    """The network in ``path``: weights by the papers' layer names, ``conv1_1.weight`` ... ``fc8.bias``, float32.

    Kernels are (out, in, rows, columns), dense layers (out, in); older files have (1, 1, out, in). Normalizations and
    the mean (blue, green, red, 0 to 255) are those in the file, or, where it does not say them, in a prototxt of the
    same name beside it; a mean picture is read from beside it, too.

    Raises:
        UserError: it is not such a file, or a layer does not have as many values as its shape says.
    """
    try:
        network = _message("NetParameter")()
        network.ParseFromString(_bytes(path))
        layers = _layers(network)
        state = {
            f"{_text(layer.name)}.{kind}": _tensor(blob, f"{_text(layer.name)}.{kind}")
            for layer in layers
            for kind, blob in zip((WEIGHT, BIAS), layer.blobs, strict=False)
        }
        beside = path.with_suffix(_PROTOTXT)
        told = [layers, _layers(_prototxt(beside))] if beside.is_file() else [layers]
        norms: dict[str, Norm] = {}
        for described in reversed(told):
            norms |= {_text(layer.name): _norm(layer) for layer in described if layer.HasField("lrn_param")}
        space = next((space for described in told if (space := _space(described, path)) is not None), None)
    except (DecodeError, OSError, ValueError, MemoryError) as error:
        raise _unreadable(path, error, "weights", "snapshots") from error
    if not state:
        raise UserError(f"{path} holds no layers with weights; Caffe's snapshots do")
    order = max(([_text(layer.name) for layer in described] for described in told), key=len)
    return Contents(state, tuple(dict.fromkeys(order)), norms, space)


def mean_picture(path: Path) -> MeanPicture:
    """The mean picture in ``path``, a ``.binaryproto`` of Caffe's ``compute_image_mean``.

    Raises:
        UserError: it is none.
    """
    try:
        blob = _message("BlobProto")()
        blob.ParseFromString(_bytes(path))
        picture = _tensor(blob, "its mean")
        return MeanPicture(picture.view(picture.shape[-3:]), channels="BGR")
    except (DecodeError, OSError, ValueError, RuntimeError, MemoryError, UserError) as error:
        raise _unreadable(path, error, "mean picture", ".binaryproto files") from error


def _unreadable(path: Path, error: Exception, what: str, such: str) -> UserError:
    why = (str(error).strip() or type(error).__name__).splitlines()[0][:_WHY]
    return UserError(f"{path} holds no {what} that can be read ({why}); Caffe's {such} do")


def _bytes(path: Path) -> bytes:
    parts = []
    with path.open("rb") as file, bar(path.stat().st_size, path) as progress:
        while part := file.read(_BLOCK):
            parts.append(part)
            progress.update(len(part))
    return b"".join(parts)


def _prototxt(path: Path) -> Any:
    try:
        network = _message("NetParameter")()
        text_format.Parse(path.read_text(encoding="utf-8"), network, allow_unknown_field=True)
    except (text_format.ParseError, OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error, "network", "prototxt files") from error
    return network


def _layers(network: Any) -> list[Any]:
    return [layer for layer in (*network.layers, *network.layer) if layer.name]


def _text(words: str | bytes) -> str:
    """Words of a message; protobuf leaves bytes that are no text as they are."""
    return words if isinstance(words, str) else words.decode("utf-8", errors="replace")


def _tensor(blob: Any, name: str) -> Tensor:
    numbers = (
        np.frombuffer(b"".join(blob.double_data), "<f8")
        if blob.double_data
        else np.frombuffer(b"".join(blob.data), "<f4")
    )
    shape = list(blob.shape.dim) if blob.HasField("shape") else [blob.num, blob.channels, blob.height, blob.width]
    if math.prod(shape) != numbers.size or min(shape, default=1) < 1:
        raise ValueError(f"{name} has shape {shape} but {numbers.size} values")
    if name.endswith(f".{BIAS}"):
        shape = [numbers.size]
    elif name.endswith(f".{WEIGHT}") and shape[:2] == [1, 1]:
        shape = shape[2:]
    shape = shape or [1]
    return torch.from_numpy(numbers.astype(np.float32)).view(shape)


def _norm(layer: Any) -> Norm:
    said = {
        name: getattr(layer.lrn_param, name) if layer.lrn_param.HasField(name) else usual
        for name, usual in _LRN.items()
    }
    if not 1 <= said["local_size"] < 1e4 or not all(math.isfinite(value) for value in said.values()):
        raise ValueError(f"{_text(layer.name)} normalizes by {said}")
    return Norm(int(said["local_size"]), said["alpha"], said["beta"], said["k"])


def _space(layers: Iterable[Any], path: Path) -> InputSpace | None:
    """Caffe's, (x - mean) scale, with the first mean or scale that a layer names."""
    for layer in layers:
        said = layer.transform_param
        values, scale = list(said.mean_value), said.scale if said.HasField("scale") else 1.0
        if not all(math.isfinite(value) for value in (*values, scale)) or not scale:
            raise ValueError(f"its mean is {values}, its scale {scale}")
        named = _text(said.mean_file)
        if len(values) in (1, 3) or (scale != 1 and not named):
            mean = [float(value) for value in values * (3 // len(values))] if values else [0.0] * 3
            return InputSpace(channels="BGR", scale=255.0, mean=mean, std=[1 / scale] * 3)
        if named and scale != 1:
            raise ValueError(f"it scales what is left of its mean picture by {scale:g}")
        beside = path.parent / Path(named).name if named else None
        if beside is not None and beside.is_file():
            return mean_picture(beside)
    return None


@lru_cache
def _message(message_name: str) -> Any:
    """The protobuf class of that name, with the fields in ``_FIELDS``."""
    file = FileDescriptorProto(name="genviz/caffe.proto", package="genviz.caffe", syntax="proto2")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            label = FieldDescriptorProto.LABEL_REPEATED if field in _REPEATED else FieldDescriptorProto.LABEL_OPTIONAL
            described = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                described.type, described.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".genviz.caffe.{kind}"
            else:
                described.type = kind
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(f"genviz.caffe.{message_name}"))
