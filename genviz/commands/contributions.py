"""genviz contributions: which filters contribute to a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genviz.commands.configured import configured

if TYPE_CHECKING:
    from omegaconf import DictConfig


def contributions(config: DictConfig) -> int:
    """List what the filters of a layer contribute to a class; return the exit code."""
    from genviz.analysis import settings
    from genviz.training import default_classifier

    settings.check_contributions(config)
    default_classifier.choose(config)

    from genviz.analysis import contributions_table

    return contributions_table.contributions(config)


command = configured(
    contributions, "List the filters that contribute to a class.", "genviz.analysis.settings:ContributionsSettings"
)
