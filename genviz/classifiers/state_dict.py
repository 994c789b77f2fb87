"""State dicts in torch and safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from genviz.errors import UserError
from genviz.files import load_torch_file


def read(path: Path, *, mapped: bool = False) -> dict[str, Tensor]:
    """The state dict in ``path``, a ``.safetensors`` or a torch file; no code in the file is executed.

    Args:
        mapped: map a torch file into memory and skip its checksums.

    Raises:
        UserError: it holds no weights.
    """
    try:
        state: Any = load_file(path) if path.suffix == ".safetensors" else load_torch_file(path, mapped=mapped)
    except (SafetensorError, ValueError, OSError) as error:
        why = str(error).strip().splitlines()[0][:120]
        raise UserError(
            f"{path} holds no weights that can be read ({why}); give a state dict as .pth or .safetensors"
        ) from error
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} holds no state dict; save one with torch.save(network.state_dict(), FILE)")
    return {str(key).removeprefix("module."): value for key, value in state.items()}
