"""VGG weights in Caffe's ``.caffemodel``, version 1 (``layers``) and later (``layer``)."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from torch import Tensor

from genviz.errors import UserError

SUFFIXES = (".caffemodel",)
_BYTES, _STRING, _INTEGER = (
    FieldDescriptorProto.TYPE_BYTES,
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_INT64,
)
# The part of caffe.proto (Jia et al. 2014) that is read. Packed floats are bytes on the wire, and faster to read so.
_FIELDS: dict[str, dict[str, tuple[int, Any]]] = {
    "NetParameter": {"layers": (2, "V1LayerParameter"), "layer": (100, "LayerParameter")},
    "V1LayerParameter": {"name": (4, _STRING), "blobs": (6, "BlobProto")},
    "LayerParameter": {"name": (1, _STRING), "blobs": (7, "BlobProto")},
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
_REPEATED = ("layers", "layer", "blobs", "data", "double_data", "dim")


def read(path: Path) -> dict[str, Tensor]:
    """The weights in ``path`` by the papers' layer names, ``conv1_1.weight`` ... ``fc8.bias``, float32.

    Kernels are (out, in, rows, columns), dense layers (out, in); older files have (1, 1, out, in).

    Raises:
        UserError: it is not such a file, or a layer does not have as many values as its shape says.
    """
    try:
        network = _message_class()()
        network.ParseFromString(path.read_bytes())
        layers = [(layer.name, layer.blobs) for layer in (*network.layers, *network.layer) if layer.name]
        state = {
            f"{name}.{kind}": _tensor(blob, f"{name}.{kind}")
            for name, blobs in layers
            for kind, blob in zip(("weight", "bias"), blobs, strict=False)
        }
    except (DecodeError, OSError, ValueError, MemoryError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise UserError(f"{path} holds no weights that can be read ({why}); Caffe's snapshots do") from error
    if not state:
        raise UserError(f"{path} holds no layers with weights; Caffe's snapshots do")
    return state


def _tensor(blob: Any, name: str) -> Tensor:
    numbers = (
        np.frombuffer(b"".join(blob.double_data), "<f8")
        if blob.double_data
        else np.frombuffer(b"".join(blob.data), "<f4")
    )
    shape = list(blob.shape.dim) if blob.HasField("shape") else [blob.num, blob.channels, blob.height, blob.width]
    if math.prod(shape) != numbers.size:
        raise ValueError(f"{name} has shape {shape} but {numbers.size} values")
    if name.endswith(".bias"):
        shape = [numbers.size]
    elif shape[:2] == [1, 1]:
        shape = shape[2:]
    return torch.from_numpy(numbers.astype(np.float32)).view(shape)


@lru_cache
def _message_class() -> Any:
    """The protobuf class ``NetParameter`` with the fields in ``_FIELDS``."""
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
    return GetMessageClass(pool.FindMessageTypeByName("genviz.caffe.NetParameter"))
