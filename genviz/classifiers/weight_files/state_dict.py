"""State dicts in torch and safetensors files."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from genviz.classifiers.weight_files import foreign_file
from genviz.errors import UserError
from genviz.files import load_torch_file

_KEYS = ("state_dict", "model", "model_state_dict", "network", "net", "weights", "params")
"""Under which a checkpoint holds its network; any other counts if it is the only one with tensors alone."""
_WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""What DataParallel, `torch.compile`, FSDP and activation checkpointing call the module that they wrap."""
_PROBES = 5  # names that are looked for behind a prefix


def read(path: Path, *, mapped: bool = False) -> dict[str, Tensor]:
    """The state dict in ``path``, a ``.safetensors`` or a torch file; no code in the file is executed.

    Args:
        mapped: map a torch file into memory and skip its checksums.

    Raises:
        UserError: it holds no weights.
    """
    try:
        state = load_file(path) if path.suffix.lower() == ".safetensors" else _load(path, mapped)
    except (SafetensorError, ValueError, OSError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise UserError(
            f"{path} holds no weights that can be read ({why}); give a state dict as .pth or .safetensors"
        ) from error
    found = _inside(state)
    if found is None:
        raise UserError(f"{path} holds no state dict; save one with torch.save(network.state_dict(), FILE)")
    return found


def fitted(state: Mapping[str, Tensor], wanted: Collection[str], source: str) -> dict[str, Tensor]:
    """``state`` under the names ``wanted``, as far as it has them behind a prefix or between wrappers' names.

    A checkpoint of Lightning has its network as ``model.``, ``net.`` or whatever its attribute is called; what lies
    beside it, such as a loss with weights, is left out.

    Args:
        wanted: the network's own names.
        source: of the weights, for the message.

    Raises:
        UserError: the network is there several times.
    """
    names = set(wanted)
    best, prefixes = dict(state), [""]
    for spelt in (state, {_unwrapped(name): value for name, value in state.items()}):
        for prefix in _prefixes(spelt, names):
            found = {n.removeprefix(prefix): value for n, value in spelt.items() if n.startswith(prefix)}
            more = len(names & found.keys()) - len(names & best.keys())
            if more > 0:
                best, prefixes = found, [prefix]
            elif more == 0 and prefix not in prefixes and "" not in prefixes and names <= best.keys():
                prefixes.append(prefix)
        if names <= best.keys():
            break
    if len(prefixes) > 1:
        raise UserError(
            f"{source} holds the network {len(prefixes)} times, under {' and '.join(prefixes)}; save one of them: "
            "torch.save(network.state_dict(), FILE)"
        )
    return best


def _prefixes(state: Mapping[str, Tensor], wanted: set[str]) -> Iterator[str]:
    """What could stand before the wanted names, each once, '' first."""
    probes = sorted(wanted, key=len)[-_PROBES:]
    found = {name.removesuffix(probe) for probe in probes for name in state if name.endswith(f".{probe}")}
    yield from ("", *sorted(found))


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _load(path: Path, mapped: bool) -> Any:
    try:
        return load_torch_file(path, mapped=mapped)
    except ValueError as error:
        if not isinstance(error.__cause__, pickle.UnpicklingError):
            raise
        state = foreign_file.read(path, mapped=mapped)
        if _inside(state) is None:
            raise
        return state


def _inside(state: Any) -> dict[str, Tensor] | None:
    """The state dict in what a file holds; None if there is none."""
    while isinstance(state, Mapping):
        tensors = {str(name): value for name, value in state.items() if not str(name).endswith("_extra_state")}
        if tensors and all(isinstance(value, Tensor) for value in tensors.values()):
            return tensors
        inner = [state[key] for key in _KEYS if isinstance(state.get(key), Mapping)]
        others = [value for value in state.values() if _is_state_dict(value)]
        state = inner[0] if inner else others[0] if len(others) == 1 else None
    return None


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) > 0 and all(isinstance(part, Tensor) for part in value.values())
