"""One perturbation for all pictures by projected gradient ascent: a coupling whose views are many pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from signal import Signals

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, open_dict
from torch import Tensor

import genviz
from genviz.coupling import Coupling
from genviz.errors import UserError
from genviz.interfaces import SCORES, Classifier, Objective
from genviz.objectives.sum import Sum
from genviz.optimizers.schedules import falling
from genviz.targets.grammar import parse_target
from genviz.targets.probabilities import Ending, ending_of, log_probabilities
from genviz.training import build
from genviz.training.callbacks.checkpoints import Checkpoints
from genviz.training.callbacks.monitor import Monitor
from genviz.training.checkpoint import check_identity, read_checkpoint
from genviz.training.precision import tf32
from genviz.training.trainer import fit, make_trainer
from genviz.transforms.transform import Transform

_GREY = 0.5
_NONE: Ending = ""


class Added(Transform):
    """Adds the perturbation of an image around grey to some pictures, others in each update, clipped to [0, 1].

    The pictures are drawn without repetition until all have been, then again, mirrored, and so on in turn; which they
    are depends on the update and ``seed`` alone.

    Args:
        pictures: bytes (n, 3, h, w).
        labels: what the network names in each, (n,).
        at_once: how many in an update.

    Attributes:
        drawn: the labels of those of the last update, (at_once,).
    """

    def __init__(self, pictures: Tensor, labels: Tensor, *, at_once: int, seed: int) -> None:
        super().__init__()
        self.pictures, self.labels, self.at_once, self.seed = pictures, labels, at_once, seed
        self.drawn = labels[:0]

    def forward(self, images: Tensor) -> Tensor:
        """Turn an image (1, 3, h, w) into (at_once, 3, h, w)."""
        update = int(self.update)
        rows = self.rows(update)
        self.drawn = self.labels[rows].to(images.device)
        places = torch.arange(update * self.at_once, (update + 1) * self.at_once)
        is_mirrored = (places // len(self.pictures) % 2 == 1)[:, None, None, None]
        pictures = torch.where(is_mirrored, self.pictures[rows].flip(3), self.pictures[rows])
        return (pictures.to(images) / 255 + images - _GREY).clamp(0, 1)

    def rows(self, update: int) -> Tensor:
        """Which pictures an update takes."""
        count = len(self.pictures)
        places = torch.arange(update * self.at_once, (update + 1) * self.at_once)
        orders = {epoch: self._order(epoch) for epoch in (places // count).unique().tolist()}
        return torch.stack([orders[int(place) // count][int(place) % count] for place in places])

    def _order(self, epoch: int) -> Tensor:
        return torch.randperm(
            len(self.pictures), generator=torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        )


class Away(Objective):
    """Away from what the network says of each picture: the negative logarithm of that class's probability.

    It counts up to ``enough``: otherwise the pictures that are fooled already would decide alone (Shafahi et al. 2020:
    the clipped cross-entropy).

    Args:
        added: draws the pictures.
        enough: as a logarithm, natural.
    """

    def __init__(self, added: Added, *, enough: float = math.inf) -> None:
        super().__init__()
        self.added, self.enough, self.ending = [added], enough, _NONE  # in a list: it is not a part of this

    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:  # noqa: ARG002
        self.ending = ending_of(classifier)

    @property
    def layers(self) -> tuple[str, ...]:
        return (SCORES,)

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        """The score of each picture, or of each view of it, (at_once * views,)."""
        values, drawn = log_probabilities(seen[SCORES], self.ending), self.added[0].drawn
        labels = drawn.repeat_interleave(len(values) // len(drawn))  # views of a picture are next to each other
        return (-values.gather(1, labels[:, None])[:, 0]).clamp(max=self.enough)


def by_gradient(
    config: DictConfig,
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    *,
    folder: Path,
    checkpoint: Path,
    identity: Mapping[str, str],
) -> Tensor | Signals:
    """Make the perturbation, or go on with that in ``checkpoint``.

    Args:
        images: bytes (n, 3, h, w).
        labels: what the network names in each, (n,).
        folder: for ``metrics.csv``.
        identity: every setting that the result depends on.

    Returns:
        (3, h, w); or the signal that ended it, after a checkpoint.

    Raises:
        UserError: a setting cannot work, the checkpoint is damaged or of other settings, or the loss is not finite.
    """
    found = read_checkpoint(checkpoint) if checkpoint.exists() else None
    if found is not None:
        check_identity(checkpoint, identity, found)
        if found["global_step"] < config.updates:
            print(f"continuing after update {found['global_step']} of {config.updates} (resume=false starts over)")
    coupling = _couple(config, classifier, images, labels)
    monitor = Monitor(
        metrics_files=[folder / "metrics.csv"],
        updates=config.updates,
        title="universal",
        log_every=config.log_every,
        shown={"score": ".3f"},
    )
    record = {"config": build.plain(config), "identity": dict(identity), "genviz": genviz.__version__}
    checkpoints = Checkpoints(
        path=checkpoint,
        every=config.checkpoint_every,
        updates=config.updates,
        record={**record, "wandb_run_id": None},
        monitor=monitor,
    )
    trainer = make_trainer(build.plain(config)["trainer"], [monitor, checkpoints], updates=config.updates)
    with tf32(config.tf32, trainer.strategy.root_device):
        fit(trainer, coupling, config.updates, resumed=None if found is None else checkpoint)
    if checkpoints.signal is not None and trainer.global_step < config.updates:
        return checkpoints.signal
    if monitor.failure is not None:
        raise UserError(f"{monitor.failure}; try a smaller optimizer.lr")
    return coupling.settled()[0].cpu() - _GREY


def _couple(config: DictConfig, classifier: Classifier, images: Tensor, labels: Tensor) -> Coupling:
    pl.seed_everything(config.seed, verbose=False)
    outline = classifier.outline
    target = parse_target(f"layer:{SCORES}", outline.labels, outline.layers)
    with open_dict(config):
        settled = config.copy()
    build.settle(settled, target, classifier)
    added = Added(images, labels, at_once=config.at_once, seed=config.seed)
    coupling = Coupling(
        generator=build.generator(settled, build.streams(settled)),
        classifier=classifier,
        objective=Sum({"away": Away(added, enough=config.enough)}),
        target=target,
        optimizer=build.optimizer(settled),
        regularizers=build.regularizers(settled),
        transforms=[added, *build.transforms(settled)],
        schedule=falling(config.updates, config.lr_end, config.lr_rise),
        autocast=config.autocast,
    )
    coupling.configure_optimizers()  # checks its settings before anything is written
    return coupling
