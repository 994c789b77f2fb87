"""The tensors of a torch file that holds other objects too, such as a checkpoint of Lightning with its settings.

`torch.load` with ``weights_only`` refuses such a file. Here the objects are left out: what a file names becomes an
empty stand-in, but for the few names of which tensors and dicts are made. So no code in the file, and none that it
names, is run.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

_HARMLESS = {
    ("collections", "OrderedDict"),
    ("torch", "Size"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
}
"""What makes tensors and dicts, and nothing else; torch itself provides the storages."""


class StandIn:
    """Takes the place of an object, and whatever is done to it, and keeps nothing."""

    dump_patches = False  # torch compares the source of a module in an old file, and would write the difference

    def __new__(cls, *args: Any, **keywords: Any) -> StandIn:  # noqa: ARG004
        """Ignore the arguments."""
        return super().__new__(cls)

    def __init__(self, *args: Any, **keywords: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __call__(self, *args: Any, **keywords: Any) -> StandIn:  # noqa: ARG002, D102
        return StandIn()

    def extend(self, items: Any) -> None:
        """Ignore the items of a list or a queue."""

    append = add = extend


class Unpickler(pickle.Unpickler):
    """Makes tensors, dicts and plain data, and a stand-in of everything else."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """The class or function of that name if it is harmless, otherwise a stand-in."""
        if (module_name, global_name) in _HARMLESS:
            return super().find_class(module_name, global_name)
        if module_name == "torch" and isinstance(dtype := getattr(torch, global_name, None), torch.dtype):
            return dtype
        return StandIn


def load(file: Any, **settings: Any) -> Any:
    """As `pickle.load`, which torch calls for the beginning of old files."""
    return Unpickler(file, **settings).load()


class _Pickle:
    """What `torch.load` takes for the module ``pickle``."""

    Unpickler, load, __name__ = Unpickler, staticmethod(load), "genviz"


def read(path: Path, *, mapped: bool = False) -> Any:
    """What is in ``path``, with stand-ins for all that is neither a tensor nor plain data.

    Args:
        mapped: map the file into memory.

    Raises:
        ValueError: it is not a file of `torch.save`.
    """
    archived = zipfile.is_zipfile(path)
    if archived and _is_program(path):
        raise ValueError("it is a TorchScript program")
    mapped = mapped and archived
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the source differs
            return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_Pickle, mmap=mapped)
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError("it holds more than tensors and plain data") from error


def _is_program(path: Path) -> bool:
    """Whether `torch.load` would hand the file to `torch.jit.load`, which runs code in it."""
    with zipfile.ZipFile(path) as archive:
        return any(name.rpartition("/")[2] == "constants.pkl" for name in archive.namelist())
