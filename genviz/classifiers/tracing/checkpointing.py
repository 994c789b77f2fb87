"""Networks that recompute their activations (torch.utils.checkpoint), which a look at their layers would confuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch.utils.checkpoint as torchs


@contextmanager
def not_recomputed() -> Iterator[None]:
    """Have checkpointed functions called as they are while the block runs.

    The reentrant kind computes its layers without gradients; the other one counts the tensors of a second pass, in
    which nobody looks. Both are for training, whose memory is not needed here.
    """
    replaced: dict[str, Any] = {
        "CheckpointFunction": SimpleNamespace(apply=lambda function, _, *args: function(*args)),
        "_checkpoint_without_reentrant_generator": _plainly,
    }
    before = {name: getattr(torchs, name) for name in replaced if hasattr(torchs, name)}
    try:
        for name in before:
            setattr(torchs, name, replaced[name])
        yield
    finally:
        for name, own in before.items():
            setattr(torchs, name, own)


def _plainly(*args: Any, **kwargs: Any) -> Iterator[None]:  # noqa: ARG001 - torch's signature
    """A stand-in for torch's generator, which prepares before its only ``yield`` and tidies up after it."""
    yield
