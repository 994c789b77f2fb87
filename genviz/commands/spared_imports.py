"""What Lightning would import only because it is installed, and no command uses."""

from __future__ import annotations

from functools import cache

from lightning_utilities.core.imports import RequirementCache

_SPARED = ("matplotlib", "rich")
"""torchmetrics' plots, and a progress bar that is switched off: 29 MB, and a third of a second."""


@cache
def spare() -> None:
    """Have Lightning and torchmetrics, imported later, take these packages as not installed.

    For a command's own process, not for a program that may use them.
    """
    answer = RequirementCache.__bool__

    def without(cache: RequirementCache) -> bool:
        return not (cache.requirement or "").startswith(_SPARED) and answer(cache)

    RequirementCache.__bool__ = without  # type: ignore[method-assign,assignment]
