"""genviz pretrain: train a denoising autoencoder, whose decoder is a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genviz.commands.configured import configured

if TYPE_CHECKING:
    from omegaconf import DictConfig


def pretrain(config: DictConfig) -> int:
    """Pretrain the configured autoencoder; return the exit code."""
    from genviz.pretraining import settings

    settings.check_pretraining(config)

    from genviz.pretraining import pretrain

    return pretrain.pretrain(config)


command = configured(
    pretrain,
    "Pretrain a generator on your pictures, as an autoencoder.",
    "genviz.pretraining.settings:PretrainSettings",
)
