"""The commands, as train.py, pretrain.py and distill.py and an installed genviz run them."""

from __future__ import annotations

from omegaconf import DictConfig

from genviz import program, shipped
from genviz.selections import find_selections

# Imported when they are needed: --help needs nothing, and a wrong target not Lightning, which takes seconds.


def train() -> None:
    """Train a generator until a target fires: python train.py target=class:harmonica"""
    program.run(_train, configs=shipped.folder("configs"), name="train")


def pretrain() -> None:
    """Train a denoising autoencoder, whose decoder is a generator: python pretrain.py data.root=photos/"""
    program.run(_pretrain, configs=shipped.folder("configs"), name="pretrain")


def distill() -> None:
    """Train a small network, or heads on a frozen one, to see what another sees: python distill.py data.root=photos/"""
    program.run(_distill, configs=shipped.folder("configs"), name="distill")


def invert() -> None:
    """Say how well each layer can be inverted: python -m genviz.invert pictures=photos/ classifier=vgg16"""
    program.run(_invert, configs=shipped.folder("configs"), name="invert")


def contributions() -> None:
    """Say which filters a class is made of: python -m genviz.contributions target=class:harmonica layer=fire8"""
    program.run(_contributions, configs=shipped.folder("configs"), name="contributions")


def bias() -> None:
    """Say what a class is to the network: python -m genviz.bias target=class:harmonica pictures=photos/"""
    program.run(_bias, configs=shipped.folder("configs"), name="bias")


def _train(config: DictConfig) -> int:
    from genviz import build, checks, choice

    if config.panels is not None and config.get("target", None) is None and config.targets is None:
        from genviz.runs.figure import draw

        return draw(config)
    checks.check_training(config)
    choice.choose(config)
    outline = build.sketch(config.classifier)
    if config.targets is not None:
        from genviz.runs.classes import choosing
        from genviz.runs.sweep import sweep

        config.target = None
        return sweep(config, build.targets(config, outline, choosing(config)))
    if find_selections(config.target):
        from genviz.runs.classes import resolve

        resolve(config)
    target = build.target(config, outline)

    from genviz.runs.train import train

    return train(config, target)


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


def _contributions(config: DictConfig) -> int:
    from genviz import checks, choice

    checks.check_contributions(config)
    choice.choose(config)

    from genviz.runs.contributions import contributions

    return contributions(config)


def _bias(config: DictConfig) -> int:
    from genviz import checks, choice

    checks.check_bias(config)
    choice.choose(config)

    from genviz.runs.bias import bias

    return bias(config)


def _pretrain(config: DictConfig) -> int:
    from genviz import checks

    checks.check_pretraining(config)

    from genviz.runs.pretrain import pretrain

    return pretrain(config)
