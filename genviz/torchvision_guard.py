"""Lets torchvision be imported beside a CPU build of torch.

PyPI's torchvision is built against CUDA's torch. Beside a CPU torch its compiled extension does not
load, and ``import torchvision`` stops at ``operator torchvision::nms does not exist``. Models,
transforms and datasets need no compiled operator: declaring the two schemas is enough.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []  # a library's schemas live as long as it does


def install() -> None:
    """Declare the schemas that torchvision's own extension cannot. Call before torchvision is imported."""
    if _declared or "torchvision" in sys.modules or _extension_loads():
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _declared.append(library)


def _extension_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # nothing to guard: the import will say what is missing
    for extension in (e for pattern in ("_C*.so", "_C*.pyd") for e in Path(spec.origin).parent.glob(pattern)):
        try:
            torch.ops.load_library(str(extension))
        except OSError:
            return False
    return True
