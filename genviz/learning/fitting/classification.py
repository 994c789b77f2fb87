"""The training of a classifier on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MeanMetric, Metric
from torchmetrics.classification import MulticlassAccuracy

from genviz.classifiers.input_space import InputSpace
from genviz.errors import UserError
from genviz.learning.fitting.augmentation import Augmentation
from genviz.learning.fitting.labelled import Batch

LOSS, ACCURACY = "training/loss", "training/accuracy"
VALIDATION_LOSS, VALIDATION_ACCURACY = "validation/loss", "validation/accuracy"


class Classification(pl.LightningModule):
    """Minimizes the cross-entropy of the class scores.

    `training_step` returns the loss and ``metrics``, scalar tensors by name. At each validation the means over the
    updates since the last one are logged, and those over the validation pictures, under the names of this module.

    Args:
        network: maps images in ``input_space`` to class scores (n, classes); it may have a method ``constrain``, which
            is called after each update.
        input_space: from RGB in [0, 1].
        classes: the number of class scores.
        optimizer: a function that builds one for given parameters.
        learning_rate: its factor at an update.
        augmentation: of the training pictures.
        of_validation: of the validation pictures, always in the same way.
        seed: of that.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        input_space: InputSpace,
        classes: int,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        learning_rate: Callable[[int], float] = lambda _: 1.0,
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - immutable
        of_validation: Augmentation = Augmentation(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network, self.input_space = network, input_space
        self.optimizer, self.learning_rate = optimizer, learning_rate
        self.augmentation, self.of_validation, self.seed = augmentation, of_validation, seed
        self.loss, self.validation_loss = MeanMetric(), MeanMetric()
        self.accuracy = MulticlassAccuracy(classes, average="micro")
        self.validation_accuracy = MulticlassAccuracy(classes, average="micro")
        self.measures: dict[str, Metric] = {
            LOSS: self.loss,
            ACCURACY: self.accuracy,
            VALIDATION_LOSS: self.validation_loss,
            VALIDATION_ACCURACY: self.validation_accuracy,
        }
        for measure in self.measures.values():
            measure.persistent(True)  # a training may be resumed within an epoch

    def forward(self, images: Tensor) -> Tensor:
        """The class scores (n, classes) of RGB ``images`` (n, 3, h, w) in [0, 1]."""
        scores: Tensor = self.network(self.input_space(images))
        return scores

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """The loss of one update; 0 if all its pictures are damaged.

        Raises:
            UserError: the batch is too small for the network.
        """
        images, labels = batch
        if not len(labels):
            nothing = 0 * torch.stack([value.sum() for value in self.network.parameters()]).sum()
            return {"loss": nothing, "metrics": {"loss": nothing.detach(), "accuracy": nothing.detach()}}
        try:
            scores = self(self.augmentation(images.float() / 255))
        except ValueError as error:  # torch's, of batch norm on maps of one pixel
            if len(labels) > 1 or "more than 1 value per channel" not in str(error):
                raise
            raise UserError(
                "batch: one picture that can be decoded is too few for the network's batch norm; give a larger batch=N"
            ) from error
        loss = F.cross_entropy(scores.float(), labels)
        self.loss.update(loss.detach(), len(labels))
        self.accuracy.update(scores.detach(), labels)
        right = (scores.detach().argmax(1) == labels).float().mean()
        return {"loss": loss, "metrics": {"loss": loss.detach(), "accuracy": right}}

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Project the weights onto those that are allowed."""
        if callable(constrain := getattr(self.network, "constrain", None)):
            constrain()

    def on_validation_start(self) -> None:
        """Augment always in the same way."""
        self._draws = torch.Generator().manual_seed(self.seed)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Measure some of the validation pictures."""
        images, labels = batch
        if len(labels):
            scores = self(self.of_validation(images.float() / 255, self._draws)).float()
            self.validation_loss.update(F.cross_entropy(scores, labels), len(labels))
            self.validation_accuracy.update(scores, labels)

    def on_validation_epoch_end(self) -> None:
        """Log the means, and begin anew."""
        for name, measure in self.measures.items():
            if measure.update_called:
                self.log(name, measure.compute(), logger=False)
            measure.reset()

    def configure_optimizers(self) -> Any:
        """The optimizer of the network, with the learning-rate schedule."""
        optimizer = self.optimizer(self.network.parameters())
        schedule = LambdaLR(optimizer, self.learning_rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
