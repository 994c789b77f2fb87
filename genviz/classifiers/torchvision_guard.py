"""Makes torchvision importable with a CPU build of torch.

PyPI's torchvision is built against the CUDA build of torch. With a CPU build its compiled extension does not load, and
``import torchvision`` fails with ``operator torchvision::nms does not exist``. Models, transforms and datasets need no
compiled operator: declaring the two schemas is enough.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import library

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[library.Library] = []  # schemas live as long as their library


class _Guard(MetaPathFinder):
    """Declares the schemas when torchvision is imported, not before: importing torch takes seconds."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            _declare()
        return None


def install() -> None:
    """Make sure that torchvision, once imported, finds the schemas that its own extension cannot declare."""
    if "torchvision" not in sys.modules and not any(isinstance(finder, _Guard) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Guard())


def _declare() -> None:
    import torch
    from torch import library

    if _declared or _extension_loads():
        return
    fragment = library.Library("torchvision", "FRAGMENT")
    for name, schema in SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            fragment.define(schema)
    _declared.append(fragment)


def _extension_loads() -> bool:
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # nothing to guard: the import will say what is missing
    for extension in (e for pattern in ("_C*.so", "_C*.pyd") for e in Path(spec.origin).parent.glob(pattern)):
        try:
            torch.ops.load_library(str(extension))
        except OSError:
            return False
    return True
