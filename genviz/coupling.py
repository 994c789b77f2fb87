"""A generator coupled to a frozen classifier (Despraz et al. 2017, Figure 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.hooks import RemovableHandle

from genviz.errors import UserError
from genviz.images.randomness import Streams
from genviz.interfaces import Classifier, Generator, Objective, Regularizer
from genviz.objectives.sum import Sum
from genviz.targets.grammar import Target
from genviz.targets.metrics import Metrics
from genviz.targets.units import Targets
from genviz.transforms.transform import FeatureTransform, Transform, apart


class Coupling(pl.LightningModule):
    """Trains ``generator`` until ``classifier`` sees what ``objective`` asks for.

    The state dict is the generator's; checkpoints do not include the classifier. `training_step` returns the loss and
    ``metrics``, a row of numbers whose names `metrics` knows: of each target the loss, the score, each penalty, the
    activation (weighted, mean over views) and the rank (worst over the target's units and views). Nothing in an update
    waits for the device, and how many operations it takes does not depend on how many targets there are.

    Args:
        target: what the metrics report; several for a batch that is shared out evenly among them, in order.
        optimizer: builds an optimizer from the generator's trainable parameters.
        schedule: learning-rate factor at an update; None for 1.
        streams: the generator's random streams, one per image; the transforms draw from them too.
        together: whether images go through the networks together; None: everywhere but on a CPU, which one keeps busy.
        autocast: whether the classifier computes in bfloat16 where torch deems it safe; None: on cards that have it.
        may_vanish: whether the first gradient may be 0 everywhere; else `check_gradient` takes that for a mistake.

    Attributes:
        metrics: tells what the numbers of a row are.
        compiled: computes `forward` for all updates but the first; None, or where it returns None: `forward` itself.
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
        together: bool | None = None,
        autocast: bool | None = None,
        may_vanish: bool = False,
    ) -> None:
        super().__init__()
        self.generator, self.classifier, self.objective = generator, classifier, objective
        self.regularizers = nn.ModuleDict(regularizers)
        self.transforms, self.in_features = apart(transforms)
        self.targets = Targets(target)
        self.metrics = Metrics(self.targets)
        self.optimizer, self.streams = optimizer, streams or Streams()
        self.schedule, self.together, self.autocast = schedule, together, autocast
        self.compiled: Callable[[Coupling], tuple[Tensor, Tensor] | None] | None = None
        self._is_checked = may_vanish
        self._hook: RemovableHandle | None = None
        self._first: list[Tensor] = []  # the first views, and whether a gradient reached them, if any did
        for part in transforms:
            if isinstance(part, Transform):
                part.streams = self.streams
        if self.in_features is not None:
            self.in_features.place(classifier)  # says at once if there is no such layer
        generator.together = together
        if objective.layers and not objective.sought:
            raise UserError(
                "this objective only restrains a picture; add what it should show: 'objective=[activation,natural]'"
            )
        objective.to(classifier.device).remember(classifier, generator.image_size)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the attribute; without torch's look for parameters and modules where Lightning does so at every hook."""
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Compute one update's loss and its row of numbers."""
        self.streams.device, made = self.device, None
        self.tell(self.global_step)
        if self.compiled is not None and self._is_checked:
            made = self.compiled(self)
        if made is None:
            made = self()
        loss, metrics = made
        return {"loss": loss, "metrics": metrics}

    def tell(self, update: int | Tensor) -> None:
        """Tell the parts how many updates were made so far; a number, or a tensor while the step is compiled."""
        self.generator.update = self.objective.update = update
        for part in (*self.transforms, self.in_features):
            if isinstance(part, Transform):
                part.update = update

    def forward(self) -> tuple[Tensor, Tensor]:
        """The sentence that opens `genviz.interfaces`: the loss, and the row of numbers."""
        sample = self.generator()
        views = self.transforms(sample.images)
        if views.requires_grad and not self._is_checked:
            self._is_checked = True
            self._first = [views.detach()]
            self._hook = views.register_hook(self._notice)
        seen = self._look(views, through=self.in_features)
        score = self.objective(seen).unflatten(0, (len(sample.images), -1)).mean(1)  # (n * views,) -> (n,)
        if not any(seen[layer].requires_grad for layer in self.objective.sought):
            self._refuse(self.objective.sought)
        penalties = {name: part.weight * part(sample) for name, part in self.regularizers.items()}
        losses = sum(penalties.values()) - score
        loss = losses.sum()  # a sum, so that an image's gradient does not depend on n
        values = {"loss": losses, "score": score} | {f"penalty/{name}": value for name, value in penalties.items()}
        if isinstance(self.objective, Sum) and len(self.objective.scores) > 1:
            values |= {f"score/{name}": part for name, part in self.objective.scores.items()}
        return loss, self.metrics.row(values, seen)

    def _notice(self, gradient: Tensor | None) -> None:
        if self._hook is not None:
            self._hook.remove()  # the views may be a parameter, which stays
        if gradient is not None:
            self._first.append(gradient.any())

    def on_after_backward(self) -> None:
        """Check the first gradient, if that does not mean to wait for the device."""
        if not self.is_together:
            self.check_gradient()

    def check_gradient(self) -> None:
        """Check whether the first gradient reached the picture; nothing if that is checked.

        Raises:
            UserError: it is 0, and so is that of everything in the layers. That of a dead unit alone may be.
        """
        if not self._first:
            return
        mixed = self.objective.sought != self.objective.layers  # the gradient may be of what only restrains the picture
        if mixed or not any(self._first[1:]):
            self._refuse(self._constant(self._first[0]))
        self._first = []

    @property
    def is_together(self) -> bool:
        """Whether images go through the networks together."""
        return self.device.type != "cpu" if self.together is None else self.together

    @torch.enable_grad()
    def _constant(self, views: Tensor) -> list[str]:
        """The layers that the objective drives, if all of them that fire are constant where the views are."""
        seen = self._look(views.requires_grad_(), through=None)  # dropout would draw random numbers
        firing = [layer for layer in self.objective.sought if seen[layer].any()]
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

    def _look(self, views: Tensor, *, through: FeatureTransform | None) -> dict[str, Tensor]:
        """The views' activations, of all images together or image by image."""
        layers = tuple(dict.fromkeys((*self.objective.layers, *self.targets.layers)))
        at_once = len(views) if self.is_together else len(views) // len(self.streams)
        look = self.classifier.in_turn
        if through is not None:
            look = partial(through.look, self.classifier)
        if views.dtype != torch.float32 or not self._autocasts:
            return look(views, layers, at_once)
        with torch.autocast(self.device.type, torch.bfloat16):
            seen = look(views, layers, at_once)
        return {layer: value.float() for layer, value in seen.items()}

    @property
    def _autocasts(self) -> bool:
        if self.autocast is None:
            return self.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return self.autocast

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

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Make an update, and keep the generator's constraints."""
        super().optimizer_step(*args, **kwargs)
        self.generator.constrain()

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
