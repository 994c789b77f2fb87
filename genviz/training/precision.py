"""In which numbers a machine computes: bfloat16 where it has it, TF32 where it may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from omegaconf import DictConfig, OmegaConf

AUTO = "auto"
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""A CPU's instructions for it, as `torch.cpu.get_capabilities` calls them; an ARM's is the last."""


def choose(config: DictConfig) -> None:
    """Replace ``trainer.precision=auto`` by the quickest one of this machine."""
    if OmegaConf.select(config, "trainer.precision") == AUTO:
        config.trainer.precision = quickest(config.trainer.accelerator)


def quickest(accelerator: str) -> str:
    """``bf16-mixed`` if the hardware computes in bfloat16, ``32-true`` if it only emulates that, which takes longer.

    Args:
        accelerator: Lightning's: auto, cpu, gpu, cuda or mps. On mps, it is ``32-true``; bfloat16 was not tried there.
    """
    if accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if accelerator != "cpu" and torch.backends.mps.is_available():
        return "32-true"
    known = getattr(torch.cpu, "get_capabilities", None)  # absent from some versions of torch
    abilities: Mapping[str, object] = {} if known is None else known()
    return "bf16-mixed" if any(abilities.get(name) for name in _BFLOAT16) else "32-true"


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
