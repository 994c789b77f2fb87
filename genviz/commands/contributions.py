"""genviz contributions: which filters a class is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genviz.commands.configured import configured

if TYPE_CHECKING:
    from omegaconf import DictConfig


def contributions(config: DictConfig) -> int:
    """List what the filters of a layer contribute to a class; return the exit code."""
    from genviz import checks, choice

    checks.check_contributions(config)
    choice.choose(config)

    from genviz.runs import contributions

    return contributions.contributions(config)


command = configured(contributions, "List the filters that a class is made of.")
