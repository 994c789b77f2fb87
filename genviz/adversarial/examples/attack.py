"""An attack on some pictures: the shared layer, with a perturbation as the generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from genviz.adversarial.examples.methods import Steps
from genviz.coupling import Coupling
from genviz.errors import UserError
from genviz.generators.perturbation import Norm, Perturbation
from genviz.images.randomness import Streams
from genviz.interfaces import Classifier, Objective, Outline
from genviz.objectives.activation import Activation
from genviz.objectives.content import Content
from genviz.objectives.probability import LogProbability
from genviz.optimizers.steepest import Steepest
from genviz.targets.grammar import Target
from genviz.training.trainer import fit, make_trainer

_SMALL = 160 * 160
"""Pixels of pictures that go through a network together even on a CPU, where larger ones do not fit into its caches."""

_AT_ONCE, _SIDE, _MOST = 16, 224, 256


class Attacked(NamedTuple):
    """What an attack made of some pictures."""

    images: Tensor
    """RGB in [0, 1] in steps of 1/255, (n, 3, h, w), on the CPU."""
    flat: Tensor
    """Of each picture, whether the last gradient was 0 everywhere, (n,)."""


def attack(
    classifier: Classifier,
    originals: Tensor,
    targets: Sequence[Target],
    epsilon: Tensor,
    steps: Sequence[Steps],
    *,
    norm: Norm = "linf",
    seeds: Sequence[int],
    trainer: dict[str, Any] | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> Attacked:
    """Perturb each of ``originals`` until its target fires; one with negative weights is pushed away.

    Args:
        classifier: the attacked network.
        originals: RGB in [0, 1], (n, 3, h, w).
        targets: one for each.
        epsilon: the largest norm of each picture's perturbation, in units of [0, 1], (n,).
        steps: one for each; only their sizes may differ.
        norm: of perturbations and steps.
        seeds: of the random starts, one for each.
        trainer: Lightning's settings; None: on the CPU.
        ended: asked after each step whether to give up.

    Raises:
        UserError: the target cannot be attacked.
    """
    streams, (number, _, random_start, momentum) = Streams(list(seeds)), steps[0]
    generator = Perturbation(
        image=originals.cpu(),
        epsilon=epsilon,
        norm=norm,
        start="random" if random_start else "zero",
        streams=streams,
    )
    sizes = torch.tensor([own.size for own in steps], dtype=epsilon.dtype)
    coupling = Coupling(
        generator=generator,
        classifier=classifier,
        objective=objective_of(targets, classifier.outline, generator.original),
        target=targets,
        optimizer=lambda parameters: Steepest(parameters, lr=sizes, norm=norm, momentum=momentum),
        streams=streams,
        together=True if originals[0, 0].numel() <= _SMALL else None,
        may_vanish=True,  # which is then what the attack has found out
    )
    settings = {"accelerator": "cpu", "devices": 1} if trainer is None else trainer
    fit(make_trainer(settings, [_Watch(ended)], updates=number), coupling, number, stays=True)
    gradient = generator.values.grad
    flat = torch.zeros(len(originals), dtype=torch.bool)
    if gradient is not None:
        flat = (gradient == 0).flatten(1).all(1).cpu()
    return Attacked(coupling.settled().cpu(), flat)


def pictures_at_once(size: tuple[int, int]) -> int:
    """How many pictures of ``size``, rows and columns, to attack together: 16 of 224 x 224, more of smaller ones."""
    return min(_MOST, max(_AT_ONCE, _AT_ONCE * _SIDE * _SIDE // (size[0] * size[1])))


def objective_of(targets: Sequence[Target], outline: Outline, originals: Tensor) -> Objective:
    """What the attack maximizes: of classes, the log-probability; of layers, the distance; of others, the activation.

    Raises:
        UserError: layers beside other units, or a layer that should stay as it is.
    """
    units = [unit for target in targets for unit in target.units]
    kinds = {unit.kind for unit in units}
    if kinds == {"class"}:
        return LogProbability(targets)
    if "layer" in kinds:
        odd = next((unit for unit in units if unit.kind != "layer" or unit.weight >= 0), None)
        if odd is not None:
            raise UserError(
                f"target={targets[0]}: a layer can only be pushed away from what it is in the picture, and only by "
                "itself: layer:NAME@-1"
            )
        return Content(targets, outline, image=originals)
    return Activation(targets, outline, lambda_others=0.0)


class _Watch(pl.Callback):
    def __init__(self, ended: Callable[[], bool]) -> None:
        self._ended = ended

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if self._ended():
            trainer.should_stop = True
