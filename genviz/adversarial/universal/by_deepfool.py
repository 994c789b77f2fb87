"""One perturbation for all pictures by the published algorithm, with DeepFool inside."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import Signals
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from genviz.adversarial.deepfool import deepfool
from genviz.errors import UserError
from genviz.files import atomic_write, load_torch_file
from genviz.generators.perturbation_for_all import projected
from genviz.training.signals import noticing

_KEYS = {"identity", "values", "passes", "pictures", "rates"}


class Way(NamedTuple):
    """How the perturbation is made."""

    xi: float
    norm: str
    fooled: float
    """The share of the pictures after which it ends, 1 - delta."""
    passes: int
    """At most."""
    seed: int
    """Of the order of the pictures, another in each pass."""
    deepfool: Mapping[str, Any]
    """DeepFool's settings: classes, steps, overshoot, norm."""


def by_deepfool(
    scores: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    way: Way,
    *,
    checkpoint: Path,
    identity: Mapping[str, str],
    every: int,
    rate: Callable[[Tensor], float],
) -> Tensor | Signals:
    """Make the perturbation (Moosavi-Dezfooli et al. 2017, algorithm 1), or go on with that in ``checkpoint``.

    Of each picture x that v does not fool yet, the smallest r is found with another class for x + v + r, and v becomes
    the projection of v + r onto the ball. Passes over all pictures are made until enough of them are fooled.

    Args:
        scores: maps images in [0, 1] to class scores before any softmax.
        images: bytes (n, 3, h, w).
        labels: what the network names in each, (n,).
        identity: every setting that the result depends on.
        every: pictures between two checkpoints.
        rate: the share of the pictures that a perturbation (3, h, w) fools.

    Returns:
        (3, h, w); or the signal that ended it, after a checkpoint.

    Raises:
        UserError: the checkpoint is damaged, or of other settings.
    """
    state = _begun(checkpoint, identity) or {"passes": 0, "pictures": 0, "rates": []}
    values = state.pop("values", torch.zeros(images.shape[1:]))
    if state["passes"] or state["pictures"]:
        print(
            f"continuing in pass {state['passes'] + 1}, after {state['pictures']} pictures (resume=false starts over)"
        )

    def save() -> None:
        buffer = io.BytesIO()
        torch.save({**state, "values": values, "identity": dict(identity)}, buffer)
        with atomic_write(checkpoint) as file:
            file.write(buffer.getbuffer())

    with noticing() as noticed:
        while state["passes"] < way.passes and not any(rate >= way.fooled for rate in state["rates"]):
            order = _order(len(images), way.seed, state["passes"])
            title = f"pass {state['passes'] + 1}"
            with tqdm(
                total=len(order), initial=state["pictures"], desc=title, unit="picture", dynamic_ncols=True
            ) as bar:
                for row in order[state["pictures"] :]:
                    values = _step(scores, images[row : row + 1], labels[row : row + 1], values, way)
                    state["pictures"] += 1
                    bar.update()
                    if noticed or state["pictures"] % every == 0:
                        save()
                    if noticed:
                        return noticed[0]
            state["rates"].append(rate(values))
            state["passes"], state["pictures"] = state["passes"] + 1, 0
            save()
            print(f"{title}: {state['rates'][-1]:.1%} of the used pictures are fooled", flush=True)
    return values


def _step(scores: Callable[[Tensor], Tensor], image: Tensor, label: Tensor, values: Tensor, way: Way) -> Tensor:
    """``values`` after one picture, bytes (1, 3, h, w)."""
    begun = image.float() / 255 + values
    found = deepfool(scores, begun, labels=label, bounds=None, **way.deepfool)  # not clipped, as theirs
    if not found.steps[0]:  # fooled already
        return values
    return projected(values[None] + found.images - begun, way.xi, way.norm)[0]


def _order(count: int, seed: int, passes: int) -> list[int]:
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(seed * 1_000_003 + passes))
    return [int(row) for row in shuffled]


def _begun(path: Path, identity: Mapping[str, str]) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        state = load_torch_file(path)
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); resume=false starts over (it is renamed)") from error
    if not isinstance(state, dict) or not state.keys() >= _KEYS:
        raise UserError(f"{path} is not a perturbation's checkpoint; resume=false starts over (it is renamed)")
    made = state.pop("identity")
    changed = [f"{key} was {made.get(key)} and is {identity.get(key)}" for key in {**made, **identity}
               if made.get(key) != identity.get(key)]  # fmt: skip
    if changed:
        raise UserError(
            f"{path} was started with other settings ({', '.join(changed[:2])}); tag=NAME keeps both, "
            "resume=false starts over (the old files are renamed)"
        )
    return state
