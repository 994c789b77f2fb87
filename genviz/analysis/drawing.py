"""A generator that is trained until a target fires, without a configuration and without files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from genviz.coupling import Coupling
from genviz.errors import UserError
from genviz.generators.fourier import Fourier
from genviz.images.pictures import display, write_png
from genviz.images.randomness import Streams
from genviz.interfaces import Classifier, Generator, Objective, Regularizer
from genviz.objectives.activation import Activation
from genviz.objectives.sum import Sum
from genviz.regularizers.total_variation import TotalVariation
from genviz.targets.grammar import Target
from genviz.training.callbacks.monitor import Monitor
from genviz.training.trainer import fit, make_trainer
from genviz.training.verdict import Verdict, judge_image
from genviz.transforms.views import RandomViews


class Visualization(NamedTuple):
    """What came out."""

    images: Tensor
    """RGB in [0, 1], (n, 3, h, w), in steps of 1 / 255: what a file would hold."""

    verdicts: list[Verdict]
    """On each image: activation, rank, top classes, and what the objective measures."""

    metrics: list[dict[str, float]]
    """Of each update: loss, score, activation, rank, penalties."""

    def save(self, path: str | Path, which: int = 0) -> None:
        """Write an image as a PNG.

        Raises:
            UserError: the disk is full, or the folder cannot be written to.
        """
        write_png(Path(path), display(self.images[which]))


class _History(pl.Callback):
    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.rows.append({name: float(value) for name, value in outputs["metrics"][0].items()})


def draw(
    classifier: Classifier,
    target: Target,
    *,
    generator: Generator | Callable[..., Generator] | None = None,
    objective: Objective | Mapping[str, Objective] | Callable[..., Objective] | None = None,
    regularizers: Mapping[str, Regularizer] | None = None,
    transforms: Sequence[nn.Module] | None = None,
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] | None = None,
    updates: int = 300,
    seeds: Sequence[int] = (0,),
    accelerator: str = "auto",
) -> Visualization:
    """Train a generator until ``target`` fires; the arguments are `genviz.analysis.visualization.visualize`'s."""
    streams = Streams(seeds)
    made = _generator(generator, classifier, streams)
    if objective is None:
        objective = partial(Activation, warm_up=min(60, updates // 2))
    if not isinstance(objective, Objective | Mapping):
        objective = objective(target, classifier.outline)
    parts = objective if isinstance(objective, Mapping) else {"objective": objective}
    coupling = Coupling(
        generator=made,
        classifier=classifier,
        objective=Sum(parts),
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
    verdicts = [
        judge_image(image[None], classifier, target, coupling.objective, first=begun[None], failure=monitor.failure)
        for image, begun in zip(images, first, strict=True)
    ]
    return Visualization(images, verdicts, history.rows)


def _generator(
    given: Generator | Callable[..., Generator] | None, classifier: Classifier, streams: Streams
) -> Generator:
    if isinstance(given, Generator):
        if (held := len(given().images)) != len(streams):
            raise UserError(f"the generator holds {held} images and there are {len(streams)} seeds")
        return given
    make = partial(Fourier, size=classifier.outline.input_size) if given is None else given
    if isinstance(make, type) and not getattr(make, "holds_many", False):
        raise UserError(f"{make.__name__} takes no seeds; give one that you have made, {make.__name__}(), and one seed")
    return make(streams=streams)


def _views() -> RandomViews:
    return RandomViews(views=2, rotate=10, scale=(0.8, 1.6), shift=0.15)


def _as_written(images: Tensor) -> Tensor:
    return torch.stack([display(image).permute(2, 0, 1).float() / 255 for image in images])
