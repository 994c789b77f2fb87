"""genviz train: train a generator for one target, for many, or for a figure."""

from __future__ import annotations

from omegaconf import DictConfig

from genviz.targets.selections import find_selections
from genviz.training import build
from genviz.training.settings import is_figure

# Some imports are lazy: a wrong target need not wait seconds for Lightning.


def train(config: DictConfig) -> int:
    """Train for the configured figure, sweep or target; return the exit code."""
    if is_figure(config):
        from genviz.sweeps.figure import draw

        return draw(config)
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
