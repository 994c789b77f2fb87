"""The commands, as train.py and distill.py and an installed genviz run them."""

from __future__ import annotations

from omegaconf import DictConfig

from genviz import program
from genviz.files import shipped

# Imported when they are needed: --help needs nothing, and a wrong target not Lightning, which takes seconds.


def train() -> None:
    """Train a generator until a target fires: python train.py target=class:harmonica"""
    program.run(_train, configs=shipped("configs"), name="train")


def distill() -> None:
    """Train a small classifier to see what a large one sees: python distill.py data.root=photos/"""
    program.run(_distill, configs=shipped("configs"), name="distill")


def _train(config: DictConfig) -> int:
    from genviz import build, choice

    build.check(config)
    choice.choose(config)
    target = build.target(config, build.sketch(config.classifier))

    from genviz.runs.train import train

    return train(config, target)


def _distill(config: DictConfig) -> int:
    from genviz import build

    build.check_distillation(config)

    from genviz.runs.distill import distill

    return distill(config)
