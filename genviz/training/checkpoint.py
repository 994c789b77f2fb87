"""Checkpoints: written atomically, read without executing code, and continued only with the same settings."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch.utils._pytree import tree_map

from genviz.errors import UserError
from genviz.files import atomic_write, load_torch_file
from genviz.generators.stacking import join, split
from genviz.training.writers import Writers

FORMAT = 1
KEY = "genviz"
"""The key of genviz's data in a Lightning checkpoint: format, config, identity, RNG states, run id, seconds."""


USUAL = {"median": 1, "lr_end": 1.0, "lr_rise": 0, "images": 1}
"""Settings of a training that its identity leaves out at these values, as the first ones lacked them."""
ONLY_WITH = {"snapshot_every": "median", "updates": "lr_end"}
"""Settings that a picture depends on only where another is not at its usual value: the identity leaves out both."""
_NOT_TOLD = {"target.classes", "display"}
"""What the identities of earlier checkpoints lack."""
_KEYS = {"state_dict", "optimizer_states", "loops", "global_step", "identity", "rng", "seconds", "wandb_run_id"}
_SIDE_BY_SIDE = ("state_dict", "optimizer_states")
_APART = {*_SIDE_BY_SIDE, "streams", KEY}


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, written atomically and loaded with ``weights_only``.

    A state with a value that is not finite is not written; the last sound one stays.

    Args:
        writers: of the pictures that a checkpoint goes with, which must be there before it is; None: no threads.
    """

    def __init__(self, writers: Writers | None = None) -> None:
        super().__init__()
        self.writers = writers or Writers()

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        self.writers.wait()
        _write(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        return read_checkpoint(Path(path))


class Apart(NamedTuple):
    """The checkpoint of one target of a batch."""

    path: Path
    record: Mapping[str, Any]
    """What it holds besides the state: config, identity, run id."""


class BatchCheckpointIO(AtomicCheckpointIO):
    """Writes each target of a batch the checkpoint that it would have alone, so that it can continue in any batch.

    Args:
        targets: in the order of the batch's images, one each; none of them uses torch's own random stream.
        failed: tells which of them are no longer saved.
        writers: write the files.
    """

    def __init__(
        self, targets: Sequence[Apart], failed: Callable[[], Sequence[bool]], writers: Writers | None = None
    ) -> None:
        super().__init__(writers)
        self.targets, self.failed = targets, failed

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        count = len(self.targets)
        rest = {key: value for key, value in checkpoint.items() if key not in _APART}
        states = split(tree_map(_here, {key: checkpoint[key] for key in _SIDE_BY_SIDE}), count)
        self.writers.wait()  # for the files before, so that no more than one state of all targets is in memory
        ours, streams = checkpoint[KEY], checkpoint["streams"]
        apart = zip(self.targets, states, streams, self.failed(), strict=True)
        for number, (target, state, stream, failed) in enumerate(apart):
            if not failed:
                rng = {**ours["rng"], "torch": stream}  # alone, its stream is torch's own
                own = {**ours, **target.record, "rng": rng, "seconds": ours["seconds"] / count}
                whole = {**rest, **state, "streams": [], KEY: own}
                self.writers.write(number, partial(_write, whole, target.path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Join the targets' checkpoints, all of the same update."""
        checkpoints = [read_checkpoint(target.path) for target in self.targets]
        ours = [checkpoint[KEY] for checkpoint in checkpoints]
        return {
            **checkpoints[0],
            **join([{key: checkpoint[key] for key in _SIDE_BY_SIDE} for checkpoint in checkpoints]),
            "streams": [own["rng"]["torch"] for own in ours],
            KEY: {**ours[0], "seconds": sum(own["seconds"] for own in ours)},
        }


def _write(checkpoint: Mapping[str, Any], path: Path) -> None:
    if all(bool(value.isfinite().all()) for value in checkpoint["state_dict"].values()):
        buffer = io.BytesIO()  # written in one piece: torch hides a full disk in a RuntimeError
        torch.save(checkpoint, buffer)
        with atomic_write(path) as file:
            file.write(buffer.getbuffer())


def _here(value: Any) -> Any:
    """A tensor in the host's memory; anything else as it is."""
    return value.cpu() if isinstance(value, torch.Tensor) else value


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of genviz's.

    Raises:
        UserError: the file is damaged, or not a checkpoint of genviz's.
    """
    try:
        checkpoint = load_torch_file(path)
    except ValueError as error:
        raise UserError(f"the checkpoint {path} is damaged or not a checkpoint ({error}); {_START_OVER}") from error
    ours = checkpoint.get(KEY) if isinstance(checkpoint, dict) else None
    ours = ours if isinstance(ours, dict) else {}
    if ours.get("format") != FORMAT or not _is_whole({**checkpoint, **ours}):
        raise UserError(f"{path} is not a checkpoint of this version of genviz; {_START_OVER}")
    return checkpoint


def _is_whole(checkpoint: Mapping[str, Any]) -> bool:
    kinds = {"identity": dict, "global_step": int, "seconds": int | float}
    return (
        checkpoint.keys() >= _KEYS
        and all(isinstance(checkpoint[name], kind) for name, kind in kinds.items())
        and all(bool(checkpoint[name]) for name in _SIDE_BY_SIDE)
    )


def comparable(identity: Mapping[str, Any]) -> dict[str, Any]:
    """An identity with each part's class by its bare name, whatever module it was in at the time, and no null settings.

    An earlier version may not have had them.
    """
    return {
        name: value.rpartition(".")[2] if name.rpartition(".")[2] == "_target_" else value
        for name, value in identity.items()
        if value != "None"
    }


def differing(made: Mapping[str, Any], identity: Mapping[str, Any]) -> list[str]:
    """The names of the settings in which two identities differ, but for what the earlier one could not tell."""
    made, identity = comparable(made), comparable(identity)
    told = [name for name in {**made, **identity} if name in made or name not in _NOT_TOLD]
    names = [name for name in told if made.get(name) != identity.get(name)]
    both = made.keys() & identity.keys()
    return [name for name in names if name in both or ONLY_WITH.get(name) not in names]


def check_identity(
    path: Path, identity: Mapping[str, Any], checkpoint: Mapping[str, Any], *, apart: str = "tag=NAME"
) -> None:
    """Refuse to continue a run that was started with other settings.

    Args:
        identity: every setting that the result depends on, flat, by name.
        apart: the setting that keeps both runs.

    Raises:
        UserError: the checkpoint has another value of one of them.
    """
    made = checkpoint[KEY].get("identity", {})
    was, now = {**USUAL, **made}, {**USUAL, **identity}
    changed = [f"{key} was {was.get(key)} and is {now.get(key)}" for key in differing(made, identity)]
    if changed:
        rest = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise UserError(
            f"{path} was started with other settings ({', '.join(changed[:3])}{rest}); use those, "
            f"{apart} to keep both runs, or {_START_OVER.removeprefix('use ')}"
        )


def rng_states() -> dict[str, Any]:
    """The state of every random number generator that a training draws from."""
    version, numbers, gauss = random.getstate()
    return {
        "python": [version, list(numbers), gauss],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def restore_rng_states(states: Mapping[str, Any]) -> None:
    """Set every random number generator to the ``states`` of `rng_states`."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    torch.set_rng_state(states["torch"])
    cards = range(torch.cuda.device_count())  # another number than where the states were saved, perhaps
    for card, state in zip(cards, states["cuda"], strict=False):
        torch.cuda.set_rng_state(state, card)


_START_OVER = "use resume=false to start over (the old file is renamed)"
