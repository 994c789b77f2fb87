"""genviz distill: train a small network, or heads on a frozen one, to see what another network sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genviz.commands.configured import configured

if TYPE_CHECKING:
    from omegaconf import DictConfig


def distill(config: DictConfig) -> int:
    """Distill the configured student; return the exit code."""
    from genviz.pretraining import settings

    settings.check_distillation(config)

    from genviz.pretraining import distill

    return distill.distill(config)


command = configured(
    distill, "Train a network to see what another sees.", "genviz.pretraining.settings:DistillSettings"
)
