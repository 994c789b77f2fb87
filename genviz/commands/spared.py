"""What other libraries would import or begin only because they are installed, and no command needs them for."""

from __future__ import annotations

import os
from functools import cache

from lightning_utilities.core import imports
from lightning_utilities.core.imports import RequirementCache

from genviz.training.wandb_account import logged_in

_SPARED = ("matplotlib", "rich", "scipy")
"""For plots and scores of sound by torchmetrics, and a progress bar that is switched off: 91 MB and 1.3 seconds."""


@cache
def spare() -> None:
    """Have Lightning and torchmetrics, imported later, take these packages as not installed, and W&B be offline.

    Where nobody is logged in, runs are offline; W&B knows it too late to leave out its telemetry, whose threads and
    packages take 15 MB. For a command's own process, not for a program that may use them.
    """
    if not logged_in():
        os.environ.setdefault("WANDB_MODE", "offline")
    answer, available = RequirementCache.__bool__, imports.package_available

    def without(cache: RequirementCache) -> bool:
        return not (cache.requirement or "").startswith(_SPARED) and answer(cache)

    RequirementCache.__bool__ = without  # type: ignore[method-assign,assignment]
    imports.package_available = lambda name: name not in _SPARED and available(name)  # type: ignore[assignment]
