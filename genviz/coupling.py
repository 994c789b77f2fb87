"""A generator coupled to a frozen classifier (Despraz et al. 2017, Figure 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from genviz.errors import UserError
from genviz.images.randomness import Streams
from genviz.interfaces import Classifier, Generator, Objective, Regularizer
from genviz.objectives.per_image import PerImage
from genviz.objectives.sum import Sum
from genviz.targets.grammar import Target
from genviz.targets.responses import read, weighted
from genviz.transforms.transform import Transform


class Coupling(pl.LightningModule):
    """Trains ``generator`` until ``classifier`` sees what ``objective`` asks for.

    The state dict is the generator's; checkpoints do not include the classifier. `training_step` returns the loss and
    ``metrics``, scalar tensors by name for each target: loss, score, activation (weighted, mean over views), rank
    (worst over the target's units and views), and each penalty.

    Args:
        target: what the metrics report; several for a batch split evenly among them, in order, with a `PerImage`
            objective.
        optimizer: builds an optimizer from the generator's trainable parameters.
        schedule: learning-rate factor at an update; None for 1.
        streams: the generator's random streams, one per image; the transforms draw from them too.
    """

    def __init__(
        self,
        *,
        generator: Generator,
        classifier: Classifier,
        objective: Objective,
        target: Target | Sequence[Target],
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        regularizers: Mapping[str, Regularizer] | None = None,
        transforms: Sequence[nn.Module] = (),
        schedule: Callable[[int], float] | None = None,
        streams: Streams | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.classifier, self.objective = generator, classifier, objective
        self.regularizers, self.transforms = nn.ModuleDict(regularizers), nn.Sequential(*transforms)
        self.targets = (target,) if isinstance(target, Target) else tuple(target)
        self.optimizer, self.streams = optimizer, streams or Streams()
        self.schedule = schedule
        self._is_checked = False
        self._first: list[Tensor] = []  # the first views, and their gradient, if any
        for part in transforms:
            if isinstance(part, Transform):
                part.streams = self.streams
        objective.remember(classifier, generator.image_size)

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Compute one update's loss: the sentence that opens `genviz.interfaces`."""
        self.generator.update = self.objective.update = self.global_step
        for part in self.transforms:
            if isinstance(part, Transform):
                part.update = self.global_step
        sample = self.generator()
        views = self.transforms(sample.images)
        if views.requires_grad and not self._is_checked:
            self._is_checked = True
            self._first = [views.detach()]
            views.register_hook(self._first.append)
        seen = self._look(views)
        score = self.objective(seen).unflatten(0, (len(sample.images), -1)).mean(1)  # (n * views,) -> (n,)
        if not score.requires_grad:
            self._refuse([layer for layer in self.objective.layers if not seen[layer].requires_grad])
        penalties = {name: part.weight * part(sample) for name, part in self.regularizers.items()}
        losses = sum(penalties.values()) - score
        loss = losses.sum()  # a sum, so that an image's gradient does not depend on n
        values = {"loss": losses, "score": score} | {f"penalty/{name}": value for name, value in penalties.items()}
        return {"loss": loss, "metrics": self._metrics(values, seen)}

    def on_after_backward(self) -> None:
        """Check the first gradient that reaches the picture.

        Raises:
            UserError: it is 0, and so is that of everything in the layers. That of a dead unit alone may be.
        """
        if self._first and not any(gradient is not None and gradient.any() for gradient in self._first[1:]):
            self._refuse(self._constant(self._first[0]))
        self._first = []

    @torch.enable_grad()
    def _constant(self, views: Tensor) -> list[str]:
        """The objective's layers, if all of them that fire are constant where the views are."""
        seen = self._look(views.requires_grad_())
        firing = [layer for layer in self.objective.layers if seen[layer].any()]
        for layer in firing:
            total = seen[layer].square().sum()
            (gradient,) = torch.autograd.grad(total, views, retain_graph=True, allow_unused=True)
            if gradient is not None and gradient.any():
                return []
        return firing

    def _refuse(self, cut: Sequence[str]) -> None:
        """Raise an error if these layers could be trained through but for the network, which cuts the gradient."""
        if cut and any(parameter.requires_grad for parameter in self.generator.parameters()):
            raise UserError(
                f"no gradient reaches the picture from {', '.join(cut[:3])}: the network computes it under "
                "torch.no_grad, detaches it, or rounds it (argmax, quantized weights); name a layer before that"
            )

    def _look(self, views: Tensor) -> dict[str, Tensor]:
        """The views' activations; on a CPU, which one image keeps busy, image by image."""
        wanted = (layer for target in self.targets for layer in target.layers)
        layers = tuple(dict.fromkeys((*self.objective.layers, *wanted)))
        count = len(self.streams)
        if count == 1 or views.device.type != "cpu":
            return self.classifier(views, layers)
        seen = [self.classifier(image, layers) for image in views.split(len(views) // count)]
        return {layer: torch.cat([each[layer] for each in seen]) for layer in layers}

    @torch.no_grad()
    def _metrics(self, values: Mapping[str, Tensor], seen: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """For each target, its images' ``values`` (n,) and what its units did in ``seen``."""
        count = len(self.targets)
        if isinstance(self.objective, Sum | PerImage) and len(self.objective.scores) > 1:
            values = {**values, **{f"score/{name}": part for name, part in self.objective.scores.items()}}
        metrics = []
        for number, target in enumerate(self.targets):
            reading = read(target, {layer: seen[layer].chunk(count)[number] for layer in target.layers})
            own = {name: value.detach().chunk(count)[number] for name, value in values.items()}
            found = {name: value.sum() if name == "loss" else value.mean() for name, value in own.items()}
            found["activation"] = weighted(target, reading.activations).mean()
            found["rank"] = reading.ranks[:, list(target.decisive)].max().float()
            if len(target.units) > 1:
                activations = reading.activations.mean(0)
                found |= {f"activation/{u.name}": a for u, a in zip(target.units, activations, strict=True)}
            metrics.append(found)
        return metrics

    @torch.no_grad()
    def settled(self) -> Tensor:
        """The generator's images (n, 3, h, w) in ``eval`` mode, without noise."""
        training = self.generator.training
        try:
            return self.generator.eval()().images
        finally:
            self.generator.train(training)

    def configure_optimizers(self) -> Any:
        """Optimize the generator's trainable parameters."""
        optimizer = self.optimizer([parameter for parameter in self.generator.parameters() if parameter.requires_grad])
        if self.schedule is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, self.schedule), "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the state of the random streams."""
        checkpoint["streams"] = self.streams.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the random streams and the octave."""
        self.streams.restore(checkpoint.get("streams", []))
        self.generator.update = max(0, checkpoint["global_step"] - 1)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The generator's state, without its frozen parameters."""
        trained = self._trained()
        return {f"generator.{name}": value for name, value in self.generator.state_dict().items() if name in trained}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load the generator's state; always strict, whatever ``strict`` says."""
        own = {name.removeprefix("generator."): value for name, value in state_dict.items()}
        trained = self._trained()
        rest = {name: value for name, value in self.generator.state_dict().items() if name not in trained}
        return self.generator.load_state_dict({**rest, **own}, strict=True, assign=assign)

    def _trained(self) -> set[str]:
        frozen = {name for name, parameter in self.generator.named_parameters() if not parameter.requires_grad}
        return set(self.generator.state_dict()) - frozen
