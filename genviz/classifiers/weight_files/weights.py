"""Where a classifier's weights come from: torchvision's server through its cache, a file, or a seed."""

from __future__ import annotations

import hashlib
import pickle
import socket
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.weight_files import caffe_file, keras_file, matconvnet_file, state_dict, vgg_file
from genviz.classifiers.weight_files.server import why_unreachable
from genviz.errors import UserError, shown
from genviz.files import sha256

DEFAULT, RANDOM = "default", "random"
_ROUTE_SECONDS = 5.0  # to detect that there is no network
_STALL_SECONDS = 30.0  # without a byte, during a download
_WHY = 70  # characters of a reason in a message
_ABANDONED_SECONDS = 600.0  # since the last byte of a killed download


class Weights(NamedTuple):
    """A network's weights and their identity."""

    state: dict[str, Tensor]
    source: str
    """``VGG16_Weights.IMAGENET1K_V1``, the file's name, or ``random``."""

    sha256: str
    input_space: InputSpace | None = None
    """The one they were trained in, if the file tells."""


def entry(architecture: str, name: str) -> torchvision.models.WeightsEnum | None:
    """Torchvision's entry ``name`` for ``architecture``; None if ``name`` is something else.

    Raises:
        UserError: torchvision has no weights for the architecture.
    """
    entries = torchvision.models.get_model_weights(architecture)
    if name != DEFAULT:
        return entries.__members__.get(name.removeprefix(f"{entries.__name__}."))
    if not has_entries(architecture):
        raise UserError(f"torchvision has no weights for {architecture}; give a file: classifier.weights=FILE.pth")
    if architecture.startswith("vgg") or architecture == "alexnet" or architecture.startswith("squeezenet"):
        return entries.IMAGENET1K_V1
    return entries.DEFAULT


def has_entries(architecture: str) -> bool:
    """Whether torchvision has weights for ``architecture``."""
    return len(torchvision.models.get_model_weights(architecture)) > 0


class CannotFetchError(UserError):
    """The weights are not on this machine and cannot be downloaded.

    Attributes:
        why: the reason.
        remedy: how to get them.
    """

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(f"{why}; {remedy}; to try the program: classifier.weights=random")
        self.why, self.remedy = why, remedy


def fetch(entry: torchvision.models.WeightsEnum, architecture: str) -> Path:
    """The cached file of torchvision's ``entry``; if missing, downloaded with a progress bar and its hash checked.

    An interrupted download starts over the next time. What a killed one leaves is deleted by the first access to the
    cache after ten minutes.

    Raises:
        CannotFetchError: there is no network, the download is incomplete, or the cache is not readable or writable.
    """
    path = cached(entry)
    size = f"{entry.meta['_file_size']:.0f} MB"
    remedy = f"put {entry.url} ({size}) into {path.parent}, or give classifier={architecture} classifier.weights=FILE"
    try:
        _clear_abandoned(path)
        if path.exists():
            return path
    except OSError as error:
        raise CannotFetchError(f"torch's cache cannot be read ({error.strerror or error})", remedy) from error
    if (why := why_unreachable(entry.url, _ROUTE_SECONDS)) is not None:
        raise CannotFetchError(f"{architecture}'s weights cannot be fetched ({why})", remedy)
    print(f"fetching {architecture}'s weights, {size}, once: {entry.url} -> {path}", file=sys.stderr, flush=True)
    stall = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALL_SECONDS)
    try:
        torch.hub.load_state_dict_from_url(entry.url, progress=True, check_hash=True, weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, HTTPException) as error:
        why = shown(str(error), _WHY)
        raise CannotFetchError(f"fetching {path.name} failed ({why}); the same command tries again", remedy) from error
    finally:
        socket.setdefaulttimeout(stall)
    return path


