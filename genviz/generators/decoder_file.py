"""Decoder files: weights, sizes and how they were trained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.files import atomic_write, facts_in, metadata_of
from genviz.generators.decoder import Decoder
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD

_FORMAT = "genviz.decoder.1"


class Sizes(NamedTuple):
    """The sizes of a decoder; by default the paper's."""

    code_shape: tuple[int, ...] = (128, 5, 5)
    widths: tuple[int, ...] = (512, 256, 256, 128, 128)
    kernels: tuple[int, ...] = (2, 3, 3, 3, 4)
    head: tuple[int, ...] = (64, 64)


def write(
    decoder: Decoder, sizes: Sizes, path: Path, *, code_mean: Tensor, code_std: Tensor, facts: Mapping[str, Any]
) -> str:
    """Write a trained decoder, its convolutions in half precision; return the digest of its tensors.

    The metadata, JSON under the key ``genviz``, has everything another program needs to build it: the sizes;
    ``layers``, torch's name and settings of each, in execution order; ``mean`` and ``std``, with which RGB in [0, 1] is
    the last layer's output * std + mean; the digest; and the facts. The tensors are the layers', by index, and
    ``code_mean`` and ``code_std``, (1, numbers), of the training pictures' codes.

    Args:
        path: a ``.safetensors`` file, replaced atomically.
        code_mean: elementwise mean of the training pictures' codes, (numbers,).
        code_std: their standard deviation, (numbers,).
        facts: data, settings, validation; stored as JSON.

    Raises:
        UserError: the weights are not finite.
    """
    state = {f"layers.{name}": value for name, value in decoder.state_dict().items()}
    state |= {"code_mean": code_mean[None], "code_std": code_std[None]}
    tensors = {name: (value.half() if value.ndim == 4 else value).contiguous().cpu() for name, value in state.items()}
    if not _finite(tensors):
        raise UserError("the decoder's weights are not finite, so it is not written; try a smaller optimizer.lr")
    sha256 = _digest(tensors)
    metadata = {
        "format": _FORMAT,
        **sizes._asdict(),
        "layers": [_described(layer) for layer in decoder],
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "sha256": sha256,
        "facts": facts,
    }
    with atomic_write(path) as file:
        file.write(save(tensors, metadata_of(metadata)))
    return sha256


def read_sizes(path: Path) -> Sizes:
    """The sizes of the decoder in ``path``, without loading its weights.

    Raises:
        UserError: there is no such file, or it is not a genviz decoder.
    """
    metadata = _metadata(path)
    try:
        return Sizes(*(tuple(int(number) for number in metadata[name]) for name in Sizes._fields))
    except (ValueError, KeyError, TypeError) as error:
        raise _none_of_ours(path, error) from error


def read_digest(path: Path) -> str:
    """The digest recorded in ``path``.

    Raises:
        UserError: there is no such file, or it is not a genviz decoder.
    """
    return str(_metadata(path).get("sha256"))


def read(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors in ``path`` and their digest.

    Raises:
        UserError: the file is damaged, or is not a genviz decoder.
    """
    wanted = _metadata(path).get("sha256")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _none_of_ours(path, error) from error
    if _digest(tensors) != wanted:
        raise UserError(f"{path} is damaged: its weights do not match their digest; get it again")
    if not _finite(tensors):
        raise UserError(f"{path} holds weights that are not finite; it cannot make pictures")
    return tensors, wanted


def _described(layer: nn.Module) -> str:
    """torch's class and settings; genviz's own layers are equivalent, an upsampling together with the next layer."""
    if isinstance(layer, nn.BatchNorm2d):
        return f"BatchNorm2d({layer.num_features}, eps={layer.eps})"
    name = next(kind.__name__ for kind in type(layer).__mro__ if kind.__module__.startswith("torch."))
    return f"{name}({layer.extra_repr()})"


def _metadata(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(
            f"there is no decoder {path}; generator.weights takes default, random, or a file from genviz pretrain"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = facts_in(file.metadata())
        if metadata.get("format") != _FORMAT:
            raise ValueError(f"its format is {metadata.get('format')}, not {_FORMAT}")
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise _none_of_ours(path, error) from error
    assert isinstance(metadata, dict)
    return metadata


def _none_of_ours(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} is not a decoder ({str(error).strip().splitlines()[0][:120]}); genviz pretrain writes them"
    )


def _finite(tensors: Mapping[str, Tensor]) -> bool:
    return all(bool(value.isfinite().all()) for value in tensors.values())


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values."""
    found = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        found.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        found.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
