"""The commands, as train.py, pretrain.py and distill.py and an installed genviz run them."""

from __future__ import annotations

from omegaconf import DictConfig

from genviz import program
from genviz.files import shipped

# Imported when they are needed: --help needs nothing, and a wrong target not Lightning, which takes seconds.


def train() -> None:
    """Train a generator until a target fires: python train.py target=class:harmonica"""
    program.run(_train, configs=shipped("configs"), name="train")


def pretrain() -> None:
    """Train a denoising autoencoder, whose decoder is a generator: python pretrain.py data.root=photos/"""
    program.run(_pretrain, configs=shipped("configs"), name="pretrain")


def distill() -> None:
    """Train a small classifier to see what a large one sees: python distill.py data.root=photos/"""
    program.run(_distill, configs=shipped("configs"), name="distill")


def invert() -> None:
    """Say how well each layer can be inverted: python -m genviz.invert pictures=photos/ classifier=vgg16"""
    program.run(_invert, configs=shipped("configs"), name="invert")


def _train(config: DictConfig) -> int:
    from genviz import build, checks, choice

    if config.panels is not None and config.get("target", None) is None and config.targets is None:
        from genviz.runs.figure import draw

        return draw(config)
    checks.check_training(config)
    choice.choose(config)
    targets = build.targets(config, build.sketch(config.classifier))
    if config.targets is not None:
        from genviz.runs.sweep import sweep

        config.target = None

        return sweep(config, targets)

    from genviz.runs.train import train

    return train(config, targets[0])


def _distill(config: DictConfig) -> int:
    from genviz import checks

    checks.check_distillation(config)

    from genviz.runs.distill import distill

    return distill(config)


def _invert(config: DictConfig) -> int:
    from genviz import checks

    checks.check_inversions(config)

    from genviz.runs.invert import invert

    return invert(config)


def _pretrain(config: DictConfig) -> int:
    from genviz import checks

    checks.check_pretraining(config)

    from genviz.runs.pretrain import pretrain

    return pretrain(config)
