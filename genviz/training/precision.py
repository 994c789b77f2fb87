"""How exactly a card computes products of float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def tf32(allowed: bool, device: torch.device | None = None) -> Iterator[None]:
    """In this context, a card may round the factors of products of float32 to TF32, 10 bits, or may not.

    Args:
        device: that computes; on a CPU, nothing is set. None: the card, if there is one.
    """
    if not torch.cuda.is_available() if device is None else device.type != "cuda":
        yield
        return
    # not torch.backends.cuda.matmul.allow_tf32: once it is set, torch refuses to read a precision of "medium"
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