def cached(entry: torchvision.models.WeightsEnum) -> Path:
    """Where torchvision caches the file of ``entry``."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(entry.url).path).name


def _clear_abandoned(path: Path) -> None:
    """Delete what killed downloads left of ``path``, but not what another process is downloading now."""
    for partial in path.parent.glob(f"{path.name}.*.partial"):
        with suppress(OSError):  # gone already, or another user's
            if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
                partial.unlink()


def find(architecture: str, name: str, *, whole: bool = True) -> Weights:
    """The weights that ``name`` stands for: ``default``, one of torchvision's entries for ``architecture``, or a file.

    Args:
        whole: whether the class scores must be there.

    Raises:
        UserError: they are not available.
    """
    known = entry(architecture, name)
    if known is None and not Path(name).suffix and not Path(name).expanduser().exists():
        names = ", ".join(torchvision.models.get_model_weights(architecture).__members__)
        raise UserError(
            f"classifier.weights={name} is unknown for {architecture}; "
            f"it takes default, random, {names}, or a {_forms(architecture)} file"
        )
    if whole and known is not None and known.meta["categories"] is None:
        raise UserError(
            f"{known} has no class scores: it lacks the dense layers; classifier.weights=default has them; or download "
            f"{known.url} for genviz's heads: classifier=embedded classifier.weights=FILE"
        )
    path = Path(name).expanduser() if known is None else fetch(known, architecture)
    try:
        state, space = _load(architecture, path, whole)
    except UserError as error:
        if known is None:
            raise
        raise UserError(f"{error}; delete it, and the next run fetches it again") from error
    return Weights(state, path.name if known is None else str(known), sha256(path), space)


def _forms(architecture: str) -> str:
    return vgg_file.FORMS if architecture in vgg_file.ARCHITECTURES else ".pth or .safetensors"


def _load(architecture: str, path: Path, whole: bool) -> tuple[dict[str, Tensor], InputSpace | None]:
    if not path.is_file():
        raise UserError(f"there is no weights file {path}; classifier.weights takes a {_forms(architecture)} file")
    if architecture in vgg_file.ARCHITECTURES:
        found = vgg_file.load(path)
        if whole and not found.has_dense_layers:
            embedded = (
                ", or put genviz's own on its convolutions: classifier=embedded, with the same classifier.weights"
            )
            raise UserError(
                f"{path} has no class scores: it lacks the dense layers fc6, fc7 and fc8; give a file with them"
                + (embedded if architecture == "vgg16" else "")
            )
        return found
    if path.suffix.lower() in (*keras_file.SUFFIXES, *caffe_file.SUFFIXES, *matconvnet_file.SUFFIXES):
        raise UserError(
            f"{path} is a Keras, Caffe or MatConvNet file, which only works for {', '.join(vgg_file.ARCHITECTURES)}; "
            + ("for Caffe's AlexNet: classifier=alexnet_caffe; " if architecture == "alexnet" else "")
            + f"for {architecture} give a {_forms(architecture)} file"
        )
    return state_dict.read(path), None


def not_finite(network: nn.Module) -> list[str]:
    """The names of the weights of ``network`` that are not finite, with which it cannot classify.

    Buffers are only checked for NaN: an attention mask is infinite.
    """
    found, buffers = [], {name for name, _ in network.named_buffers()}
    for name, value in (*network.named_parameters(), *network.named_buffers()):
        if value.is_floating_point() and not value.is_meta:
            total = value.detach().sum(dtype=torch.float32)  # of half precision, where its own might overflow
            if not (total.isfinite() or (total.isinf() and name in buffers and not value.isnan().any())):
                found.append(name)
    return found


def misfits(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """The tensors of ``given`` that have another shape in ``wanted``, each with both shapes."""
    return [
        f"{key} is {tuple(given[key].shape)}, not {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in given and given[key].shape != value.shape
    ]


def differences(misshapen: Sequence[str], missing: Sequence[str], unexpected: Sequence[str]) -> str:
    """What makes weights unfit for a network, in a few words: the shapes first, as they tell most."""
    names = [f"{len(misshapen)} of another shape: {misshapen[0]}"] if misshapen else []
    for what, keys in (("missing", missing), ("unexpected", unexpected)):
        if keys:
            names.append(f"{what} {len(keys)}: {', '.join(keys[:2])}")
    return "; ".join(names)


def load_own(network: nn.Module, path: Path, again: str) -> None:
    """Load the .safetensors file ``path``, which states what network it holds, into that network.

    Args:
        again: what would work.

    Raises:
        UserError: the file is damaged, or holds another network than it states.
    """
    try:
        given = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged ({str(error).strip().splitlines()[0][:120]}); {again}") from error
    wanted = network.state_dict()
    missing, unexpected = ([key for key in a if key not in b] for a, b in ((wanted, given), (given, wanted)))
    misshapen = misfits(wanted, given)
    if missing or unexpected or misshapen:
        raise UserError(f"{path} is damaged ({differences(misshapen, missing, unexpected)}); {again}")
    state = OrderedDict((key, value.to(wanted[key].dtype)) for key, value in given.items())
    state._metadata = wanted._metadata  # type: ignore[attr-defined]  # MNASNet asks for its version
    network.load_state_dict(state, assign=True)


def fingerprint(state: Mapping[str, Any]) -> str:
    """SHA-256 over the names and bytes of a state dict, for weights that have no file."""
    digest = hashlib.sha256()
    for name, value in state.items():
        digest.update(name.encode())
        digest.update(_bytes(value))
    return digest.hexdigest()


def _bytes(value: Any) -> Any:
    """The bytes of a tensor; of what else a state dict holds, such as quantized modules' settings, the text."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = (
            value.dequantize()
            if value.is_quantized
            else value.to_dense()
            if value.layout is not torch.strided
            else value
        )
        return value.contiguous().flatten().view(torch.uint8).numpy().data
    if isinstance(value, tuple | list):
        return b"".join(bytes(_bytes(part)) for part in value)
    plain = isinstance(value, int | float | str | bytes | torch.dtype | None)
    return repr(value if plain else type(value)).encode()
