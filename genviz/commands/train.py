"""genviz train: train a generator until a target fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genviz.commands.configured import configured

if TYPE_CHECKING:
    from omegaconf import DictConfig

# Imports are lazy: --help needs none of them, and a wrong target need not wait seconds for Lightning.


def train(config: DictConfig) -> int:
    """Train for the configured figure, sweep or target; return the exit code."""
    from genviz.targets.selections import find_selections
    from genviz.training import build, default_classifier, settings

    if config.panels is not None and config.get("target", None) is None and config.targets is None:
        from genviz.sweeps.figure import draw

        return draw(config)
    settings.check_training(config)
    default_classifier.choose(config)
    outline = build.sketch(config.classifier)
    if config.targets is not None:
        from genviz.analysis.class_setup import choosing
        from genviz.sweeps.sweep import sweep

        config.target = None
        return sweep(config, build.targets(config, outline, choosing(config)))
    if find_selections(config.target):
        from genviz.analysis.class_setup import resolve

        resolve(config)
    target = build.target(config, outline)

    from genviz.training import train

    return train.train(config, target)


command = configured(
    train, "Train a generator until a class, filters or a layer fires.", "genviz.training.settings:TrainSettings"
)
