"""Trains a generator until a target fires, without a configuration and without files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from genviz.coupling import Coupling
from genviz.generators.fourier import Fourier
from genviz.images.pictures import display
from genviz.images.randomness import Streams
from genviz.interfaces import Classifier, Regularizer
from genviz.objectives.activation import Activation
from genviz.regularizers.total_variation import TotalVariation
from genviz.targets.grammar import Target
from genviz.training.callbacks.monitor import Monitor
from genviz.training.parts import MakesGenerator, MakesObjective, MakesOptimizer, made_generator, made_objective
from genviz.training.trainer import fit, make_trainer
from genviz.training.verdict import Verdict, judge_images
from genviz.transforms.views import RandomViews


class Drawing(NamedTuple):
    """The result of `draw`."""

    images: Tensor
    """RGB in [0, 1], (n, 3, h, w), in steps of 1 / 255, as in a file."""

    verdicts: list[Verdict]
    """For each image: activation, rank, top classes, and what the objective measures."""

    metrics: list[dict[str, float]]
    """For each update: loss, score, activation, rank, penalties."""


class _History(pl.Callback):
    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.rows += pl_module.metrics.named(outputs["metrics"].tolist())


def draw(
    classifier: Classifier,
    target: Target,
    *,
    generator: MakesGenerator | None = None,
    objective: MakesObjective | None = None,
    regularizers: Mapping[str, Regularizer] | None = None,
    transforms: Sequence[nn.Module] | None = None,
    optimizer: MakesOptimizer | None = None,
    updates: int = 300,
    seeds: Sequence[int] = (0,),
    accelerator: str = "auto",
) -> Drawing:
    """Train a generator until ``target`` fires in ``classifier``.

    Args:
        generator: one that holds an image for each seed, or a function that builds it, called with ``streams=``;
            None: Fourier coefficients at the classifier's input size.
        objective: one, several by name, or a function that builds it, called with the target and the classifier's
            outline; None: `Activation`, that of Despraz et al. (2017).
        regularizers: by name; None: total variation with weight 3.
        transforms: None: two random views.
        optimizer: a function that builds one for given parameters; None: Adam with a learning rate of 0.05.
        updates: how many.
        seeds: one per image; each image is what it would be with its seed alone.
        accelerator: Lightning's: auto, cpu, gpu.

    Raises:
        UserError: a setting cannot work.
    """
    streams = Streams(seeds)
    if generator is None:
        generator = partial(Fourier, size=classifier.outline.input_size)
    if objective is None:
        objective = partial(Activation, warm_up=min(60, updates // 2))
    coupling = Coupling(
        generator=made_generator(generator, streams),
        classifier=classifier,
        objective=made_objective(objective, target, classifier.outline),
        target=target,
        optimizer=optimizer or (lambda parameters: torch.optim.Adam(parameters, lr=0.05)),
        regularizers={"total_variation": TotalVariation(weight=3.0)} if regularizers is None else regularizers,
        transforms=[_views()] if transforms is None else transforms,
        streams=streams,
    )
    first = _as_written(coupling.settled())
    history = _History()
    monitor = Monitor(
        metrics_files=[None],
        updates=updates,
        title=str(target),
        log_every=updates,
        shown={"score": ".3g", "loss": ".3g"},
    )
    trainer = make_trainer({"accelerator": accelerator, "devices": 1}, [monitor, history], updates=updates)
    fit(trainer, coupling, updates)
    images = _as_written(coupling.settled())
    verdicts = judge_images(
        images,
        classifier,
        coupling.targets,
        coupling.objective,
        firsts=list(first.split(1)),
        failures=[monitor.failure] * len(images),
    )
    return Drawing(images, verdicts, history.rows)


def _views() -> RandomViews:
    return RandomViews(views=2, rotate=10, scale=(0.8, 1.6), shift=0.15)


def _as_written(images: Tensor) -> Tensor:
    return torch.stack([display(image).permute(2, 0, 1).float() / 255 for image in images])
