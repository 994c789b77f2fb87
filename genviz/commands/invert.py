"""genviz invert: how well each layer can be inverted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genviz.commands.configured import configured

if TYPE_CHECKING:
    from omegaconf import DictConfig


def invert(config: DictConfig) -> int:
    """Invert the configured pictures from each layer; return the exit code."""
    from genviz.analysis import settings

    settings.check_inversions(config)

    from genviz.analysis import inversions

    return inversions.invert(config)


command = configured(
    invert,
    "Measure how well each layer can be inverted.",
    "genviz.analysis.settings:InvertSettings",
)
